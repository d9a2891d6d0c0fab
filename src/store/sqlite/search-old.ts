/** A row that may be removed when its time is before a certain one. */
export interface Aging {
  readonly id: number;
  /** In Unix milliseconds. */
  readonly time: number;
  /** What removing it writes, in bytes, where that can be much. */
  readonly size: number;
}

/** What a search found. */
export interface Found {
  readonly old: readonly number[];
  /** The id from which on all rows are young; null when the search ended before, or where there are none. */
  readonly youngFrom: number | null;
}

/**
 * Ids grow with time, so what is old ends where the young begin. Only so many young ones in a row are that
 * beginning: fewer may have come while the clock was wrong.
 */
const BEGINNING = 256;

/** One search takes rows of at most so many bytes together, or a single larger one. */
const MOST_BYTES = 8 * 1024 * 1024;

/** Reads rows in the order of their ids, only as far as it has to, and finds at most `limit` from before `before`. */
export function searchOld(rows: Iterable<Aging>, before: Date, limit: number): Found {
  const old: number[] = [];
  let bytes = 0;
  let young = 0;
  let youngFrom: number | null = null;
  for (const { id, time, size } of rows) {
    if (time >= before.getTime()) {
      youngFrom ??= id;
      young += 1;
      if (young === BEGINNING) break;
      continue;
    }
    bytes += size;
    if (old.length === limit || (old.length > 0 && bytes > MOST_BYTES)) return { old, youngFrom: null };
    old.push(id);
    young = 0;
    youngFrom = null;
  }
  return { old, youngFrom };
}
