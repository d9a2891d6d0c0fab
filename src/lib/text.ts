import { closest, distance } from "fastest-levenshtein";

const DEFAULT_LIMIT = 500;

/** Turns untrusted text into one visible line of at most `limit` UTF-16 units. */
export function toOneLine(text: string, limit: number = DEFAULT_LIMIT): string {
  const line = escapeInvisible(text.replaceAll(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, " ").trim());
  if (line.length <= limit) return line;
  // A cut inside a surrogate pair would leave half a character.
  return `${line.slice(0, limit - 1).replace(/[\ud800-\udbff]$/, "")}…`;
}

/**
 * Text from outside as the stores take it, with U+FFFD in place of NUL: PostgreSQL has no NUL in text, and readers of
 * SQLite's text may stop at one (https://www.sqlite.org/nulinstr.html).
 */
export function replaceNul(text: string): string {
  return text.replaceAll("\0", "\ufffd");
}

/**
 * Escapes characters that a terminal or a reader would misread: C1 controls, zero-width and bidirectional characters
 * (a branch name may hold U+202E) and the Unicode line separators. Inside a JSON string the escapes stand for the same
 * characters.
 */
export function escapeInvisible(text: string): string {
  return text.replace(
    /[\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/**
 * Puts valid JSON on one line that is safe to print. The text is not parsed, so numbers beyond 2^53, repeated keys and
 * the order of keys stay as they are.
 */
export function toOneLineJson(json: string): string {
  return escapeInvisible(json.replace(/("(?:[^"\\]|\\.)*")|[ \t\r\n]+/g, "$1"));
}

/** The known word that is nearest to an unknown one. */
export interface Nearest {
  readonly word: string;
  /** Whether the word is near enough to be suggested. */
  readonly isLikely: boolean;
}

/**
 * Finds the known word that an unknown one was probably meant to be, ignoring case: one that it abbreviates, else one
 * that it misspells by at most two edits or a third of its length, else one that it extends. `known` must not be empty.
 */
export function findNearest(written: string, known: readonly string[]): Nearest {
  const text = written.toLowerCase();
  const candidates = known.map((word) => word.toLowerCase());
  const nearestOf = (words: readonly string[]) =>
    words.length === 0 ? undefined : closest(text, [...words]);
  const nearest = closest(text, candidates);
  const found =
    nearestOf(text === "" ? [] : candidates.filter((word) => word.startsWith(text))) ??
    (distance(text, nearest) <= Math.max(2, Math.floor(text.length / 3)) ? nearest : undefined) ??
    nearestOf(candidates.filter((word) => text.startsWith(word)));
  return { word: known[candidates.indexOf(found ?? nearest)] ?? "", isLikely: found !== undefined };
}

/** Quotes a text as one word of a POSIX shell (POSIX, "Single-Quotes"). */
export function quoteForShell(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** The first 12 hex digits of a commit. */
export function shortenCommit(commit: string): string {
  return commit.slice(0, 12);
}

/** Untrusted text in quotes, cut to 200 characters. */
export function quote(text: string): string {
  return JSON.stringify(text.length > 200 ? `${text.slice(0, 200)}…` : text);
}

/** Bytes in the largest binary unit that gives a number of at least 1: `1.5 GiB`. */
export function formatBytes(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}
