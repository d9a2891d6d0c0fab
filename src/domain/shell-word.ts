/** A text as one word of a POSIX shell, whatever is in it (POSIX, "Single-Quotes"). */
export function quoteForShell(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
