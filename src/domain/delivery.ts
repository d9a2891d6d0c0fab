import type { Event } from "./event.ts";
import type { Decision } from "./match.ts";
import type { Source } from "./source.ts";

/** What became of a delivery: the `status` word of the answer that its sender got. */
export type DeliveryStatus = "pong" | "ok" | "skipped" | "success";

/** The word for a delivery: sources that admit clients have one word, signed ones tell what follows. */
export function chooseStatus(source: Source, event: Event, decisions: readonly Decision[]): DeliveryStatus {
  if (source.dialect.handshake !== null) return "success";
  if (event.kind === "ping") return "pong";
  return decisions.some((decision) => decision.deploy) ? "ok" : "skipped";
}

/** One webhook request that passed its source's checks, before the store gave it a number. */
export interface NewDelivery {
  readonly source: string;
  /** The kind of event it told. */
  readonly event: Event["kind"];
  readonly status: DeliveryStatus;
  /** Why nothing, or not everything, was deployed; null where there is nothing to explain. */
  readonly reason: string | null;
  readonly receivedAt: Date;
  /** The sender's normalised address. */
  readonly client: string;
  /** The sender's own id of the delivery. */
  readonly providerId: string | null;
  /** Only headers that are named in `KEPT_HEADERS` or by the provider. */
  readonly headers: Readonly<Record<string, string>>;
  /** The body's bytes as they came. */
  readonly body: Uint8Array;
  readonly decisions: readonly Decision[];
}

/** A delivery as it is kept. */
export interface Delivery extends NewDelivery {
  readonly id: number;
  /** The deployments it asked for, oldest first. */
  readonly deployments: readonly number[];
}

/** Headers kept of every delivery. A list by name, because forges have sent secrets in headers. */
export const KEPT_HEADERS: readonly string[] = ["content-type", "user-agent", "x-request-id"];

/** What of a request's headers is kept, cut at a length no honest sender reaches. */
export function keepHeaders(headers: Headers, providerOwn: readonly string[]): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const name of [...KEPT_HEADERS, ...providerOwn]) {
    const value = headers.get(name);
    if (value !== null) kept[name] = value.slice(0, 1024);
  }
  return kept;
}

/** The store's part that keeps deliveries. */
export interface DeliveryStore {
  /**
   * Keeps the delivery and queues a deployment for each decision that deploys, in one commit that is on disk
   * before it resolves. A deployment of the same target that was still waiting becomes `superseded`.
   * Rejects with a {@link Fault} `unavailable` when it cannot be kept; then nothing of it is.
   */
  accept(delivery: NewDelivery, pushedCommit: string | null): Promise<Receipt>;
  readDelivery(id: number): Promise<Delivery | null>;
}

/** Proof that a delivery is kept. */
export interface Receipt {
  readonly delivery: number;
  readonly deployments: readonly { readonly id: number; readonly target: string }[];
}
