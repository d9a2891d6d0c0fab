import { escapeInvisible } from "../domain/printable.ts";

/** Longer than this, nobody reads on. */
const MAX_LENGTH = 400;

/** Text of unknown origin as one visible line, cut at a length that people still read. */
export function oneLine(text: string): string {
  const line = escapeInvisible(text.replaceAll(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, " ").trim());
  return line.length > MAX_LENGTH ? `${line.slice(0, MAX_LENGTH).replace(/[\ud800-\udbff]$/, "")}…` : line;
}
