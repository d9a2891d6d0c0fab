import { FormatRegistry, type TProperties, type TSchema, Type } from "@sinclair/typebox";
import { type TypeCheck, TypeCompiler } from "@sinclair/typebox/compiler";
import { type ValueError, ValueErrorType } from "@sinclair/typebox/errors";
import { DURATION_PATTERN, formatDuration, parseDuration } from "./duration.ts";
import { parseSecretOrigin, Secret } from "./secret.ts";

/**
 * The vocabulary of the configuration file: schemas that check a setting as it is written and decode it. The `expected`
 * text of each completes "expected …" in an error message and is the type of the key in the documentation. `secret`
 * marks values that no message may repeat: secrets, and settings that may hold one.
 */

const SIZE_UNITS: Readonly<Record<string, number>> = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 };

const DURATIONS = '"90s", "10m" or "24h"';

/** Examples of durations of at most an hour, and of less than 90 seconds. */
const MINUTES = '"90s" or "10m"';
const SECONDS = '"25s"';

/** A duration such as `"90s"`, `"10m"`, `"24h"` or `"30d"`, decoded to milliseconds. */
export const DurationSetting = Type.Transform(
  Type.String({ pattern: DURATION_PATTERN, expected: `a duration such as ${DURATIONS}` }),
)
  .Decode((text) => parseDuration(text) ?? unreachable())
  .Encode((milliseconds) => `${milliseconds}ms`);

/** A duration of at most `longest` milliseconds. */
export function DurationUpTo(longest: number): typeof DurationSetting {
  const most = formatDuration(longest);
  FormatRegistry.Set(
    `duration-${most}`,
    (text) => (parseDuration(text) ?? Number.POSITIVE_INFINITY) <= longest,
  );
  return {
    ...DurationSetting,
    format: `duration-${most}`,
    expected: `a duration of at most ${most}, such as ${longest < 90_000 ? SECONDS : longest < 86_400_000 ? MINUTES : DURATIONS}`,
  };
}

/** A size such as `"512KiB"` or `"25MiB"`, decoded to bytes. */
export const SizeSetting = Type.Transform(
  Type.String({ pattern: "^[1-9]\\d{0,8}(B|KiB|MiB|GiB)$", expected: 'a size such as "512KiB" or "25MiB"' }),
)
  .Decode((text) => Number.parseInt(text, 10) * (SIZE_UNITS[text.replace(/^\d+/, "")] ?? unreachable()))
  .Encode((bytes) => `${bytes}B`);

function unreachable(): never {
  throw new Error("the pattern of the schema admits only known units");
}

/** A string that a function checks. `format` names the function and must be unique. */
export function CheckedString(
  format: string,
  isValid: (text: string) => boolean,
  options: { readonly expected: string; readonly secret?: boolean },
) {
  FormatRegistry.Set(format, isValid);
  return Type.String({ format, ...options });
}

/** The pattern of the name of a header: a token of RFC 9110, section 5.6.2. */
export const HEADER_NAME = "^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}$";

/** A reference to a secret. The configuration loads its value later (see {@link Secret}). */
export const SecretSetting = Type.Transform(
  Type.String({
    minLength: 1,
    secret: true,
    expected: 'a secret written as "env:NAME", "file:PATH" or "credential:NAME"',
  }),
)
  .Decode((text) => new Secret(parseSecretOrigin(text)))
  .Encode((secret) => secret.toString());

/** A key that may be left out: `value`, as the file would write it, then applies. */
export function Defaulted<Schema extends TSchema>(schema: Schema, value: unknown) {
  return { ...schema, default: value };
}

/**
 * A table of settings without further keys. The descriptions are Markdown for the documentation. One of a key without a
 * `default` in its schema may end with "Default: …".
 */
export function TableSetting<Properties extends TProperties>(
  properties: Properties,
  descriptions: Readonly<Record<keyof Properties & string, string>>,
) {
  const described = Object.entries(properties).map(([key, schema]) => {
    return [key, { ...schema, description: descriptions[key] }];
  });
  return Type.Object(Object.fromEntries(described) as Properties, {
    additionalProperties: false,
    expected: "a table",
  });
}

/** Compiles a schema at its first use: compiling takes milliseconds, which would delay every start. */
export function createLazyValidator<Schema extends TSchema>(schema: Schema): () => TypeCheck<Schema> {
  let compiled: TypeCheck<Schema> | null = null;
  return () => {
    compiled ??= TypeCompiler.Compile(schema);
    return compiled;
  };
}

const MAX_SCHEMA_ERRORS = 5;

/**
 * Lists the first few fields that do not match a schema, by JSON Pointer, such as
 * `/after expected string, /repository/full_name is missing`. The text holds names from the schema and positions in
 * lists, never values.
 *
 * @param root the name of the whole value.
 */
export function describeSchemaErrors(
  validator: TypeCheck<TSchema>,
  value: unknown,
  root = "the payload",
): string {
  const errors = new Map<string, string>();
  for (const error of validator.Errors(value)) {
    // A missing field is reported a second time, as having the wrong type.
    if (!errors.has(error.path)) errors.set(error.path, describeSchemaError(error, root));
    if (errors.size === MAX_SCHEMA_ERRORS) break;
  }
  return [...errors.values()].join(", ");
}

function describeSchemaError({ path, type, message, schema }: ValueError, root: string): string {
  const field = path === "" ? root : path;
  if (type === ValueErrorType.ObjectRequiredProperty) return `${field} is missing`;
  const expected: unknown = schema.expected;
  return `${field} expected ${typeof expected === "string" ? expected : message.replace(/^Expected /, "")}`;
}
