import { words } from "../support/words.ts";

interface Result {
  readonly level: string;
  readonly text: string;
}

/** The results of a check as lines such as `warn TLS key …`. */
export const linesOf = (results: readonly Result[]) => results.map(({ level, text }) => `${level} ${text}`);

/** The levels of such lines. */
export const levelsOf = (lines: readonly string[]) => lines.map((line) => line.split(" ", 1)[0]);

/** Such lines with {@link words}, for a snapshot. */
export const wordsOf = (lines: readonly string[], replacements: Readonly<Record<string, string>> = {}) =>
  lines.map((line) => words(line, replacements));
