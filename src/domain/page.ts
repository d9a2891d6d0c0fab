/** One page of a list, newest first. */
export interface Page<Item> {
  readonly items: readonly Item[];
  /** The next page has the items before this id; null on the last page. */
  readonly next: number | null;
}

/** Which part of a list to read. */
export interface PageRange {
  /** From 1 to {@link MAX_PAGE}. */
  readonly limit: number;
  /** Only items with a lower id; null starts with the newest. */
  readonly before: number | null;
}

/** The most items of a page. */
export const MAX_PAGE = 500;

/** The number of items of a page where a request does not say. */
export const DEFAULT_PAGE = 50;
