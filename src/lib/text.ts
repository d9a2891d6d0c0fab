import { closest, distance } from "fastest-levenshtein";

/** Longer than this, nobody reads on. */
const MAX_LENGTH = 500;

/** Text of unknown origin as one visible line of at most `limit` UTF-16 units. */
export function toOneLine(text: string, limit: number = MAX_LENGTH): string {
  const line = escapeInvisible(text.replaceAll(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, " ").trim());
  if (line.length <= limit) return line;
  // A character outside the basic plane is two units, of which neither stands alone.
  return `${line.slice(0, limit - 1).replace(/[\ud800-\udbff]$/, "")}…`;
}

/**
 * Escapes what a terminal or a reader's eye would take for something else: C1 controls, zero-width and
 * bidirectional characters (a branch name may hold U+202E) and the Unicode line separators. Inside a JSON
 * string the escapes mean the same characters.
 */
export function escapeInvisible(text: string): string {
  return text.replace(
    /[\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/**
 * Puts valid JSON on one line that is safe to print. Nothing is parsed: numbers beyond 2^53, repeated keys and
 * the keys' order stay as they were sent.
 */
export function toOneLineJson(json: string): string {
  return escapeInvisible(json.replace(/("(?:[^"\\]|\\.)*")|[ \t\r\n]+/g, "$1"));
}

/** The known word that comes nearest to one that is not known. */
export interface Nearest {
  readonly word: string;
  /** Whether it is so near that it was probably meant. */
  readonly isLikely: boolean;
}

/**
 * What was probably meant by a word that is not among the known ones, of which there is at least one: what it is
 * short for, else what it misspells by two slips or a third of a long word, else what it makes longer. More would be
 * guessing. Case counts for nothing.
 */
export function findNearest(written: string, known: readonly string[]): Nearest {
  const text = written.toLowerCase();
  const plain = known.map((word) => word.toLowerCase());
  const pick = (words: readonly string[]) => closest(text, [...words]);
  const among = (words: readonly string[]) => (words.length === 0 ? undefined : pick(words));
  const misspelt = pick(plain);
  const found =
    among(text === "" ? [] : plain.filter((word) => word.startsWith(text))) ??
    (distance(text, misspelt) <= Math.max(2, Math.floor(text.length / 3)) ? misspelt : undefined) ??
    among(plain.filter((word) => text.startsWith(word)));
  return { word: known[plain.indexOf(found ?? misspelt)] ?? "", isLikely: found !== undefined };
}

/** A text as one word of a POSIX shell, whatever is in it (POSIX, "Single-Quotes"). */
export function quoteForShell(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** A commit as people read it: its first 12 hex digits. */
export function shortenCommit(commit: string): string {
  return commit.slice(0, 12);
}
