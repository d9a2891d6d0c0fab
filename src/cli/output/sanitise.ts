import { escapeInvisible } from "../../lib/text.ts";

/**
 * Text that others wrote (a branch name, a reason, a release's name) as it may be shown: on one line, and without
 * anything that a terminal obeys or that a reader's eye takes for something else.
 */
export function makePrintable(text: string): string {
  return escapeControls(escapeInvisible(text));
}

/**
 * A line of a command's output for a terminal: its colours stay, and end with it, so that they neither colour nor hide
 * what follows. Everything else that a terminal obeys is escaped.
 */
export function makeLinePrintable(line: string): string {
  const parts = line.split(COLOUR);
  const shown = parts.map((part, index) =>
    index % 2 === 1 ? part : part.split("\t").map(makePrintable).join("\t"),
  );
  const lastColour = parts.at(-2) ?? RESET;
  return shown.join("") + (lastColour === RESET ? "" : RESET);
}

/** A text of several lines for a terminal. */
export function makeTextPrintable(text: string): string {
  return text
    .split("\n")
    .map((line) => line.split("\t").map(makePrintable).join("\t"))
    .join("\n");
}

/** The sequences that only colour text (ECMA-48, "select graphic rendition"). */
const ESCAPE = String.fromCharCode(27);
const RESET = `${ESCAPE}[0m`;
const COLOUR = new RegExp(`(${ESCAPE}\\[[0-9;:]*m)`);

function escapeControls(text: string): string {
  return text.replace(/\p{Cc}/gu, (character) => JSON.stringify(character).slice(1, -1));
}

/** How many columns of a terminal a text takes: wide characters take two, marks none. */
export function measure(text: string): number {
  let columns = 0;
  for (const character of text) columns += widthOf(character);
  return columns;
}

/** The longest beginning of a text that takes at most so many columns. */
export function takeColumns(text: string, most: number): string {
  let columns = 0;
  let end = 0;
  for (const character of text) {
    columns += widthOf(character);
    if (columns > most) break;
    end += character.length;
  }
  return text.slice(0, end);
}

/** The text where it fits, else its beginning and an ellipsis. */
export function cutColumns(text: string, most: number): string {
  return measure(text) <= most ? text : `${takeColumns(text, Math.max(0, most - 1))}…`.slice(0, most);
}

const WIDE =
  /\p{Emoji_Presentation}|[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]/u;

function widthOf(character: string): number {
  if (character < "\u0300") return 1;
  if (/\p{M}/u.test(character)) return 0;
  return WIDE.test(character) ? 2 : 1;
}
