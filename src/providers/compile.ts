import type { TSchema } from "@sinclair/typebox";
import { type TypeCheck, TypeCompiler } from "@sinclair/typebox/compiler";

/** Gives the schema's compiled check, made when it is asked for first: it takes milliseconds that a start has not. */
export function compileWhenUsed<Schema extends TSchema>(schema: Schema): () => TypeCheck<Schema> {
  let compiled: TypeCheck<Schema> | null = null;
  return () => {
    compiled ??= TypeCompiler.Compile(schema);
    return compiled;
  };
}
