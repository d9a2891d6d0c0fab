import { type LogBuffer, MAX_COLUMNS } from "./buffer.ts";
import { breaksOf, type Mark, sliceSpans } from "./columns.ts";
import type { Match } from "./find.ts";
import { parseLine } from "./sgr.ts";

/** The rows from `first` up to `last`. */
export interface RowsOptions {
  readonly buffer: LogBuffer;
  readonly first: number;
  readonly last: number;
  readonly digits: number;
  /** Columns of a wrapped row; null without wrapping. */
  readonly width: number | null;
  readonly matches: readonly Match[];
  readonly chosen: Match | null;
}

/** Renders some rows of a log, with the matches of a search. */
export function Rows({ buffer, first, last, digits, width, matches, chosen }: RowsOptions) {
  return (
    <>
      {Array.from({ length: Math.max(0, last - first) }, (_, at) => {
        const { line, part } = buffer.index.at(first + at);
        const breaks = width === null ? [0] : breaksOf(buffer.plain[line] ?? "", width);
        const end = breaks[part + 1] ?? (width === null ? MAX_COLUMNS : Number.POSITIVE_INFINITY);
        const marks = marksOf(matches, line, chosen);
        return (
          <div class="log-row" key={first + at}>
            <span class="log-number" aria-hidden="true" style={{ width: `${digits}ch` }}>
              {part === 0 ? line + 1 : ""}
            </span>
            <code>
              {sliceSpans(parseLine(buffer.raw[line] ?? ""), breaks[part] ?? 0, end, marks).map(
                (span, key) =>
                  span.mark === null ? (
                    <span key={key} class={span.style || undefined}>
                      {span.text}
                    </span>
                  ) : (
                    <mark key={key} class={span.mark}>
                      {span.text}
                    </mark>
                  ),
              )}
              {width === null && (buffer.plain[line]?.length ?? 0) > MAX_COLUMNS && (
                <span class="sgr-dim"> … wrap to see the rest</span>
              )}
            </code>
          </div>
        );
      })}
    </>
  );
}

/** The matches are sorted by line: finds those of one line. */
function marksOf(matches: readonly Match[], line: number, chosen: Match | null): readonly Mark[] {
  let low = 0;
  let high = matches.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((matches[middle]?.line ?? 0) < line) low = middle + 1;
    else high = middle;
  }
  const marks: Mark[] = [];
  for (let at = low; matches[at]?.line === line; at += 1) {
    const match = matches[at];
    if (match !== undefined) marks.push({ from: match.from, to: match.to, isCurrent: match === chosen });
  }
  return marks;
}
