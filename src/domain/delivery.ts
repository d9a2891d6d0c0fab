import type { Deployment, DeploymentState } from "./deployment.ts";
import type { Event } from "./event.ts";
import type { Decision } from "./match.ts";
import type { Page, PageRange } from "./page.ts";
import type { Source } from "./source.ts";

/** Every word for what became of a delivery that is kept. */
export const DELIVERY_STATUSES = ["pong", "ok", "skipped", "success"] as const;

/** What became of a delivery that is kept: the `status` word of the answer that its sender got. */
export type DeliveryStatus = (typeof DELIVERY_STATUSES)[number];

/** The word for a delivery: some dialects have one for all, others tell what follows. */
export function chooseStatus(source: Source, event: Event, deploys: boolean): DeliveryStatus {
  if (source.handler.answersSuccess) return "success";
  if (event.kind === "ping") return "pong";
  return deploys ? "ok" : "skipped";
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
  /** How it is known again; null where each delivery stands for itself. */
  readonly identity: DeliveryIdentity | null;
  /** Only headers that are named in `KEPT_HEADERS` or by the provider. */
  readonly headers: Readonly<Record<string, string>>;
  /** The body's bytes as they came. */
  readonly body: Uint8Array;
  readonly decisions: readonly Decision[];
}

/** Reads a delivery's number, a whole one from 1; null for any other text. */
export function parseDeliveryId(text: string): number | null {
  return /^[1-9]\d{0,15}$/.test(text) ? Number(text) : null;
}

/** A delivery as it is kept. */
export interface Delivery extends NewDelivery {
  readonly id: number;
  /** The first delivery with the same id from the same hook, when somebody had it sent again. */
  readonly redeliveryOf: number | null;
  /** The delivery that a person had run again from what is kept. */
  readonly replayOf: number | null;
  /** The deployments it asked for, oldest first. */
  readonly deployments: readonly number[];
}

/** A kept delivery in a list: without its body, and with what became of the deployments it asked for. */
export interface DeliverySummary extends Omit<Delivery, "body"> {
  readonly outcomes: readonly DeploymentOutcome[];
}

/** What became of a deployment, in short. */
export interface DeploymentOutcome {
  readonly deployment: number;
  readonly target: string;
  readonly state: DeploymentState;
  readonly reason: string | null;
}

/** Which deliveries a list has. */
export interface DeliveryFilter {
  readonly source: string | null;
  readonly status: DeliveryStatus | null;
  /** Only those that are about this target: they asked for a deployment of it, or are among its `undeployed`. */
  readonly target: string | null;
}

/** Headers kept of every delivery. A list by name, because forges have sent secrets in headers. */
export const STORED_HEADERS: readonly string[] = ["content-type", "user-agent", "x-request-id"];

/** What of a request's headers is kept, cut at a length no honest sender reaches. */
export function selectHeaders(headers: Headers, providerOwn: readonly string[]): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const name of [...STORED_HEADERS, ...providerOwn]) {
    const value = headers.get(name);
    if (value !== null) kept[name] = value.slice(0, 1024);
  }
  return kept;
}

/** What the store needs to know of a delivery besides itself. */
export interface AcceptOptions {
  /** The commit that was pushed, for its deployments. */
  readonly pushedCommit: string | null;
  /** What the same delivery, sent again on purpose, does. */
  readonly onRedelivery: "run" | "skip";
  /** Whether it is compared with earlier ones; one that is not (a ping, say) can still be the first of others. */
  readonly detectDuplicates: boolean;
  /** The delivery that this one is run again from; null for one that came over the wire. */
  readonly replayOf: number | null;
  /** Targets that would be deployed if they were not locked: unlocking does it. */
  readonly blockedByLock: readonly string[];
  /** Targets that it is about and does not deploy, those held back among them: the list of such a target has it. */
  readonly notDeployed: readonly string[];
}

/** The store's part that keeps deliveries. */
export interface DeliveryStore {
  /**
   * Keeps the delivery and queues a deployment for each decision that deploys, in one commit that is on disk
   * before it resolves. A deployment of the same target that was still waiting becomes `superseded`.
   *
   * A delivery with an identity that is to be compared, and is not run again from another, is first compared with
   * those of its source that are kept:
   * - its body came before under another id: a replay, `duplicate` of the first with that body;
   * - its id came before from the same hook: a redelivery, kept as one and run with that trigger, or with
   *   `onRedelivery: "skip"` a `duplicate`;
   * - its id came before from another hook: the same event twice, `duplicate`.
   * Of two that come at the same moment one is the first.
   *
   * Rejects with a {@link Fault} `unavailable` when it cannot be kept, or when too much waits to be; then
   * nothing of it is.
   */
  accept(delivery: NewDelivery, options: AcceptOptions): Promise<AcceptResult>;
  readDelivery(id: number): Promise<Delivery | null>;
  /** What became of the deployments that a delivery asked for, oldest first. */
  readOutcomes(delivery: number): Promise<readonly DeploymentOutcome[]>;
  /** Newest first. */
  listDeliveries(filter: DeliveryFilter, range: PageRange): Promise<Page<DeliverySummary>>;
}

/** What became of a delivery in the store. */
export type AcceptResult =
  | ({ readonly kind: "kept" } & Receipt)
  /** Nothing of it was kept; `delivery` is the number of the one that came first. */
  | { readonly kind: "duplicate"; readonly delivery: number };

/** Proof that a delivery is kept. */
export interface Receipt {
  readonly delivery: number;
  /** Those it asked for, as they wait. */
  readonly deployments: readonly Deployment[];
  /** Those of the same targets that waited until then, now `superseded`. */
  readonly superseded: readonly Deployment[];
  readonly redeliveryOf: number | null;
}

/**
 * What tells whether a delivery came before. Ids and hooks are headers, which nobody signs; the body is signed,
 * so a body that came before under another id is a replay.
 */
export interface DeliveryIdentity {
  /** The sender's own id of the delivery; null when it gave none. */
  readonly id: string | null;
  /** The webhook that it came through; null when the sender does not say. */
  readonly hook: string | null;
}
