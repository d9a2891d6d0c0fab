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
  /** The deployments on further hosts that are cancelled because of it; none by default. */
  readonly stopped?: readonly Deployment[];
}

/** The current and latest deployments of a target on one host. */
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
  /** Only deployments on this host. Null, as without it, for all. */
  readonly host?: string | null;
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

/**
 * The part of the store that holds deployments. Each belongs to one host: of a target, one deployment runs at a time on each
 * host, and supersedes and is superseded there. A process claims and recovers those of its own host.
 */
export interface DeploymentStore {
  /**
   * Queues a deployment without a delivery, on each host of its placement. A queued deployment of the same target and host
   * becomes `superseded`.
   */
  queueDeployment(request: DeploymentRequest, now: Date): Promise<QueuedDeployment>;
  /**
   * Takes this host's oldest queued deployment among `targets` whose target has none running and is not locked at `now`,
   * marks it `running` since `now` and records what is live before it. Null when there is none. A lock does not block the
   * triggers `manual` and `rollback`. From then on the deployment belongs to this process while its lease holds. It never
   * runs again under the same id, so that the id also says which of two runs of a target is the later one.
   */
  claim(targets: readonly string[], now: Date): Promise<Deployment | null>;
  /**
   * Records how a running deployment of this process ended; a successful one is live from `now` on. Rejects when it does
   * not run any more, because the lease ended. An interrupted one is queued again, unless a newer one is queued or this was
   * its second interruption by something else than the server's stop. When it ends otherwise than with success, the
   * deployments that wait for it are cancelled (`rollout_stopped`). The same commit stores a notification for each
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
   * Marks `interrupted` every running deployment whose process is gone: of this host all that an earlier process claimed
   * (`crash`), of other hosts those whose lease has ended (`lease_lost`). For the start, and with a {@link Fleet} at each
   * renewal. Each is queued again for its host, with its delivery and trigger, unless a newer one is queued or this was
   * its second crash. Notifications are stored as by `finish`. Also resolves, once, with those of this host that another
   * process marked.
   */
  recoverInterrupted(
    now: Date,
    subscriptions: readonly NotificationSubscription[],
  ): Promise<readonly FinishedDeployment[]>;
  /** Marks queued deployments on this host of targets that are not in `targets` `cancelled`. */
  cancelUnconfigured(targets: readonly string[], now: Date): Promise<readonly Deployment[]>;
  readDeployment(id: number): Promise<Deployment | null>;
  /** Newest first. */
  listDeployments(filter: DeploymentFilter, range: PageRange): Promise<Page<Deployment>>;
  /** What is live on a host, by default on this one. Null for a target that was never deployed there successfully. */
  readLive(target: string, host?: string): Promise<Live | null>;
  /** On a host, by default on this one, with the lock that is in force at `now`. */
  readTargetStatus(target: string, now: Date, host?: string): Promise<TargetStatus>;
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
   * its tip, each for every host, and every delivery that a lock or a queued, running or live deployment needs. Then returns some free space
   * to the file system. Resolves with the number of removed rows, 0 when none is left to remove or another process
   * is removing some.
   */
  prune(retention: Retention): Promise<number>;
}
