import { isAddressRange, parseRange } from "../lib/ip-address.ts";

/** A list of address ranges that somebody else publishes, by the name that `allow` has for it. */
export type PublishedList = "github";

/** Every list there is. */
export const PUBLISHED_LISTS: readonly PublishedList[] = ["github"];

/** The ranges of a list as they were published at a time. */
export interface PublishedRanges {
  readonly ranges: readonly string[];
  readonly at: Date;
}

/** The store's part that keeps published ranges over restarts. */
export interface PublishedRangesStore {
  /** Keeps the ranges in place of those that are kept of the list. */
  keepRanges(list: PublishedList, ranges: readonly string[], at: Date): Promise<void>;
  /** Null when none of the list are kept. */
  readRanges(list: PublishedList): Promise<PublishedRanges | null>;
}

/** No publisher of a list has a network with fewer leading bits: one of these would let half the world in. */
const FEWEST_BITS = { ipv4: 8, ipv6: 16 } as const;

/** Why ranges that were published cannot be meant; null when they can. Completes "the list …". */
export function findRangesProblem(ranges: readonly string[]): string | null {
  if (ranges.length === 0) return "is empty";
  if (!ranges.every(isAddressRange)) return "holds something that is no range of addresses";
  const isAbsurd = ranges.map(parseRange).some(([network, bits]) => bits < FEWEST_BITS[network.kind()]);
  return isAbsurd ? "holds a range that is too wide to be meant" : null;
}
