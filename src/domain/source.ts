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
  /** What senders of accepted deliveries get. */
  readonly answer: Answer;
  /** The addresses that may send requests; null for all. */
  readonly allow: AllowedSenders | null;
}

/** The response to an accepted delivery. */
export type Answer =
  /** The number of the delivery and its deployments, at once. */
  | { readonly kind: "receipt" }
  /** The results of its deployments, when they have ended or after this many milliseconds. */
  | { readonly kind: "wait"; readonly milliseconds: number }
  /** The same for every delivery. */
  | {
      readonly kind: "fixed";
      readonly status: number;
      readonly headers: Readonly<Record<string, string>>;
      readonly body: string;
    };

/** Addresses in one of the ranges, or in the current version of one of the published lists. */
export interface AllowedSenders {
  readonly ranges: readonly Range[];
  readonly published: readonly PublishedList[];
}
