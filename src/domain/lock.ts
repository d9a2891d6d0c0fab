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

/** Whether a decision's reason tells of a lock: no other begins like one. */
export function isLockReason(reason: string): boolean {
  return reason.startsWith("locked by ");
}
