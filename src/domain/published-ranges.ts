import { isAddressRange, parseRange } from "../lib/ip-address.ts";

/** A list of address ranges that a provider publishes, by the provider's name. `allow` uses the same name. */
export type PublishedList = string;

/** The ranges of a list as they were published at a time. */
export interface PublishedRanges {
  readonly ranges: readonly string[];
  readonly at: Date;
}

/** The list of ranges from which a provider sends its deliveries. */
export interface RangesPublisher {
  /** The ranges to use until the list is downloaded. */
  readonly builtIn: PublishedRanges;
  /** Where the list is published, unless the configuration says otherwise. */
  readonly url: string;
  /** Rejects with an AppError `failed` when the download fails. */
  fetch(url: string, signal: AbortSignal): Promise<readonly string[]>;
}

/** The part of the store that holds published ranges. */
export interface PublishedRangesStore {
  /** Replaces the stored ranges of the list. */
  storeRanges(list: PublishedList, ranges: readonly string[], at: Date): Promise<void>;
  /** Null when none of the list are stored. */
  readRanges(list: PublishedList): Promise<PublishedRanges | null>;
}

/** The widest plausible networks: a shorter prefix would admit a large part of the internet. */
const MIN_PREFIX = { ipv4: 8, ipv6: 16 } as const;

/** Why published ranges cannot be right, completing "the list …"; null when they can. */
export function findRangesProblem(ranges: readonly string[]): string | null {
  if (ranges.length === 0) return "is empty";
  if (!ranges.every(isAddressRange)) return "contains something other than address ranges";
  const isTooWide = ranges.map(parseRange).some(([network, bits]) => bits < MIN_PREFIX[network.kind()]);
  return isTooWide ? "contains a range that is too wide" : null;
}
