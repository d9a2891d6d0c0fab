import type { Secret } from "../lib/secret.ts";
import type { Deployment, DeploymentState } from "./deployment.ts";

/** A message for one subscriber: what to send, and where. */
export interface HttpPost {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** One `[[notify]]`: who is told of what, and how. */
export interface NotificationSettings {
  readonly name: string;
  /** Where to post; a secret, because the addresses of chat rooms are. */
  readonly url: Secret;
  /** The key that signs the post (Standard Webhooks); null for formats that sign nothing. */
  readonly secret: Secret | null;
  readonly format: "standard" | "slack";
  readonly kinds: readonly ("failed" | "recovered" | "succeeded")[];
  /** The names of the targets it is about; null for all. */
  readonly targets: readonly string[] | null;
}

/** What became of a post. */
export type SendOutcome =
  | { readonly kind: "taken" }
  /** It may be tried again; the reason is safe to log. */
  | { readonly kind: "failed"; readonly reason: string }
  /** It will never be taken: the other end says so (410 Gone, or a refusal of what was sent). */
  | { readonly kind: "refused"; readonly reason: string };

/** Somebody who is told of deployments, with what it takes to tell. */
export interface NotificationChannel extends NotificationSubscription {
  /** Tells it once. Never rejects. Slow ones are given up after some seconds. */
  send(notice: Notification, deployment: Deployment, now: Date): Promise<SendOutcome>;
}

/** What somebody may be told of a deployment. `recovered` is a success after a failure. */
export type NotificationKind = "started" | "succeeded" | "recovered" | "failed" | "cancelled" | "interrupted";

/** Somebody who wants to be told, as far as the store has to know. */
export interface NotificationSubscription {
  /** Known by this name when the notice is sent, also after a restart. */
  readonly name: string;
  /** The names of the targets it is about; null for all. */
  readonly targets: readonly string[] | null;
  readonly kinds: readonly NotificationKind[];
}

/** What is to be told to one subscriber, kept until it took it or until it is given up. */
export interface Notification {
  readonly id: number;
  readonly channel: string;
  readonly deployment: number;
  readonly kind: NotificationKind;
  /** How often it was tried without success. */
  readonly attempts: number;
  readonly createdAt: Date;
}

/**
 * What a subscriber is told when a deployment comes to this state, or null. `before` is the state of the target's
 * last deployment before it that succeeded or failed.
 */
export function chooseNotification(
  { targets, kinds }: NotificationSubscription,
  target: string,
  state: DeploymentState,
  before: DeploymentState | null,
): NotificationKind | null {
  if (targets !== null && !targets.includes(target)) return null;
  if (state === "succeeded" && before === "failed" && kinds.includes("recovered")) return "recovered";
  return kinds.find((news) => news === state) ?? null;
}

/** The store's part that keeps notices. Those about the end of a deployment are made by `settle`. */
export interface NotificationStore {
  /** Keeps a notice that a deployment `started` for each of the subscribers that want it. */
  notifyStarted(
    deployment: number,
    subscribers: readonly NotificationSubscription[],
    now: Date,
  ): Promise<void>;
  /**
   * Notices that are due at `now`, oldest first, at most one of each subscriber. One whose subscriber waits for an
   * earlier notice of the same deployment is not due; a `started` gives way to the end where the subscriber wants that.
   */
  dueNotifications(now: Date, limit: number): Promise<readonly Notification[]>;
  /** When the next notice is due; null when there is none. */
  nextNotificationAt(): Promise<Date | null>;
  /** Removes a notice: it was taken, or is given up. */
  removeNotification(id: number): Promise<void>;
  /** Counts an attempt that failed; the notice is due again at `due`. */
  postponeNotification(id: number, due: Date): Promise<void>;
}
