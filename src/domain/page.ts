/** One page of a list, newest first. */
export interface Page<Item> {
  readonly items: readonly Item[];
  /** Ask for the page before this id for what follows; null when nothing does. */
  readonly next: number | null;
}

/** Which part of a list is wanted. */
export interface PageRange {
  /** From 1 to {@link MAX_PAGE}. */
  readonly limit: number;
  /** Only items with a smaller id; null starts with the newest. */
  readonly before: number | null;
}

/** How many items a page has at most. */
export const MAX_PAGE = 500;

/** How many items a page has when nobody says. */
export const DEFAULT_PAGE = 50;
