import type { Page, PageRange } from "../domain/page.ts";

/** A range as the values of a query. Its limit is one more than the page's, which shows whether a page follows. */
export type RangeValues = { before: number; limit: number };

/** The values of a query `id < $before ORDER BY id DESC LIMIT $limit`. */
export function toRangeValues({ before, limit }: PageRange): RangeValues {
  return { before: before ?? Number.MAX_SAFE_INTEGER, limit: limit + 1 };
}

/** The page of a range, from the rows of the query. */
export function toPage<Row extends { readonly id: number }, Item>(
  rows: readonly Row[],
  { limit }: PageRange,
  toItem: (row: Row) => Item,
): Page<Item> {
  const shown = rows.slice(0, limit);
  return {
    items: shown.map(toItem),
    next: rows.length > shown.length ? (shown.at(-1)?.id ?? null) : null,
  };
}
