import type { QueuedDeployment } from "./deployment.ts";

/** Prevents deliveries from deploying a target for a while. A person sets it. */
export interface Lock {
  readonly target: string;
  readonly reason: string;
  /** Who locked it, as the command line or the caller of the API says. */
  readonly by: string;
  readonly since: Date;
  /** When it expires; null for never. */
  readonly until: Date | null;
}

/** Whether the lock has expired. */
export function hasExpired(lock: Lock, now: Date): boolean {
  return lock.until !== null && now.getTime() >= lock.until.getTime();
}

/** The lock as a decision's reason: `locked by ada until 2026-11-21T20:30:00Z: release freeze`. */
export function describeLock({ by, until, reason }: Lock): string {
  const end = until === null ? "" : ` until ${until.toISOString().replace(/\.\d+Z$/, "Z")}`;
  return `locked by ${by}${end}: ${reason}`;
}

/** A removed lock, and what follows. */
export interface UnlockResult {
  readonly lock: Lock;
  /** The deployment that unlocking queued because the lock had blocked a delivery; null when it queued none. */
  readonly queued: QueuedDeployment | null;
  /** The deployment of the target that is queued now, whenever that happened; null when none is. */
  readonly waiting: number | null;
  /** The blocked delivery that is not deployed because something newer is; null when there is none. */
  readonly skippedDelivery: number | null;
}

/** What follows, in words that complete `blog is unlocked: …`. */
export function describeUnlocked({ queued, waiting, skippedDelivery }: UnlockResult): string {
  if (queued !== null) return `deployment ${queued.deployment.id} deploys what came meanwhile`;
  if (waiting !== null && skippedDelivery !== null) {
    return `deployment ${waiting} is next, which was asked for after delivery ${skippedDelivery} came`;
  }
  if (waiting !== null) return `deployment ${waiting}, which waited, is next`;
  if (skippedDelivery !== null)
    return `something newer was deployed than delivery ${skippedDelivery}, which it held back`;
  return "there was nothing to queue";
}

/** The part of the store that holds locks. */
export interface LockStore {
  /** Locks the target. A lock that it has is replaced, and what that one blocked stays recorded. */
  lock(lock: Lock): Promise<void>;
  /**
   * Removes the lock and queues the newest delivery that it blocked, as accepting the delivery would have. Deliveries
   * whose `accept` was called earlier are committed first, and count. Nothing is queued where a newer delivery was
   * queued already, or where a deployment waits that was asked for after the delivery came. Null when there was no
   * lock.
   */
  unlock(target: string, now: Date): Promise<UnlockResult | null>;
  listLocks(): Promise<readonly Lock[]>;
}
