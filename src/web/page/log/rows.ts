import { countRows } from "./columns.ts";

/** A row of the display: a whole line, or with wrapping a part of one, counted from 0. */
export interface Row {
  readonly line: number;
  readonly part: number;
}

/** Which rows the lines of a log take. All rows have the same height, so that any of them is found without layout. */
export interface RowIndex {
  readonly rows: number;
  /** Adds the next lines, as plain text. */
  append(lines: readonly string[]): void;
  at(row: number): Row;
  /** The first row of a line. */
  rowOf(line: number): number;
}

/** Creates the index of no lines. `width` is in columns; null for one row per line. */
export function createRowIndex(width: number | null): RowIndex {
  /** The number of rows up to and with each line. */
  const ends: number[] = [];
  let count = 0;
  if (width === null) {
    return {
      get rows() {
        return count;
      },
      append: (lines) => {
        count += lines.length;
      },
      at: (row) => ({ line: row, part: 0 }),
      rowOf: (line) => line,
    };
  }
  const rowOf = (line: number) => (line === 0 ? 0 : (ends[line - 1] ?? count));
  return {
    get rows() {
      return count;
    },
    append(lines) {
      for (const line of lines) {
        count += countRows(line, width);
        ends.push(count);
      }
    },
    at(row) {
      let low = 0;
      let high = ends.length - 1;
      while (low < high) {
        const middle = (low + high) >> 1;
        if ((ends[middle] ?? 0) > row) high = middle;
        else low = middle + 1;
      }
      return { line: low, part: row - rowOf(low) };
    },
    rowOf,
  };
}
