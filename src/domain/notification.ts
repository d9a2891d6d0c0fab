import type { Secret } from "../lib/secret.ts";
import type { Deployment, DeploymentState } from "./deployment.ts";

/** The HTTP request that carries one notification. */
export interface HttpPost {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** One `[[notify]]` table. */
export type NotificationSettings = PostSettings | MailSettings;

/** What every `[[notify]]` has. */
interface CommonSettings {
  readonly name: string;
  readonly kinds: readonly ("failed" | "recovered" | "succeeded")[];
  /** The names of the targets to notify about; null for all. */
  readonly targets: readonly string[] | null;
}

/** A `[[notify]]` that sends HTTP requests. */
export interface PostSettings extends CommonSettings {
  readonly format: "standard" | "slack" | "discord";
  /** Where to post. A secret, because the URLs of chat rooms authorise their sender. */
  readonly url: Secret;
  /** The key that signs the request (Standard Webhooks); null for formats without a signature. */
  readonly secret: Secret | null;
}

/** A `[[notify]]` that sends e-mail. */
export interface MailSettings extends CommonSettings {
  readonly format: "smtp";
  readonly host: string;
  readonly port: number;
  /** `starttls` upgrades the connection before anything is sent. `none` is for this machine only. */
  readonly tls: "starttls" | "implicit" | "none";
  /** Null where the server asks for no password. */
  readonly login: { readonly user: string; readonly password: Secret } | null;
  readonly from: MailAddress;
  readonly to: readonly MailAddress[];
}

/** `Name <address>`, or an address alone. */
export interface MailAddress {
  /** Empty where there is none. */
  readonly name: string;
  readonly address: string;
}

/** How sending a notification ended. */
export type SendOutcome =
  | { readonly kind: "taken" }
  /** It may be tried again. The reason is safe to log. */
  | { readonly kind: "failed"; readonly reason: string }
  /** The receiver will never accept it: it answered 410 Gone, or rejected the content. */
  | { readonly kind: "refused"; readonly reason: string };

/** A subscription and the means to send to it. */
export interface NotificationChannel extends NotificationSubscription {
  /** Sends the notification once. Never rejects; a slow receiver counts as failed after some seconds. */
  send(notification: Notification, deployment: Deployment, now: Date): Promise<SendOutcome>;
}

/** `recovered` is a success after a failure. */
export type NotificationKind = "started" | "succeeded" | "recovered" | "failed" | "cancelled" | "interrupted";

/** The part of a channel that the store needs. */
export interface NotificationSubscription {
  /** The channel's name. A stored notification is sent to the channel of this name, also after a restart. */
  readonly name: string;
  /** The names of the targets to notify about; null for all. */
  readonly targets: readonly string[] | null;
  readonly kinds: readonly NotificationKind[];
}

/** A message about a deployment for one channel, stored until it is sent or dropped. */
export interface Notification {
  readonly id: number;
  /** The channel's name. */
  readonly channel: string;
  readonly deployment: number;
  readonly kind: NotificationKind;
  /** How many attempts failed. */
  readonly attempts: number;
  readonly createdAt: Date;
}

/** The target's last deployment before another one that succeeded or failed. */
export interface DeploymentBefore {
  readonly state: DeploymentState;
  /** Whether both failed with the same commit, code and reason. */
  readonly isSameFailure: boolean;
}

/**
 * The kind of notification that a subscription gets when a deployment reaches `state`; null for none. `before` is null
 * when no deployment of the target ended before. The same failure is reported once, except to a subscription that got
 * the start of the deployment.
 */
export function chooseNotification(
  { targets, kinds }: NotificationSubscription,
  target: string,
  state: DeploymentState,
  before: DeploymentBefore | null,
): NotificationKind | null {
  if (targets !== null && !targets.includes(target)) return null;
  if (state === "succeeded" && before?.state === "failed" && kinds.includes("recovered")) return "recovered";
  if (state === "failed" && before?.isSameFailure && !kinds.includes("started")) return null;
  return kinds.find((kind) => kind === (state === "running" ? "started" : state)) ?? null;
}

/** The part of the store that holds notifications. `finish` stores those about the end of a deployment. */
export interface NotificationStore {
  /** Stores a `started` notification for each of the subscriptions that include it. */
  notifyStarted(
    deployment: number,
    subscriptions: readonly NotificationSubscription[],
    now: Date,
  ): Promise<void>;
  /**
   * The notifications that are due at `now`, oldest first, at most one for each channel. They are reserved for this
   * process for a minute: no other one that shares the store gets them, or later ones of their channels, meanwhile. A
   * notification is not due
   * while an earlier one of the same deployment waits for the channel; a `started` that waits is replaced by the end of
   * its deployment where the subscription includes that.
   */
  dueNotifications(now: Date, limit: number): Promise<readonly Notification[]>;
  /** When the next notification is due; null when there is none. */
  nextNotificationAt(): Promise<Date | null>;
  /** Removes a notification that was sent or is dropped. */
  removeNotification(id: number): Promise<void>;
  /** Counts a failed attempt. The notification is due again at `due`. */
  postponeNotification(id: number, due: Date): Promise<void>;
}
