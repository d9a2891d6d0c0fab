const LONGEST = 80;

/** Whether a TOML value is a table: dates are objects too, and are not. */
export function isTable(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Date);
}

/** A value in the words that complete "found …". Of a confidential one only its kind is told. */
export function describeFound(value: unknown, confidential = false): string {
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
