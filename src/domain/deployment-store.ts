import type {
  Deployment,
  DeploymentRequest,
  DeploymentResult,
  DeploymentState,
  Live,
  OutputLine,
  QueuedDeployment,
} from "./deployment.ts";
import type { Lock } from "./lock.ts";
import type { NotificationSubscription } from "./notification.ts";
import type { Page, PageRange } from "./page.ts";

/** A deployment that ended. */
export interface FinishedDeployment {
  readonly deployment: Deployment;
  /** Its retry; null unless it was interrupted, after a second crash, and where a newer deployment is queued. */
  readonly retry: Deployment | null;
}

/** The current and latest deployments of a target. */
export interface TargetStatus {
  readonly live: Live | null;
  /** The newest deployment that is not `superseded`; null when there is none. */
  readonly latest: Deployment | null;
  /** The newest ended deployment that fetched a tip: its commit is known, and nothing was chosen in place of the tip. */
  readonly latestOfTip: Deployment | null;
  readonly queued: number | null;
  readonly running: number | null;
  readonly lock: Lock | null;
}

/** Which deployments a list shows. Null does not filter. */
export interface DeploymentFilter {
  readonly target: string | null;
  readonly state: DeploymentState | null;
  /** Only deployments that a delivery of this source requested. */
  readonly source: string | null;
}

/** Limits for the removal of old rows. */
export interface Retention {
  /** Deliveries received before this may be removed. */
  readonly deliveriesBefore: Date;
  /** Deployments that ended before this may be removed. */
  readonly deploymentsBefore: Date;
  /** At most this many rows are removed at once, so that no accept waits long. */
  readonly limit: number;
}

/** The part of the store that holds deployments. */
export interface DeploymentStore {
  /** Queues a deployment without a delivery. A queued deployment of the same target becomes `superseded`. */
  queueDeployment(request: DeploymentRequest, now: Date): Promise<QueuedDeployment>;
  /**
   * Takes the oldest queued deployment among `targets` whose target has none running and is not locked at `now`, marks
   * it `running` since `now` and records what is live before it. Null when there is none. A lock does not block the
   * triggers `manual` and `rollback`.
   */
  claim(targets: readonly string[], now: Date): Promise<Deployment | null>;
  /**
   * Records how a running deployment ended; a successful one is live from `now` on. One that the server's stop
   * interrupted is queued again, unless a newer one is queued. The same commit stores a notification for each
   * subscription that includes it (see `chooseNotification`).
   */
  finish(
    id: number,
    result: DeploymentResult,
    now: Date,
    subscriptions: readonly NotificationSubscription[],
  ): Promise<FinishedDeployment>;
  /** Marks a queued deployment `cancelled`. Null when it is not queued. */
  cancelQueued(id: number, reason: string, now: Date): Promise<Deployment | null>;
  /**
   * Marks every running deployment `interrupted` by a crash. For the start, when none can be running. Each is queued
   * again, with its delivery and trigger, unless a newer one is queued or this was its second crash. Notifications are
   * stored as by `finish`.
   */
  recoverInterrupted(
    now: Date,
    subscriptions: readonly NotificationSubscription[],
  ): Promise<readonly FinishedDeployment[]>;
  /** Marks queued deployments of targets that are not in `targets` `cancelled`. */
  cancelUnconfigured(targets: readonly string[], now: Date): Promise<readonly Deployment[]>;
  readDeployment(id: number): Promise<Deployment | null>;
  /** Newest first. */
  listDeployments(filter: DeploymentFilter, range: PageRange): Promise<Page<Deployment>>;
  /** Null for a target that was never deployed successfully. */
  readLive(target: string): Promise<Live | null>;
  /** With the lock that is in force at `now`. */
  readTargetStatus(target: string, now: Date): Promise<TargetStatus>;
  /** Appends lines of output, without their newlines. Beyond {@link MAX_OUTPUT_BYTES} the middle is removed. */
  appendOutput(deployment: number, lines: readonly string[]): Promise<void>;
  /**
   * The stored output in order, or its last lines that fit in `maxBytes` with their newlines. Where lines were removed, one
   * line says how many.
   */
  readOutput(deployment: number, maxBytes?: number): Promise<readonly string[]>;
  /**
   * At most `limit` stored lines whose number is greater than `after` (-1 for all), in order. Where lines were removed,
   * one line with the number of the last of them says how many.
   */
  readOutputAfter(deployment: number, after: number, limit: number): Promise<readonly OutputLine[]>;
  /**
   * Removes one batch of what is older than the retention: ended deployments with their output, deliveries, and clients
   * that expired before `deliveriesBefore`. Keeps the deployment that is live in a target, its newest and the newest of
   * its tip, and every delivery that a lock or a queued, running or live deployment needs. Then returns some free space
   * to the file system. Resolves with the number of removed rows, 0 when none is left to remove.
   */
  prune(retention: Retention): Promise<number>;
}
