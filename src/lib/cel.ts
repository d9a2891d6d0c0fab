import {
  Environment,
  EvaluationError,
  ParseError,
  type ParseResult,
  TypeError as TypeCheckError,
} from "@marcbachmann/cel-js";
import { limitSteps, runLimited } from "./expression-budget.ts";

/** A compiled CEL expression (https://cel.dev). */
export interface Expression {
  /** As written. */
  readonly text: string;
  /** The type of its value: `bool`, `string`, …; `dyn` when only the evaluation shows it. */
  readonly type: string;
  /**
   * Evaluates it. Never throws, and ends after a bounded number of steps, whatever the values are. Numbers of JSON are
   * `double`s, which compare with integers.
   */
  evaluate(values: Readonly<Record<string, unknown>>): EvaluationResult;
}

/** The value of an expression. Failures quote the expression and never the values, which are untrusted. */
export type EvaluationResult =
  | { readonly kind: "value"; readonly value: unknown }
  /** The field or element that `part` of the expression reads does not exist. */
  | { readonly kind: "missing"; readonly part: string }
  | { readonly kind: "failed"; readonly reason: string };

export type CompileResult =
  | { readonly kind: "compiled"; readonly expression: Expression }
  /** Says what is wrong and where. */
  | { readonly kind: "invalid"; readonly problem: string };

const LIMITS = {
  maxAstNodes: 2000,
  maxDepth: 50,
  maxListElements: 500,
  maxMapEntries: 500,
  maxCallArguments: 16,
};

/** In characters. */
const MAX_QUOTED = 100;

/** Compiles an expression, see `compileExpression` in `expression.ts`. */
export function compileCel(text: string, variables: Readonly<Record<string, string>>): CompileResult {
  try {
    const environment = new Environment({ limits: LIMITS, homogeneousAggregateLiterals: false });
    for (const [name, type] of Object.entries(variables)) environment.registerVariable(name, type);
    const parsed = environment.parse(text);
    const { valid, type = "dyn", error } = parsed.check();
    if (!valid) return { kind: "invalid", problem: describeProblem(error) };
    const limited = limitSteps(parsed);
    if (limited.kind === "invalid") return limited;
    return {
      kind: "compiled",
      expression: { text, type, evaluate: (values) => evaluate(parsed, text, values) },
    };
  } catch (error) {
    return { kind: "invalid", problem: describeProblem(error) };
  }
}

function evaluate(
  parsed: ParseResult,
  text: string,
  values: Readonly<Record<string, unknown>>,
): EvaluationResult {
  try {
    const result = runLimited(() => parsed(values));
    if (result.kind === "value") return result;
    return { kind: "failed", reason: "the payload is too large for this expression" };
  } catch (error) {
    return describeFailure(error, text);
  }
}

/** The text of the library's errors may quote values, so only their codes are used. */
function describeFailure(error: unknown, text: string): EvaluationResult {
  if (!(error instanceof EvaluationError)) return { kind: "failed", reason: "it cannot be evaluated" };
  const { code, node } = error;
  const part = quote(node === undefined ? text : text.slice(node.start, node.end));
  if (MISSING.has(code)) return { kind: "missing", part };
  if (WRONG_TYPE.has(code)) return { kind: "failed", reason: `a value has another type than ${part} needs` };
  return { kind: "failed", reason: `${code.replaceAll("_", " ")} in ${part}` };
}

const MISSING: ReadonlySet<string> = new Set(["no_such_key", "index_out_of_bounds", "index_out_of_range"]);

const WRONG_TYPE: ReadonlySet<string> = new Set([
  "no_such_overload",
  "no_matching_overload",
  "invalid_condition_type",
  "invalid_logical_operand",
  "invalid_comprehension_range",
]);

/** Compiling reads no values, so the library's text is safe. */
function describeProblem(error: unknown): string {
  if (!(error instanceof ParseError || error instanceof TypeCheckError)) return "it cannot be compiled";
  const { summary, range } = error;
  return range === undefined ? summary : `${summary}, at character ${range.start + 1}`;
}

function quote(part: string): string {
  return JSON.stringify(part.length > MAX_QUOTED ? `${part.slice(0, MAX_QUOTED)}…` : part);
}
