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
  /** The provider with this source's own secrets and settings in it. */
  readonly handler: SourceHandler;
  /** Whether each accepted payload is written to standard output as one line of JSON. */
  readonly print: boolean;
  /** What the same delivery, sent again on purpose, does: runs again, or nothing. */
  readonly onRedelivery: "run" | "skip";
  /** From where requests may come at all; null for anywhere. */
  readonly allow: AllowedSenders | null;
}

/** Addresses that may send to a source: those in a range, and those in a list as it is published now. */
export interface AllowedSenders {
  readonly ranges: readonly Range[];
  readonly published: readonly PublishedList[];
}
