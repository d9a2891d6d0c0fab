import { isAddressRange, parseRange } from "../lib/ip-address.ts";

/** A list of address ranges that a provider publishes, by the provider's name. `allow` uses the same name. */
export type PublishedList = string;

/** The ranges of a list as they were published at a time. */
export interface PublishedRanges {
  readonly ranges: readonly string[];
  readonly at: Date;
}

/** The list of ranges that a provider publishes for its deliveries. */
export interface RangesPublisher {
  /** The ranges to use until the list is downloaded. */
  readonly builtIn: PublishedRanges;
  /** Where the list is published, unless the configuration says otherwise. */
  readonly url: string;
  /** Downloads the ranges. Rejects with an AppError `failed` when that fails. */
  fetch(url: string, signal: AbortSignal): Promise<readonly string[]>;
}

/** The store's part that keeps published ranges over restarts. */
export interface PublishedRangesStore {
  /** Replaces the stored ranges of the list. */
  keepRanges(list: PublishedList, ranges: readonly string[], at: Date): Promise<void>;
  /** Null when none of the list are stored. */
  readRanges(list: PublishedList): Promise<PublishedRanges | null>;
}

/** The widest networks that a publisher can have: a shorter prefix would admit a large part of the internet. */
const MIN_PREFIX = { ipv4: 8, ipv6: 16 } as const;

/** Why published ranges cannot be right; null when they can. Completes "the list …". */
export function findRangesProblem(ranges: readonly string[]): string | null {
  if (ranges.length === 0) return "is empty";
  if (!ranges.every(isAddressRange)) return "holds something other than address ranges";
  const isTooWide = ranges.map(parseRange).some(([network, bits]) => bits < MIN_PREFIX[network.kind()]);
  return isTooWide ? "holds a range that is too wide" : null;
}
