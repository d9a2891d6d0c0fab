import type { Deployment, DeploymentState } from "./deployment.ts";
import type { Secret } from "./secret.ts";

/** What somebody may be told of a deployment. `recovered` is a success after a failure. */
export type News = "started" | "succeeded" | "recovered" | "failed" | "cancelled" | "interrupted";

/** Somebody who wants to be told, as far as the store has to know. */
export interface Subscriber {
  /** Known by this name when the notice is sent, also after a restart. */
  readonly name: string;
  /** The names of the targets it is about; null for all. */
  readonly targets: readonly string[] | null;
  readonly on: readonly News[];
}

/** What is to be told to one subscriber, kept until it took it or until it is given up. */
export interface Notice {
  readonly id: number;
  readonly subscriber: string;
  readonly deployment: number;
  readonly news: News;
  /** How often it was tried without success. */
  readonly attempts: number;
  readonly createdAt: Date;
}

/**
 * What a subscriber is told when a deployment comes to this state, or null. `before` is the state of the target's
 * last deployment before it that succeeded or failed.
 */
export function chooseNotice(
  { targets, on }: Subscriber,
  target: string,
  state: DeploymentState,
  before: DeploymentState | null,
): News | null {
  if (targets !== null && !targets.includes(target)) return null;
  if (state === "succeeded" && before === "failed" && on.includes("recovered")) return "recovered";
  return on.find((news) => news === state) ?? null;
}

/** The store's part that keeps notices. Those about the end of a deployment are made by `settle`. */
export interface NoticeStore {
  /** Keeps a notice that a deployment `started` for each of the subscribers that want it. */
  noteStart(deployment: number, subscribers: readonly Subscriber[], now: Date): Promise<void>;
  /**
   * Notices that are due at `now`, oldest first, at most one of each subscriber. One whose subscriber waits for an
   * earlier notice of the same deployment is not due; a `started` goes once the deployment's end is noted.
   */
  dueNotices(now: Date, limit: number): Promise<readonly Notice[]>;
  /** When the next notice is due; null when there is none. */
  nextNoticeAt(): Promise<Date | null>;
  /** Removes a notice: it was taken, or is given up. */
  settleNotice(id: number): Promise<void>;
  /** Counts an attempt that failed; the notice is due again at `due`. */
  postponeNotice(id: number, due: Date): Promise<void>;
}

/** A message for one subscriber: what to send, and where. */
export interface Post {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** One `[[notify]]`: who is told of what, and how. */
export interface NotifySettings {
  readonly name: string;
  /** Where to post; a secret, because the addresses of chat rooms are. */
  readonly url: Secret;
  /** The key that signs the post (Standard Webhooks); null for formats that sign nothing. */
  readonly secret: Secret | null;
  readonly format: "standard" | "slack";
  readonly on: readonly ("failed" | "recovered" | "succeeded")[];
  /** The names of the targets it is about; null for all. */
  readonly targets: readonly string[] | null;
}

/** What became of a post. */
export type PostOutcome =
  | { readonly kind: "taken" }
  /** It may be tried again; the reason is safe to log. */
  | { readonly kind: "failed"; readonly reason: string }
  /** It will never be taken: the other end says so (410 Gone, or a refusal of what was sent). */
  | { readonly kind: "refused"; readonly reason: string };

/** Somebody who is told of deployments, with what it takes to tell. */
export interface Messenger extends Subscriber {
  /** Tells it once. Never rejects. Slow ones are given up after some seconds. */
  tell(notice: Notice, deployment: Deployment, now: Date): Promise<PostOutcome>;
}
