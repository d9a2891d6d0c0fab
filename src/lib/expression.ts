import type { CompileResult, compileCel } from "./cel.ts";

export type { CompileResult, EvaluationResult, Expression } from "./cel.ts";

/**
 * Compiles an expression over variables, given by their names and CEL types. Patterns of `matches` are RE2's, which take
 * linear time, and must be literals. What CEL's type checker rejects is invalid.
 */
export function compileExpression(text: string, variables: Readonly<Record<string, string>>): CompileResult {
  // Loaded with the first expression: the library takes a tenth of a start, and most configurations have none.
  const cel: { readonly compileCel: typeof compileCel } = require("./cel.ts");
  return cel.compileCel(text, variables);
}
