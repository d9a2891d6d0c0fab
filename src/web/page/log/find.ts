/** A place where a search text occurs. */
export interface Match {
  readonly line: number;
  readonly from: number;
  readonly to: number;
}

/** More matches are not counted. */
export const MAX_MATCHES = 10_000;

/** Finds a text in lines without regard to case, in order. */
export function findMatches(lines: readonly string[], text: string): readonly Match[] {
  const wanted = text.toLowerCase();
  const matches: Match[] = [];
  if (wanted === "") return matches;
  for (const [line, content] of lines.entries()) {
    const lower = content.toLowerCase();
    // The offsets of a text whose length changes with its case would be wrong.
    const searched = lower.length === content.length ? lower : content;
    for (let at = searched.indexOf(wanted); at >= 0; at = searched.indexOf(wanted, at + wanted.length)) {
      matches.push({ line, from: at, to: at + wanted.length });
      if (matches.length === MAX_MATCHES) return matches;
    }
  }
  return matches;
}
