import { type StaticDecode, type TObject, type TPartial, type TSchema, Type } from "@sinclair/typebox";
import { type ValueError, ValueErrorType } from "@sinclair/typebox/errors";
import { Value } from "@sinclair/typebox/value";
import { findNearest } from "../../lib/text.ts";
import { child, type IssueList, type Place } from "./issues.ts";

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
  report: IssueList,
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
  if (!isTable(table)) report.fault(place, `expected a table, found ${formatValue(table, true)}`);

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
  const { word, isLikely } = findNearest(key, known);
  const hint = isLikely
    ? `did you mean ${formatValue(word)}?`
    : `the nearest known key is ${formatValue(word)}; there are ${known.join(", ")}`;
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
  return `expected ${expected}, found ${formatValue(error.value, holdsSecret(error.schema))}`;
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
    found = child(found, Array.isArray(value) ? Number(key) : key);
    value = Array.isArray(value) ? value[Number(key)] : isTable(value) ? value[key] : undefined;
  }
  return found;
}

const LONGEST = 80;

/** Whether a TOML value is a table: dates are objects too, and are not. */
export function isTable(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Date);
}

/** A value in the words that complete "found …". Of a confidential one only its kind is told. */
export function formatValue(value: unknown, confidential = false): string {
  if (value === undefined) return "nothing";
  if (value instanceof Date) return "a date";
  if (isTable(value)) return "a table";
  if (confidential) return describeKind(value);
  if (typeof value === "number" && !Number.isFinite(value)) return String(value);
  return shorten(quote(value));
}

/** JSON in which nothing can disturb a terminal or break the line. */
export function quote(value: unknown): string {
  return JSON.stringify(value).replaceAll(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu,
    (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`,
  );
}

function describeKind(value: unknown): string {
  if (Array.isArray(value)) return value.length === 0 ? "an empty list" : "a list";
  return value === "" ? "an empty string" : `a ${typeof value}`;
}

function shorten(text: string): string {
  const characters = Array.from(text);
  return characters.length <= LONGEST ? text : `${characters.slice(0, LONGEST - 1).join("")}…`;
}
