import type { CiResult } from "./ci.ts";
import type { Choice, Deployment, Trigger } from "./deployment.ts";
import type { ResultParts } from "./deployment-result.ts";
import type { CiEvent, Event } from "./event.ts";
import type { Decision } from "./match.ts";
import type { Page, PageRange } from "./page.ts";
import type { Placement } from "./target.ts";

/**
 * The status of a stored delivery: the `status` word of the response to its sender. One that is `held` by a lock becomes
 * `ok` when it is deployed after the lock, and `skipped` when something newer is.
 */
export const DELIVERY_STATUSES = ["pong", "ok", "held", "skipped", "success"] as const;

export type DeliveryStatus = (typeof DELIVERY_STATUSES)[number];

/** Some providers have one status for every delivery. For the others it says whether the delivery deploys. */
export function chooseStatus(
  source: { readonly handler: { readonly answersSuccess: boolean } },
  event: Event,
  decisions: readonly Pick<Decision, "deploy" | "code">[],
): DeliveryStatus {
  if (source.handler.answersSuccess) return "success";
  if (event.kind === "ping") return "pong";
  if (decisions.some(({ deploy }) => deploy)) return "ok";
  return decisions.some(({ code }) => code === "locked") ? "held" : "skipped";
}

/** One webhook request that passed its source's checks, before the store gives it an id. */
export interface NewDelivery {
  readonly source: string;
  readonly event: Event["kind"];
  /** The provider's name of the event and its action, such as `release` and `published`; null where it has none. */
  readonly eventName: string | null;
  readonly action: string | null;
  readonly status: DeliveryStatus;
  /** The `reason` of the response: why some target is not deployed; null where nothing needs explaining. */
  readonly reason: string | null;
  readonly receivedAt: Date;
  /** The sender's normalised address. */
  readonly client: string;
  /** Null where the provider's deliveries are not compared. */
  readonly identity: DeliveryIdentity | null;
  /** Only the headers in {@link STORED_HEADERS}, and those that the provider and the source name. */
  readonly headers: Readonly<Record<string, string>>;
  /** The body's bytes as received. */
  readonly body: Uint8Array;
  /** The decisions of the targets that the event is about, in the configuration's order. */
  readonly decisions: readonly Decision[];
  /** How many other targets listen to the source. */
  readonly otherTargets: number;
}

/**
 * Identifies a repeated delivery. Most senders sign the body and not the id, so that a body that arrives again under
 * another id is a replay; see {@link RepeatedBody}.
 */
export interface DeliveryIdentity {
  /** The sender's own id of the delivery; null when it sent none. */
  readonly id: string | null;
  /** The webhook that sent the delivery; null when the sender does not say. */
  readonly hook: string | null;
}

/** What a body is that arrives again under another id, or without one. */
export type RepeatedBody = "duplicate" | "redelivery" | "new";

/** Reads a delivery's id, a whole number from 1; null for any other text. */
export function parseDeliveryId(text: string): number | null {
  return /^[1-9]\d{0,15}$/.test(text) ? Number(text) : null;
}

/** A stored delivery. */
export interface Delivery extends NewDelivery {
  readonly id: number;
  /** The first delivery with the same id from the same hook, when the sender sent it again. */
  readonly redeliveryOf: number | null;
  /** The delivery that a person replayed as this one. */
  readonly replayOf: number | null;
  /** The ids of the deployments that it queued, oldest first. */
  readonly deployments: readonly number[];
}

/** A delivery in a list: without its body, with the outcomes of its deployments. */
export interface DeliverySummary extends Omit<Delivery, "body"> {
  readonly outcomes: readonly DeploymentOutcome[];
}

/** The outcome of one of a delivery's deployments. */
export interface DeploymentOutcome extends ResultParts, Pick<Deployment, "state"> {
  readonly deployment: number;
}

/** Which deliveries a list shows. Null does not filter. */
export interface DeliveryFilter {
  readonly source: string | null;
  readonly status: DeliveryStatus | null;
  /** Only deliveries that are about this target: one of their decisions is the target's. */
  readonly target: string | null;
}

/** Headers stored with every delivery. Listed by name, because forges have sent secrets in other headers. */
export const STORED_HEADERS: readonly string[] = ["content-type", "user-agent", "x-request-id"];

/**
 * The headers of a request that are stored, each cut to 1,024 characters.
 *
 * @param credentials lower-case names of headers that are not, whatever else names them.
 */
export function selectHeaders(
  headers: Headers,
  further: readonly string[],
  credentials: readonly string[],
): Record<string, string> {
  const selected: Record<string, string> = {};
  for (const name of [...STORED_HEADERS, ...further]) {
    const value = headers.get(name);
    if (value !== null && !credentials.includes(name)) selected[name] = value.slice(0, 1024);
  }
  return selected;
}

/** How the store treats a delivery. */
export interface AcceptOptions {
  /** The pushed commit that the decision about a target refers to; null when there is none. */
  readonly commitOf: (target: string) => string | null;
  /** Why a target is deployed, and what, unless the delivery repeats another. By default a push, and the tip. */
  readonly causeOf?: (target: string) => DeploymentCause;
  /** The result of CI that the delivery reports; none by default. */
  readonly ci?: CiEvent | null;
  /** What a known body under another id is. */
  readonly repeatedBody: RepeatedBody;
  /** Whether a redelivery runs, or is a duplicate. */
  readonly onRedelivery: "run" | "skip";
  /** Whether the delivery is compared with earlier ones. Later ones are compared with it in any case. */
  readonly detectDuplicates: boolean;
  /** The delivery that is replayed; null for a delivery from the network. */
  readonly replayOf: number | null;
  /** The targets with `queue = "all"`: each of their deployments waits for its turn. None by default. */
  readonly queueAll?: readonly string[];
  /** Where a target is deployed; by default on this host only. */
  readonly placementOf?: (target: string) => Placement;
}

/** The cause of a deployment that a delivery requests. */
export interface DeploymentCause {
  readonly trigger: Extract<Trigger, "push" | "ci" | "release" | "event">;
  readonly choice: Choice | null;
}

/** The cause of a deployment by default. */
export const PUSHED: DeploymentCause = { trigger: "push", choice: null };

/** The part of the store that holds deliveries. */
export interface DeliveryStore {
  /**
   * Stores the delivery and queues a deployment for each decision that deploys, on each host of its placement, in one
   * commit that is on disk before this resolves. A queued deployment of the same target and host becomes `superseded`,
   * unless the target is in `queueAll`. When {@link MAX_QUEUED} of such a target wait, nothing is stored. Where a decision's code is `locked`,
   * the target's lock records the delivery, and unlocking deploys it. Where the
   * target is locked and the caller did not know of it yet, a deployment is queued, and waits for the end of the lock.
   *
   * A delivery that has an identity and is not a replay is first compared with the stored deliveries of its source:
   * - its body arrived before under another id: what `repeatedBody` says, a replayed body (`duplicate` of the first
   *   delivery with that body), a redelivery, or a new delivery;
   * - its id arrived before from the same hook: a redelivery, which runs with that trigger, or with
   *   `onRedelivery: "skip"` is a `duplicate`;
   * - its id arrived before from another hook: the same event twice, `duplicate`.
   * Of several that arrive at the same moment one is the first.
   *
   * Rejects with an {@link AppError} `unavailable`, and stores nothing, when the disk refuses or too many deliveries
   * are waiting.
   */
  accept(delivery: NewDelivery, options: AcceptOptions): Promise<AcceptResult>;
  readDelivery(id: number): Promise<Delivery | null>;
  /** The outcomes of a delivery's deployments, oldest first. */
  readOutcomes(delivery: number): Promise<readonly DeploymentOutcome[]>;
  /** The results of CI that the deliveries of a source report for a commit, in the order of their arrival. */
  listCiResults(source: string, commit: string): Promise<readonly CiResult[]>;
  /** Newest first. */
  listDeliveries(filter: DeliveryFilter, range: PageRange): Promise<Page<DeliverySummary>>;
}

export type AcceptResult =
  | ({ readonly kind: "stored" } & Receipt)
  /** Nothing was stored; `delivery` is the id of the first one. */
  | { readonly kind: "duplicate"; readonly delivery: number }
  /** Nothing was stored. */
  | { readonly kind: "queue full"; readonly target: string };

/** Proof that a delivery is stored. */
export interface Receipt {
  readonly delivery: number;
  /** The deployments that it queued. */
  readonly deployments: readonly Deployment[];
  /** The deployments of the same targets that were queued until then, now `superseded`. */
  readonly superseded: readonly Deployment[];
  readonly redeliveryOf: number | null;
}
