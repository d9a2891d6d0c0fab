import type { QueuedDeployment } from "./deployment.ts";

/** Prevents deliveries from deploying a target until it expires or a person removes it. */
export interface Lock {
  readonly target: string;
  readonly reason: string;
  /** Who locked it, as the command line or the caller of the API says. */
  readonly by: string;
  readonly since: Date;
  /** When it expires; null for never. */
  readonly until: Date | null;
}

/** A lock has expired at its end time. */
export function hasExpired(lock: Lock, now: Date): boolean {
  return lock.until !== null && now.getTime() >= lock.until.getTime();
}

/** The lock as a decision's reason: `locked by ada until 2026-11-21T20:30:00Z: release freeze`. */
export function describeLock({ by, until, reason }: Lock): string {
  const end = until === null ? "" : ` until ${until.toISOString().replace(/\.\d+Z$/, "Z")}`;
  return `locked by ${by}${end}: ${reason}`;
}

/** The removed lock and its consequences. */
export interface UnlockResult {
  readonly lock: Lock;
  /** The deployment that unlocking queued for the delivery that the lock had blocked; null when it queued none. */
  readonly queued: QueuedDeployment | null;
  /** The deployment of the target that is queued now, new or not; null when none is. */
  readonly waiting: number | null;
  /** The blocked delivery that is not deployed because something newer is; null when there is none. */
  readonly skippedDelivery: number | null;
}

/** Describes which deployment follows an unlock; completes `blog is unlocked: …`. */
export function describeUnlocked({ queued, waiting, skippedDelivery }: UnlockResult): string {
  if (queued !== null) return `deployment ${queued.deployment.id} runs the delivery that the lock blocked`;
  if (waiting !== null && skippedDelivery !== null) {
    return `deployment ${waiting} is next; it is newer than delivery ${skippedDelivery}, which the lock blocked`;
  }
  if (waiting !== null) return `deployment ${waiting}, which was queued already, is next`;
  if (skippedDelivery !== null) {
    return `delivery ${skippedDelivery}, which the lock blocked, is not deployed: something newer was requested`;
  }
  return "the lock blocked no delivery";
}

/** The part of the store that holds locks. */
export interface LockStore {
  /** Locks the target, in place of a lock that it may have. The delivery that the old lock blocked stays recorded. */
  lock(lock: Lock): Promise<void>;
  /**
   * Removes the lock and queues the newest delivery that it blocked, as accepting the delivery would have. Deliveries
   * whose `accept` was called earlier are committed first, and count. Nothing is queued where a newer delivery was
   * queued already, or where a deployment that neither failed nor was cancelled was requested after the delivery arrived.
   * The deliveries that no lock holds any more become `ok`, when they are queued, or `skipped`. Null when there was no lock.
   */
  unlock(target: string, now: Date): Promise<UnlockResult | null>;
  listLocks(): Promise<readonly Lock[]>;
}
