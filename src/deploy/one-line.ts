/** Longer than this, a reason is no longer read. */
const MAX_LENGTH = 500;

/** Text of unknown origin as one line without control characters, cut at a length that people still read. */
export function oneLine(text: string): string {
  const line = text.replaceAll(/\p{Cc}+/gu, " ").trim();
  return line.length > MAX_LENGTH ? `${line.slice(0, MAX_LENGTH)}…` : line;
}
