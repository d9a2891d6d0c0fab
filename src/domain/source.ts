import type { Range } from "../lib/ip-address.ts";
import type { SourceHandler } from "./provider.ts";
import type { PublishedList } from "./published-ranges.ts";

/** An address that receives webhooks: a path, a provider, the checks a request must pass. */
export interface Source {
  readonly name: string;
  /** The provider's name. */
  readonly provider: string;
  /** The exact path on the public listener, such as `/github-webhook`. */
  readonly path: string;
  readonly handler: SourceHandler;
  /** Lower-case names of headers that are stored besides the provider's. None holds a credential. */
  readonly keepHeaders: readonly string[];
  /** Whether each accepted payload is written to standard output as one line of JSON. */
  readonly print: boolean;
  /** Whether a redelivery runs, or is a duplicate. */
  readonly onRedelivery: "run" | "skip";
  /** The addresses that may send requests; null for all. */
  readonly allow: AllowedSenders | null;
}

/** Addresses in one of the ranges, or in the current version of one of the published lists. */
export interface AllowedSenders {
  readonly ranges: readonly Range[];
  readonly published: readonly PublishedList[];
}
