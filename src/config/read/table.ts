import { type StaticDecode, type TObject, type TPartial, type TSchema, Type } from "@sinclair/typebox";
import { type ValueError, ValueErrorType } from "@sinclair/typebox/errors";
import { Value } from "@sinclair/typebox/value";
import { findNearest } from "../../lib/text.ts";
import { child, formatValue, type IssueList, isTable, type Place } from "./issues.ts";

/** A value of the document that should be a table, and where it is. */
export interface WrittenTable {
  readonly table: unknown;
  readonly place: Place;
}

/** A table after its check. Valid keys are usable although other keys are not. */
export interface CheckedTable<Schema extends TObject> {
  readonly place: Place;
  /** Whether every key is valid. */
  readonly valid: boolean;
  /** The decoded values of the valid keys. */
  readonly values: StaticDecode<TPartial<Schema>>;
  /** Whether the key is written, valid or not. */
  has(key: keyof Schema["properties"] & string): boolean;
}

/** Explains what is wrong with an unknown key, given the known keys of its table. */
export type ExplainKey = (key: string, known: readonly string[]) => string;

/** Checks a table against its schema and reports every fault. Undefined counts as an empty table. */
export function readTable<Schema extends TObject>(
  schema: Schema,
  raw: unknown,
  place: Place,
  issues: IssueList,
  explainKey: ExplainKey = explainUnknownKey,
): CheckedTable<Schema> {
  const table = raw === undefined ? {} : raw;
  const faulty = new Set<string>();
  const reported = new Set<string>();
  for (const error of isTable(table) ? Value.Errors(schema, table) : []) {
    if (reported.has(error.path)) continue;
    reported.add(error.path);
    const keys = parsePointer(error.path);
    faulty.add(String(keys[0]));
    issues.fault(locate(place, keys, table), describeError(error, keys, explainKey));
  }
  if (!isTable(table)) issues.fault(place, `expected a table, found ${formatValue(table, true)}`);

  const written = isTable(table) ? table : {};
  const validPart = Object.fromEntries(Object.entries(written).filter(([key]) => !faulty.has(key)));
  return {
    place,
    valid: isTable(table) && faulty.size === 0,
    values: Value.Decode(Type.Partial(schema), validPart),
    has: (key) => Object.hasOwn(written, key),
  };
}

/** Separates the keys in `keys` from the others. A value that is not a table goes to the others. */
export function splitTable(
  table: unknown,
  keys: readonly string[],
): { readonly own: Readonly<Record<string, unknown>>; readonly others: unknown } {
  if (!isTable(table)) return { own: {}, others: table };
  const entries = Object.entries(table);
  return {
    own: Object.fromEntries(entries.filter(([key]) => keys.includes(key))),
    others: Object.fromEntries(entries.filter(([key]) => !keys.includes(key))),
  };
}

/** `unknown key "brnach": did you mean "branch"?`, or all known keys when none is near. */
export function explainUnknownKey(key: string, known: readonly string[]): string {
  const { word, isLikely } = findNearest(key, known);
  const hint = isLikely
    ? `did you mean ${formatValue(word)}?`
    : `the nearest known key is ${formatValue(word)}; known keys are ${known.join(", ")}`;
  return `unknown key ${formatValue(key)}: ${hint}`;
}

function describeError(error: ValueError, keys: readonly string[], explainKey: ExplainKey): string {
  if (error.type === ValueErrorType.ObjectAdditionalProperties) {
    const { properties, expectedKey } = error.schema;
    const key = keys.at(-1) ?? "";
    if (properties === undefined) return `expected ${expectedKey}, found ${formatValue(key)}`;
    return explainKey(key, Object.keys(properties));
  }
  const words: unknown = error.schema.expected;
  const expected = typeof words === "string" ? words : error.message.replace(/^Expected /, "");
  return `expected ${expected}, found ${formatValue(error.value, mayHoldSecret(error.schema))}`;
}

function mayHoldSecret(schema: TSchema): boolean {
  if (schema.secret === true) return true;
  const parts: (TSchema | undefined)[] = [
    ...(schema.anyOf ?? []),
    schema.items,
    ...Object.values(schema.properties ?? {}),
    ...Object.values(schema.patternProperties ?? {}),
  ];
  return parts.some((part) => part !== undefined && mayHoldSecret(part));
}

/** The keys of a JSON Pointer (RFC 6901). */
function parsePointer(pointer: string): string[] {
  return pointer
    .split("/")
    .slice(1)
    .map((key) => key.replaceAll("~1", "/").replaceAll("~0", "~"));
}

function locate(place: Place, keys: readonly string[], table: unknown): Place {
  let [found, value] = [place, table];
  for (const key of keys) {
    found = child(found, Array.isArray(value) ? Number(key) : key);
    value = Array.isArray(value) ? value[Number(key)] : isTable(value) ? value[key] : undefined;
  }
  return found;
}
