import { escapeInvisible } from "../lib/text.ts";

/** A value of TOML. A key without a value is left out. */
export type TomlValue =
  | string
  | number
  | boolean
  | readonly TomlValue[]
  | { readonly [key: string]: TomlValue | undefined };

/** Writes one table of a list of tables, with one line for each key. */
export function writeTable(name: string, table: { readonly [key: string]: TomlValue | undefined }): string {
  return `[[${name}]]\n${writeEntries(table)
    .map((entry) => `${entry}\n`)
    .join("")}`;
}

/** Writes a comment of one or more lines. */
export function writeComment(text: string): string {
  return text
    .split("\n")
    .map((line) => `# ${escapeInvisible(line).replaceAll(/\p{Cc}/gu, "\uFFFD")}`.trimEnd())
    .map((line) => `${line}\n`)
    .join("");
}

function writeEntries(table: { readonly [key: string]: TomlValue | undefined }): readonly string[] {
  return Object.entries(table).flatMap(([key, value]) =>
    value === undefined ? [] : [`${writeKey(key)} = ${writeValue(value)}`],
  );
}

function writeKey(key: string): string {
  return /^[A-Za-z0-9_-]+$/.test(key) ? key : writeBasic(key);
}

function writeValue(value: TomlValue): string {
  if (typeof value === "string") return writeString(value);
  if (typeof value !== "object") return String(value);
  if (isList(value)) return `[${value.map(writeValue).join(", ")}]`;
  const entries = writeEntries(value);
  return entries.length === 0 ? "{}" : `{ ${entries.join(", ")} }`;
}

function isList(value: object): value is readonly TomlValue[] {
  return Array.isArray(value);
}

/** A literal string where quotation marks or backslashes would be escaped otherwise. */
function writeString(text: string): string {
  const isReadable = !/['\p{Cc}]/u.test(text) && escapeInvisible(text) === text;
  return /["\\]/.test(text) && isReadable ? `'${text}'` : writeBasic(text);
}

/** A basic string, which has all escapes of JSON. */
function writeBasic(text: string): string {
  return escapeInvisible(JSON.stringify(text));
}
