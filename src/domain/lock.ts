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
export function hasRunOut(lock: Lock, now: Date): boolean {
  return lock.until !== null && now.getTime() >= lock.until.getTime();
}

/** The lock as the reason of a decision: `locked by ada until 2026-11-21T20:30:00Z: release freeze`. */
export function describeLock({ by, until, reason }: Lock): string {
  const end = until === null ? "" : ` until ${until.toISOString().replace(/\.\d+Z$/, "Z")}`;
  return `locked by ${by}${end}: ${reason}`;
}

/** A lock that is gone, and what was queued in the same act because a delivery had come meanwhile. */
export interface Unlocked {
  readonly lock: Lock;
  /** Null when nothing had come, or when one waits that a person or catching up asked for. */
  readonly deployment: number | null;
}

/** The store's part that remembers locks. */
export interface LockStore {
  /** Locks the target, in place of a lock that it may have; what that one held back stays noted. */
  lock(lock: Lock): Promise<void>;
  /**
   * Takes the lock away and queues the newest delivery that it held back, as that delivery would have been. Accepts
   * that were asked for before are part of it, and nothing is queued where a newer delivery was queued already, or where
   * one waits that a person or catching up asked for. Null when there was no lock.
   */
  unlock(target: string, now: Date): Promise<Unlocked | null>;
  listLocks(): Promise<readonly Lock[]>;
}
