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

/** Sequences that only set colours and styles (ECMA-48, 8.3.117, "select graphic rendition"). */
const COLOUR = new RegExp(`(${ESCAPE}\\[[0-9;:]*m)`);

/**
 * Escapes a line of a command's output for a terminal. Its colours stay, but are reset at the end of the line so that
 * they cannot hide later lines. Text that a command conceals is shown.
 */
export function makeLinePrintable(line: string): string {
  const parts = line.split(COLOUR);
  const shown = parts.map((part, index) => (index % 2 === 1 ? removeConceal(part) : makeTextPrintable(part)));
  const lastColour = shown.at(-2) ?? RESET;
  return shown.join("") + (lastColour === RESET ? "" : RESET);
}

/** Removes the style "concealed" (8), which hides text. The 8 of a colour, as in `38;5;8`, stays. */
function removeConceal(sequence: string): string {
  const parameters = sequence.slice(2, -1).split(";");
  const kept: string[] = [];
  for (let at = 0; at < parameters.length; ) {
    const isColour = /^[345]8$/.test(parameters[at] ?? "");
    const length = isColour ? (COLOUR_LENGTHS[parameters[at + 1] ?? ""] ?? 1) : 1;
    if (length > 1 || Number(parameters[at]) !== 8) kept.push(...parameters.slice(at, at + length));
    at += length;
  }
  return kept.length === 0 ? "" : `${ESCAPE}[${kept.join(";")}m`;
}

/** How many parameters set a colour by number or as red, green and blue, by the second one (ISO 8613-6). */
const COLOUR_LENGTHS: Readonly<Record<string, number>> = { 5: 3, 2: 5 };
