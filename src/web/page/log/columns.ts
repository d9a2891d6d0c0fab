import type { Span } from "./sgr.ts";

const ASCII = /^[ -~]*$/;

/** Characters that take two columns: East Asian wide and fullwidth forms, and emoji. */
const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\u33ff\u3400-\u4dbf\u4e00-\u9fff\ua000-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{20000}-\u{3fffd}]|\p{Emoji_Presentation}/u;

/** Characters that take none: they combine with the one before. */
const COMBINING = /[\p{Mn}\p{Me}]/u;

/** The widths of the characters that occurred, because patterns take long for each character of a large log. */
const widths = new Map<string, number>();
const MAX_WIDTHS = 10_000;

function widthOf(character: string): number {
  if (character < "\u0300") return 1;
  const known = widths.get(character);
  if (known !== undefined) return known;
  const width = COMBINING.test(character) ? 0 : WIDE.test(character) ? 2 : 1;
  if (widths.size < MAX_WIDTHS) widths.set(character, width);
  return width;
}

/** The columns that a text takes in a font of fixed width. */
export function countColumns(text: string): number {
  if (ASCII.test(text)) return text.length;
  let columns = 0;
  for (const character of text) columns += widthOf(character);
  return columns;
}

/** The rows of `width` columns that a text takes, at least one. */
export function countRows(text: string, width: number): number {
  if (ASCII.test(text)) return Math.max(1, Math.ceil(text.length / width));
  return breaksOf(text, width).length;
}

/** The offsets in a text, in UTF-16 units, at which its rows start. */
export function breaksOf(text: string, width: number): readonly number[] {
  const breaks = [0];
  let columns = 0;
  let offset = 0;
  for (const character of text) {
    const own = widthOf(character);
    if (columns + own > width && columns > 0) {
      breaks.push(offset);
      columns = 0;
    }
    columns += own;
    offset += character.length;
  }
  return breaks;
}

/** A part of a line between two offsets, with marks for the given ranges (of `marks`, the current one is `current`). */
export function sliceSpans(
  spans: readonly Span[],
  from: number,
  to: number,
  marks: readonly Mark[] = [],
): readonly MarkedSpan[] {
  const parts: MarkedSpan[] = [];
  let offset = 0;
  for (const { text, style } of spans) {
    const end = offset + text.length;
    const edges = marks.flatMap((mark) => [mark.from, mark.to]).filter((edge) => edge > offset && edge < end);
    let start = Math.max(offset, from);
    const stop = Math.min(end, to);
    for (const edge of [...edges, stop]) {
      if (edge <= start || edge > stop) continue;
      const mark = marks.find((each) => each.from <= start && each.to >= edge);
      const part = text.slice(start - offset, edge - offset);
      parts.push({
        text: part,
        style,
        mark: mark === undefined ? null : mark.isCurrent ? "current" : "other",
      });
      start = edge;
    }
    offset = end;
    if (offset >= to) break;
  }
  return parts;
}

/** A range of a line that a search found. */
export interface Mark {
  readonly from: number;
  readonly to: number;
  readonly isCurrent: boolean;
}

/** A part of a row with one style. */
export interface MarkedSpan extends Span {
  readonly mark: "current" | "other" | null;
}
