import { escapeInvisible } from "../../lib/text.ts";

/**
 * Escapes untrusted text (a branch name, a reason) for one line of output: control characters, and characters that a
 * reader would misread.
 */
export function makePrintable(text: string): string {
  return escapeInvisible(text).replace(/\p{Cc}/gu, (character) => JSON.stringify(character).slice(1, -1));
}

/** Escapes untrusted text of several lines. Newlines and tabs stay. */
export function makeTextPrintable(text: string): string {
  return text.replace(/[^\n\t]+/g, makePrintable);
}

const ESCAPE = String.fromCharCode(27);
const RESET = `${ESCAPE}[0m`;

/** Sequences that only set colours (ECMA-48, "select graphic rendition"). */
const COLOUR = new RegExp(`(${ESCAPE}\\[[0-9;:]*m)`);

/**
 * Escapes a line of a command's output for a terminal. Its colours stay, but are reset at the end of the line so that
 * they cannot hide later lines.
 */
export function makeLinePrintable(line: string): string {
  const parts = line.split(COLOUR);
  const shown = parts.map((part, index) => (index % 2 === 1 ? part : makeTextPrintable(part)));
  const lastColour = parts.at(-2) ?? RESET;
  return shown.join("") + (lastColour === RESET ? "" : RESET);
}
