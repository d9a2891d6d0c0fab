import { type TSchema, Type } from "@sinclair/typebox";
import { type TypeCheck, TypeCompiler } from "@sinclair/typebox/compiler";
import { parseSecretOrigin, Secret } from "./secret.ts";

/**
 * The vocabulary of the configuration file: schemas that check a setting as it is written and decode it into
 * what the code works with. Every one carries `expected`, the words that complete "expected …" in a fault.
 */

const DURATION_UNITS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const SIZE_UNITS = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 } as const;

function multiply(text: string, units: Readonly<Record<string, number>>): number {
  const [, count = "", unit = ""] = /^(\d+)([A-Za-z]+)$/.exec(text) ?? [];
  const factor = units[unit];
  if (factor === undefined) throw new Error("the schema lets only known units through");
  return Number(count) * factor;
}

/** A duration such as `"90s"`, `"10m"`, `"24h"` or `"30d"`, decoded to milliseconds. */
export const DurationSetting = Type.Transform(
  Type.String({
    pattern: "^[1-9]\\d{0,8}(ms|s|m|h|d)$",
    expected: 'a duration such as "90s", "10m" or "24h"',
  }),
)
  .Decode((text) => multiply(text, DURATION_UNITS))
  .Encode((milliseconds) => `${milliseconds}ms`);

/** A size such as `"512KiB"` or `"25MiB"`, decoded to bytes. */
export const SizeSetting = Type.Transform(
  Type.String({ pattern: "^[1-9]\\d{0,8}(B|KiB|MiB|GiB)$", expected: 'a size such as "512KiB" or "25MiB"' }),
)
  .Decode((text) => multiply(text, SIZE_UNITS))
  .Encode((bytes) => `${bytes}B`);

/** A secret by reference (see {@link Secret}); its value is loaded by the configuration room, not here. */
export const SecretSetting = Type.Transform(
  Type.String({
    minLength: 1,
    secret: true,
    expected: 'a secret written as "env:NAME", "file:PATH" or "credential:NAME"',
  }),
)
  .Decode((text) => new Secret(parseSecretOrigin(text)))
  .Encode((secret) => secret.toString());

/** A table of settings: unknown keys in it are faults. */
export function TableSetting<Properties extends Record<string, TSchema>>(properties: Properties) {
  return Type.Object(properties, { additionalProperties: false, expected: "a table" });
}

/** Gives the schema's compiled check, made when it is asked for first: it takes milliseconds that a start has not. */
export function createLazyValidator<Schema extends TSchema>(schema: Schema): () => TypeCheck<Schema> {
  let compiled: TypeCheck<Schema> | null = null;
  return () => {
    compiled ??= TypeCompiler.Compile(schema);
    return compiled;
  };
}
