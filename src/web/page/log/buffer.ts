import { countColumns } from "./columns.ts";
import { createRowIndex, type RowIndex } from "./rows.ts";
import { plainText } from "./sgr.ts";

/** Columns of an unwrapped line that are shown. Wrapped lines are shown whole. */
export const MAX_COLUMNS = 2_000;

/** The received lines of a log and their rows on the page. */
export interface LogBuffer {
  /** As received, with escape sequences. */
  readonly raw: readonly string[];
  /** As shown. */
  readonly plain: readonly string[];
  /** The columns of the widest line, at most {@link MAX_COLUMNS}. */
  readonly columns: number;
  readonly index: RowIndex;
  append(lines: readonly string[]): void;
  /** Wraps lines at a width in columns; null does not wrap. */
  wrapAt(width: number | null): void;
}

/** Creates a buffer without lines. */
export function createLogBuffer(): LogBuffer {
  const raw: string[] = [];
  const plain: string[] = [];
  let columns = 0;
  let width: number | null = null;
  let index = createRowIndex(null);
  return {
    raw,
    plain,
    get columns() {
      return columns;
    },
    get index() {
      return index;
    },
    append(lines) {
      const added = lines.map(plainText);
      for (const line of lines) raw.push(line);
      for (const line of added) {
        plain.push(line);
        if (columns < MAX_COLUMNS) columns = Math.min(MAX_COLUMNS, Math.max(columns, countColumns(line)));
      }
      index.append(added);
    },
    wrapAt(next) {
      if (next === width) return;
      width = next;
      index = createRowIndex(next);
      index.append(plain);
    },
  };
}
