import type { Trigger } from "../../domain/deployment.ts";
import type { Lock, LockStore, UnlockResult } from "../../domain/lock.ts";
import type { Connection } from "./connection.ts";
import type { Queue } from "./deployments/queue.ts";

/** A delivery that would have been queued for a target that is locked, and how. */
export type BlockedByLock = {
  readonly target: string;
  readonly delivery: number;
  readonly trigger: Trigger;
  readonly pushedCommit: string | null;
};

/** Notes on the target's lock, inside a transaction of its caller's, the newest delivery that it holds back. */
export type RecordBlocked = (heldBack: BlockedByLock) => void;

type LockRow = {
  target: string;
  reason: string;
  by: string;
  since: number;
  until: number | null;
};

type HeldBackRow = LockRow & {
  delivery: number | null;
  trigger: Trigger | null;
  pushed_commit: string | null;
};

/** Prepares what an accept does with a lock; where the lock is gone it does nothing. */
export function prepareRecordBlocked(connection: Connection): RecordBlocked {
  const note = connection.prepare<never, BlockedByLock>(`
    UPDATE lock SET delivery = $delivery, trigger = $trigger, pushed_commit = $pushedCommit
    WHERE target = $target`);
  return (heldBack) => {
    note.run(heldBack);
  };
}

/**
 * The locks' part of the store. `flush` commits the accepts that wait: they were decided under the lock, so they have
 * to be noted on it before it goes.
 */
export function createLocks(connection: Connection, queue: Queue, flush: () => void): LockStore {
  const upsert = connection.prepare<never, LockRow>(`
    INSERT INTO lock (target, reason, "by", since, until) VALUES ($target, $reason, $by, $since, $until)
    ON CONFLICT (target) DO UPDATE SET
      reason = excluded.reason, "by" = excluded."by", since = excluded.since, until = excluded.until`);
  const remove = connection.prepare<HeldBackRow, { target: string }>(
    "DELETE FROM lock WHERE target = $target RETURNING *",
  );
  const selectAll = connection.prepare<LockRow>("SELECT * FROM lock ORDER BY target");

  const selectNewest = connection.prepare<{ delivery: number }, { target: string }>(`
    SELECT delivery FROM deployment WHERE target = $target AND delivery IS NOT NULL ORDER BY id DESC LIMIT 1`);
  // One that was interrupted is asked for since the first of its kind was: the end of each is when the next began to wait.
  const selectAskedLater = connection.prepare<
    { isLater: 0 | 1 | null },
    { target: string; delivery: number }
  >(`
    WITH RECURSIVE asked (at) AS (
      SELECT created_at FROM deployment WHERE target = $target AND state = 'queued' AND delivery IS NULL
      UNION
      SELECT interrupted.created_at FROM asked JOIN deployment AS interrupted ON interrupted.ended_at = asked.at
      WHERE target = $target AND state = 'interrupted' AND delivery IS NULL)
    SELECT (SELECT min(at) FROM asked) > received_at AS isLater FROM delivery WHERE id = $delivery`);

  /** Whether something newer than the delivery was queued, by another delivery or without one. */
  function isPassedOver(target: string, delivery: number): boolean {
    // One that came after the lock's time was over, and before it was taken away, has done it already.
    if ((selectNewest.get({ target })?.delivery ?? 0) > delivery) return true;
    return selectAskedLater.get({ target, delivery })?.isLater === 1;
  }

  /** What waits and is older is superseded, as by any push. */
  function queueHeldBack(
    { target, delivery, trigger, pushed_commit }: HeldBackRow,
    createdAt: number,
  ): Pick<UnlockResult, "queued" | "skippedDelivery"> {
    if (delivery === null || trigger === null) return { queued: null, skippedDelivery: null };
    if (isPassedOver(target, delivery)) return { queued: null, skippedDelivery: delivery };
    const wanted = { target, trigger, delivery, pushedCommit: pushed_commit, choice: null, createdAt };
    return { queued: queue.add(wanted), skippedDelivery: null };
  }

  return {
    lock: ({ since, until, ...told }) =>
      connection.attempt(() => {
        upsert.run({ ...told, since: since.getTime(), until: until?.getTime() ?? null });
      }),
    unlock(target, now) {
      flush();
      return connection.attempt(() =>
        connection.transact(() => {
          const row = remove.get({ target });
          if (row === null) return null;
          const followed = queueHeldBack(row, now.getTime());
          return { lock: toLock(row), ...followed, waiting: queue.findWaiting(target) };
        }),
      );
    },
    listLocks: () => connection.attempt(() => selectAll.all({}).map(toLock)),
  };
}

/** What reads the lock that holds a target at a moment. */
export function prepareReadLock(connection: Connection) {
  const select = connection.prepare<LockRow, { target: string; now: number }>(
    "SELECT * FROM lock WHERE target = $target AND (until IS NULL OR until > $now)",
  );
  return (target: string, now: Date): Lock | null => {
    const row = select.get({ target, now: now.getTime() });
    return row === null ? null : toLock(row);
  };
}

function toLock({ target, reason, by, since, until }: LockRow): Lock {
  return { target, reason, by, since: new Date(since), until: until === null ? null : new Date(until) };
}
