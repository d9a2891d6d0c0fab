import { escapeInvisible } from "./printable.ts";

/** Longer than this, nobody reads on. */
const MAX_LENGTH = 500;

/** Text of unknown origin as one visible line of at most `limit` UTF-16 units. */
export function oneLine(text: string, limit: number = MAX_LENGTH): string {
  const line = escapeInvisible(text.replaceAll(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, " ").trim());
  if (line.length <= limit) return line;
  // A character outside the basic plane is two units, of which neither stands alone.
  return `${line.slice(0, limit - 1).replace(/[\ud800-\udbff]$/, "")}…`;
}
