import type { QueuedDeployment } from "./deployment.ts";

/** A person keeps deliveries from deploying a target for a while. */
export interface Lock {
  readonly target: string;
  readonly reason: string;
  /** Who locked it, as the command line or the caller of the API says. */
  readonly by: string;
  readonly since: Date;
  /** When it ends by itself; null when a person has to unlock it. */
  readonly until: Date | null;
}

/** Whether the lock's time is over. */
export function hasExpired(lock: Lock, now: Date): boolean {
  return lock.until !== null && now.getTime() >= lock.until.getTime();
}

/** The lock as the reason of a decision: `locked by ada until 2026-11-21T20:30:00Z: release freeze`. */
export function describeLock({ by, until, reason }: Lock): string {
  const end = until === null ? "" : ` until ${until.toISOString().replace(/\.\d+Z$/, "Z")}`;
  return `locked by ${by}${end}: ${reason}`;
}

/** Whether a decision's reason tells of a lock: no other begins like one. */
export function isLockReason(reason: string): boolean {
  return reason.startsWith("locked by ");
}

/** A lock that is gone, and what follows. */
export interface UnlockResult {
  readonly lock: Lock;
  /** What was queued in the same act because a delivery had come meanwhile; null when nothing was. */
  readonly queued: QueuedDeployment | null;
  /** The deployment of the target that waits now, whenever it was queued; null when none does. */
  readonly waiting: number | null;
  /** The delivery that it held back and that is not queued, because something newer was; null when there is none. */
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

/** The store's part that remembers locks. */
export interface LockStore {
  /** Locks the target, in place of a lock that it may have; what that one held back stays noted. */
  lock(lock: Lock): Promise<void>;
  /**
   * Takes the lock away and queues the newest delivery that it held back, as that delivery would have been.
   * Deliveries whose `accept` was called earlier are committed first, and count. Nothing is queued where a newer
   * delivery was queued already, or where one waits that was asked for after the delivery came. Null when there was no
   * lock.
   */
  unlock(target: string, now: Date): Promise<UnlockResult | null>;
  listLocks(): Promise<readonly Lock[]>;
}
