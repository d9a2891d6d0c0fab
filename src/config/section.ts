import type { StaticDecode, TObject, TPartial, TSchema } from "@sinclair/typebox";
import { Type } from "@sinclair/typebox";
import { type ValueError, ValueErrorType } from "@sinclair/typebox/errors";
import { Value } from "@sinclair/typebox/value";
import { findNearest } from "../domain/nearest.ts";
import { type Place, type Report, under } from "./finding.ts";
import { describeFound, isTable } from "./found.ts";

/** One table of the document after its check: what is sound in it can be used, though other keys are faulty. */
export interface Section<Schema extends TObject> {
  readonly place: Place;
  /** Whether nothing was wrong with any key. */
  readonly sound: boolean;
  /** The decoded values of the sound keys. */
  readonly values: StaticDecode<TPartial<Schema>>;
  /** Whether the key is written, soundly or not. */
  has(key: keyof Schema["properties"] & string): boolean;
}

/** Says what is wrong with an unknown key, given the keys that are known where it stands. */
export type ExplainKey = (key: string, known: readonly string[]) => string;

/** Checks one table against its schema and reports every fault in it. A table that is not written is empty. */
export function readTable<Schema extends TObject>(
  schema: Schema,
  raw: unknown,
  place: Place,
  report: Report,
  explainKey: ExplainKey = explainUnknownKey,
): Section<Schema> {
  const table = raw === undefined ? {} : raw;
  const faulty = new Set<string>();
  const seen = new Set<string>();
  for (const error of isTable(table) ? Value.Errors(schema, table) : []) {
    if (seen.has(error.path)) continue;
    seen.add(error.path);
    const keys = splitPointer(error.path);
    faulty.add(String(keys[0]));
    report.fault(locate(place, keys, table), describeError(error, keys, explainKey));
  }
  if (!isTable(table)) report.fault(place, `expected a table, found ${describeFound(table, true)}`);

  const written = isTable(table) ? table : {};
  const soundPart = Object.fromEntries(Object.entries(written).filter(([key]) => !faulty.has(key)));
  return {
    place,
    sound: isTable(table) && faulty.size === 0,
    values: Value.Decode(Type.Partial(schema), soundPart),
    has: (key) => Object.hasOwn(written, key),
  };
}

/** `unknown key "brnach": did you mean "branch"?`, or the nearest and all others where none is so near. */
export function explainUnknownKey(key: string, known: readonly string[]): string {
  const { word, meant } = findNearest(key, known);
  const hint = meant
    ? `did you mean ${describeFound(word)}?`
    : `the nearest known key is ${describeFound(word)}; there are ${known.join(", ")}`;
  return `unknown key ${describeFound(key)}: ${hint}`;
}

function describeError(error: ValueError, keys: readonly string[], explainKey: ExplainKey): string {
  if (error.type === ValueErrorType.ObjectAdditionalProperties) {
    const { properties, expectedKey } = error.schema;
    const key = keys.at(-1) ?? "";
    if (properties === undefined) return `expected ${expectedKey}, found ${describeFound(key)}`;
    return explainKey(key, Object.keys(properties));
  }
  const words: unknown = error.schema.expected;
  const expected = typeof words === "string" ? words : error.message.replace(/^Expected /, "");
  return `expected ${expected}, found ${describeFound(error.value, holdsSecret(error.schema))}`;
}

/** Whether a value at this place is, or may contain, what nobody should see. */
function holdsSecret(schema: TSchema): boolean {
  if (schema.secret === true) return true;
  const parts: (TSchema | undefined)[] = [
    ...(schema.anyOf ?? []),
    schema.items,
    ...Object.values(schema.properties ?? {}),
    ...Object.values(schema.patternProperties ?? {}),
  ];
  return parts.some((part) => part !== undefined && holdsSecret(part));
}

/** A JSON pointer (RFC 6901) taken apart. */
function splitPointer(pointer: string): string[] {
  return pointer
    .split("/")
    .slice(1)
    .map((key) => key.replaceAll("~1", "/").replaceAll("~0", "~"));
}

function locate(place: Place, keys: readonly string[], table: unknown): Place {
  let [found, value] = [place, table];
  for (const key of keys) {
    found = under(found, Array.isArray(value) ? Number(key) : key);
    value = Array.isArray(value) ? value[Number(key)] : isTable(value) ? value[key] : undefined;
  }
  return found;
}
