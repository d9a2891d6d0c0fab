/** Issues that callers handle: `permission_denied` means that this user may not read a file. */
export type IssueCode = "permission_denied";

/** A fault or a warning about a setting. It never holds the value of a secret. */
export interface ConfigIssue {
  /** The configuration file as it was named, or `environment`. */
  readonly file: string;
  /** Where in the file, such as `target[0].timeout` or `$PORT`; empty for the file as a whole. */
  readonly path: string;
  /** The problem and the remedy. */
  readonly message: string;
  readonly code?: IssueCode | undefined;
  /** The line of the file, from 1; null or absent when it is not known. */
  readonly line?: number | null;
  /** The table that the setting belongs to, such as `target "blog"`. */
  readonly owner?: string | null;
}

/** An issue in one line: `hooklatch.toml:24: target "blog": target[1].timeout: expected a duration …, found 10`. */
export function describeIssue({ file, line = null, owner = null, path, message }: ConfigIssue): string {
  const at = line === null ? file : `${file}:${line}`;
  return [at, owner ?? "", path, message].filter((part) => part !== "").join(": ");
}

/** Where a setting is. */
export type Place = Pick<ConfigIssue, "file" | "path">;

/** The place of an entry in the table or list at `place`. Keys are written as in TOML. */
export function child({ file, path }: Place, key: string | number): Place {
  if (typeof key === "number") return { file, path: `${path}[${key}]` };
  const written = /^[\w-]+$/.test(key) ? key : quote(key);
  return { file, path: path === "" ? written : `${path}.${written}` };
}

/** The place of an environment variable. */
export function variable(name: string): Place {
  return { file: "environment", path: `$${name}` };
}

/** Collects issues, so that all of them are reported at once. The same issue is added once. */
export class IssueList {
  readonly faults: ConfigIssue[] = [];
  readonly warnings: ConfigIssue[] = [];
  readonly #lines = new Set<string>();

  fault(place: Place, message: string, code?: IssueCode): void {
    this.#add(this.faults, { ...place, message, code });
  }

  warn(place: Place, message: string): void {
    this.#add(this.warnings, { ...place, message });
  }

  #add(list: ConfigIssue[], issue: ConfigIssue): void {
    const line = describeIssue(issue);
    if (this.#lines.has(line)) return;
    this.#lines.add(line);
    list.push(issue);
  }
}

const MAX_VALUE_LENGTH = 80;

/** Writes a value to complete "found …". Of a confidential value only the type is written. */
export function formatValue(value: unknown, confidential = false): string {
  if (value === undefined) return "nothing";
  if (value instanceof Date) return "a date";
  if (isTable(value)) return "a table";
  if (confidential) return describeType(value);
  if (typeof value === "number" && !Number.isFinite(value)) return String(value);
  return shorten(quote(value));
}

/** Describes a value that is not one of the known ones. `what` names these, such as `the sources `. */
export function describeChoice(what: string, known: readonly string[], found: string): string {
  return `expected one of ${what}${quoteList(known)}, found ${formatValue(found)}`;
}

/** `"one", "two"`. */
export function quoteList(words: readonly string[]): string {
  return words.map((word) => formatValue(word)).join(", ");
}

/** Whether a TOML value is a table. Dates are objects too, but not tables. */
export function isTable(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Date);
}

/** Writes a value as JSON without characters that could change the terminal or break the line. */
export function quote(value: unknown): string {
  return JSON.stringify(value).replaceAll(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu,
    (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`,
  );
}

function describeType(value: unknown): string {
  if (Array.isArray(value)) return value.length === 0 ? "an empty list" : "a list";
  return value === "" ? "an empty string" : `a ${typeof value}`;
}

function shorten(text: string): string {
  const characters = Array.from(text);
  if (characters.length <= MAX_VALUE_LENGTH) return text;
  return `${characters.slice(0, MAX_VALUE_LENGTH - 1).join("")}…`;
}
