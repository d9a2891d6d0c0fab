import type { Queued } from "./deployment.ts";
import type { Lock } from "./lock.ts";

/** A lock that is gone, and what follows. */
export interface Unlocked {
  readonly lock: Lock;
  /** What was queued in the same act because a delivery had come meanwhile; null when nothing was. */
  readonly queued: Queued | null;
  /** The deployment of the target that waits now, whenever it was queued; null when none does. */
  readonly waiting: number | null;
  /** The delivery that it held back and that is not queued, because something newer was; null when there is none. */
  readonly passedOver: number | null;
}

/** What follows, in words that complete `blog is unlocked: …`. */
export function describeUnlocked({ queued, waiting, passedOver }: Unlocked): string {
  if (queued !== null) return `deployment ${queued.deployment.id} deploys what came meanwhile`;
  if (waiting !== null && passedOver !== null) {
    return `deployment ${waiting} is next, which was asked for after delivery ${passedOver} came`;
  }
  if (waiting !== null) return `deployment ${waiting}, which waited, is next`;
  if (passedOver !== null)
    return `something newer was deployed than delivery ${passedOver}, which it held back`;
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
  unlock(target: string, now: Date): Promise<Unlocked | null>;
  listLocks(): Promise<readonly Lock[]>;
}
