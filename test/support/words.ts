import { tmpdir } from "node:os";

/** Parts of a text that differ from run to run, and the placeholders that replace them in a snapshot. */
const VARIABLE_PARTS: readonly (readonly [pattern: RegExp, replacement: string])[] = [
  [/\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z/g, "<time>"],
  [/\b\d{8}T\d{6}Z-[0-9a-f]{12}\b/g, "<release>"],
  [/\b[0-9a-f]{64}\b/g, "<sha256>"],
  [/\b[0-9a-f]{40}\b/g, "<commit>"],
  [/(127\.0\.0\.1|localhost|\[::1\]|0\.0\.0\.0|\[::\]):\d{2,5}\b/g, "$1:<port>"],
  [/\bport \d{4,5}\b/g, "port <port>"],
  [/\bprocess \d+\b/g, "process <pid>"],
];

/**
 * Prepares a user-facing text for a snapshot: replaces what differs from run to run (temporary directories, ports,
 * times, commits, digests, process ids) with placeholders such as `<time>`. Snapshots contain the wording; the tests
 * themselves assert codes, states and numbers. `bun test -u` rewrites the snapshots after a change of wording.
 *
 * @param replacements further texts to replace, such as a test's own directory or an abbreviated commit. They are
 *   replaced first, longest first.
 */
export function words(text: string, replacements: Readonly<Record<string, string>> = {}): string {
  let result = text;
  const own = Object.entries(replacements).filter(([from]) => from !== "");
  for (const [from, to] of own.toSorted(([a], [b]) => b.length - a.length))
    result = result.replaceAll(from, to);
  result = result.replace(new RegExp(`${RegExp.escape(tmpdir())}/[\\w.-]+`, "g"), "<tmp>");
  for (const [pattern, replacement] of VARIABLE_PARTS) result = result.replace(pattern, replacement);
  return result;
}

/**
 * The numbers in a user-facing text, in order, without thousands separators. A test asserts them besides the snapshot,
 * because `bun test -u` would accept a wrong number.
 */
export function numbersIn(text: string | null | undefined): number[] {
  const numbers = text?.match(/\d+(?:,\d{3})*/g) ?? [];
  return numbers.map((number) => Number(number.replaceAll(",", "")));
}
