import { type StaticDecode, type TObject, type TProperties, type TSchema, Type } from "@sinclair/typebox";
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
  /**
   * The decoded values. An invalid key has its default, like one that is not written; a table with free keys, such as
   * `env`, lacks only its invalid entries.
   */
  readonly values: Values<Schema>;
  /** Whether the key is written, valid or not. */
  has(key: keyof Schema["properties"] & string): boolean;
  /** Whether every key, or each of some keys, is valid. */
  isValid(keys?: readonly string[]): boolean;
}

type Values<Schema extends TObject> = {
  readonly [Key in keyof Schema["properties"]]: Schema["properties"][Key] extends {
    readonly default: unknown;
  }
    ? StaticDecode<Schema["properties"][Key]>
    : StaticDecode<Schema["properties"][Key]> | undefined;
};

/** Explains what is wrong with an unknown key, given the known keys of its table. */
export type ExplainKey = (key: string, known: readonly string[]) => string;

/** Checks a table against its schema and reports every fault. Undefined counts as an empty table. */
export function readTable<Schema extends TObject>(
  schema: Schema,
  raw: unknown = {},
  place: Place,
  issues: IssueList,
  explainKey: ExplainKey = explainUnknownKey,
): CheckedTable<Schema> {
  const written = isTable(raw) ? raw : {};
  if (!isTable(raw)) issues.fault(place, `expected a table, found ${formatValue(raw, true)}`);
  const completed = Value.Default(schema, { ...written });
  const faulty: (readonly string[])[] = [];
  const reported = new Set<string>();
  for (const error of isTable(raw) ? Value.Errors(schema, completed) : []) {
    if (reported.has(error.path)) continue;
    reported.add(error.path);
    for (const keys of listFaultyKeys(error, written)) {
      faulty.push(keys);
      issues.fault(locate(place, keys, written), describeError(error, keys, explainKey));
    }
  }
  const validPart = faulty.reduce((table, keys) => removeFaulty(schema, table, keys), written);
  const faultyKeys = new Set(faulty.map(([key]) => key));
  const values = Value.Decode(Type.Partial(schema), Value.Default(schema, { ...validPart }));
  return {
    place,
    values: values as Values<Schema>,
    has: (key) => Object.hasOwn(written, key),
    isValid: (keys) => isTable(raw) && (keys?.every((key) => !faultyKeys.has(key)) ?? faulty.length === 0),
  };
}

/** The place of an error as keys. Of a table with free keys, only the first invalid name is reported, for all of them. */
function listFaultyKeys(
  { type, path, schema }: ValueError,
  written: unknown,
): readonly (readonly string[])[] {
  const keys = parsePointer(path);
  const [pattern] = Object.keys(schema.patternProperties ?? {});
  if (type !== ValueErrorType.ObjectAdditionalProperties || pattern === undefined) return [keys];
  const parent = keys.slice(0, -1);
  const table = parent.reduce((value, key) => (isTable(value) ? value[key] : undefined), written);
  // A list in place of the table.
  if (!isTable(table)) return [keys];
  return Object.keys(table)
    .filter((name) => !new RegExp(pattern).test(name))
    .map((name) => [...parent, name]);
}

/** A table without what is faulty: an entry of a table with free keys, or a key with its whole value. */
function removeFaulty(
  schema: TObject,
  table: Readonly<Record<string, unknown>>,
  [key = "", entry]: readonly string[],
): Readonly<Record<string, unknown>> {
  const { [key]: value, ...others } = table;
  const isRecord = schema.properties[key]?.patternProperties !== undefined;
  if (entry === undefined || !isRecord || !isTable(value)) return others;
  const { [entry]: _, ...entries } = value;
  return { ...others, [key]: entries };
}

/** Adds where the value of a key comes from, such as `Stripe shows it as …`, to the fault of a missing key. */
export function addOrigin(schema: TSchema, origin: string): TSchema {
  return { ...schema, origin };
}

/** Adds keys to the schema of a table. Its type does not show them. */
export function extendTable<Schema extends TObject>(schema: Schema, properties: TProperties): Schema {
  const { properties: own, required: _, ...options } = schema;
  return Type.Object({ ...own, ...properties }, options) as TObject as Schema;
}

/** Reports every value of a key that an earlier table has. `what` names the tables, such as `source`. */
export function checkUnique<Key extends "name" | "path" | "directory">(
  key: Key,
  what: string,
  tables: readonly ({ readonly place: Place } & { readonly [key in Key]: string | undefined })[],
  issues: IssueList,
): void {
  const owners = new Map<string, { readonly path: string; readonly value: string }>();
  for (const table of tables) {
    const { place, [key]: value } = table;
    if (value === undefined) continue;
    // Names become file names, and some file systems ignore case.
    const normal = key === "name" ? value.toLowerCase() : value;
    const owner = owners.get(normal);
    if (owner === undefined) owners.set(normal, { path: place.path, value });
    else {
      const addition = owner.value === value ? "" : `, without regard to case`;
      const problem = `${owner.path} already has ${formatValue(owner.value)}${addition}`;
      issues.fault(child(place, key), `${problem}: each ${what} needs its own ${key}`);
    }
  }
}

/** `unknown key: did you mean "branch"?`, or all known keys when none is near. */
export function explainUnknownKey(key: string, known: readonly string[]): string {
  const { word, isLikely } = findNearest(key, known);
  const hint = isLikely
    ? `did you mean ${formatValue(word)}?`
    : `the nearest known key is ${formatValue(word)}; known keys are ${known.join(", ")}`;
  return `unknown key: ${hint}`;
}

function describeError(error: ValueError, keys: readonly string[], explainKey: ExplainKey): string {
  if (error.type === ValueErrorType.ObjectAdditionalProperties) {
    const { properties, expectedKey } = error.schema;
    const key = keys.at(-1) ?? "";
    if (properties === undefined) return `expected ${expectedKey}`;
    return explainKey(key, Object.keys(properties));
  }
  const words: unknown = error.schema.expected;
  const expected = typeof words === "string" ? words : error.message.replace(/^Expected /, "");
  if (error.value === undefined) {
    const { origin } = error.schema;
    return `is missing: expected ${expected}${origin === undefined ? "" : `; ${origin}`}`;
  }
  const isConfidential = mayHoldSecret(error.schema);
  // "found a string" would explain nothing here.
  if (
    isConfidential &&
    error.schema.type === "string" &&
    typeof error.value === "string" &&
    error.value !== ""
  ) {
    return `expected ${expected}`;
  }
  return `expected ${expected}, found ${formatValue(error.value, isConfidential)}`;
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
