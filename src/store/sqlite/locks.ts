import type { DeliveryStatus } from "../../domain/delivery.ts";
import type { Trigger } from "../../domain/deployment.ts";
import type { Lock, LockStore, UnlockResult } from "../../domain/lock.ts";
import type { Decision } from "../../domain/match.ts";
import type { Connection } from "./connection.ts";
import type { Queue } from "./deployments/queue.ts";

/** A delivery that a lock blocked, and how it would have been queued. */
export type BlockedDelivery = {
  readonly target: string;
  readonly delivery: number;
  readonly trigger: Trigger;
  readonly pushedCommit: string | null;
};

/**
 * Records on the target's lock, in the caller's transaction, the newest delivery that it blocked. Returns false when there is
 * no lock: it was removed meanwhile.
 */
export type RecordBlocked = (blocked: BlockedDelivery) => boolean;

type LockRow = {
  target: string;
  reason: string;
  by: string;
  since: number;
  until: number | null;
};

type RemovedRow = LockRow & {
  delivery: number | null;
  trigger: Trigger | null;
  pushed_commit: string | null;
};

/** Prepares {@link RecordBlocked}. */
export function prepareRecordBlocked(connection: Connection): RecordBlocked {
  const update = connection.prepare<never, BlockedDelivery>(`
    UPDATE lock SET delivery = $delivery, trigger = $trigger, pushed_commit = $pushedCommit
    WHERE target = $target`);
  return (blocked) => update.run(blocked).changes > 0;
}

/** A delivery that waits for the end of a lock. */
type HeldRow = { id: number; decisions: string };

/**
 * Prepares the change of the status of every delivery that no lock holds any more, and of the one that was queued, which
 * other locks may still hold.
 */
export function prepareSettleHeld(connection: Connection) {
  // By the index on source and status. It skips from one source to the next.
  const selectHeld = connection.prepare<HeldRow>(`
    WITH RECURSIVE known (source) AS (
      SELECT min(source) FROM delivery
      UNION ALL
      SELECT (SELECT min(source) FROM delivery WHERE source > known.source) FROM known WHERE source IS NOT NULL)
    SELECT id, decisions FROM known CROSS JOIN delivery USING (source)
    WHERE status = 'held' AND decisions IS NOT NULL`);
  const selectLocked = connection.prepare<{ target: string }>("SELECT target FROM lock");
  const update = connection.prepare<never, { id: number; status: DeliveryStatus }>(
    "UPDATE delivery SET status = $status WHERE id = $id",
  );
  return (queued: number | null): void => {
    const locked = new Set(selectLocked.all({}).map(({ target }) => target));
    for (const { id, decisions } of selectHeld.all({})) {
      const isHeld = (JSON.parse(decisions) as readonly Decision[]).some(
        ({ target, code }) => code === "locked" && locked.has(target),
      );
      if (id === queued) update.run({ id, status: "ok" });
      else if (!isHeld) update.run({ id, status: "skipped" });
    }
  };
}

/** The part of the store that holds locks. */
export function createLocks(connection: Connection, queue: Queue): LockStore {
  const upsert = connection.prepare<never, LockRow>(`
    INSERT INTO lock (target, reason, "by", since, until) VALUES ($target, $reason, $by, $since, $until)
    ON CONFLICT (target) DO UPDATE SET
      reason = excluded.reason, "by" = excluded."by", since = excluded.since, until = excluded.until`);
  const remove = connection.prepare<RemovedRow, { target: string }>(
    "DELETE FROM lock WHERE target = $target RETURNING *",
  );
  const settleHeld = prepareSettleHeld(connection);
  const selectAll = connection.prepare<LockRow>("SELECT * FROM lock ORDER BY target");

  const selectNewest = connection.prepare<{ delivery: number }, { target: string }>(`
    SELECT delivery FROM deployment WHERE target = $target AND delivery IS NOT NULL ORDER BY id DESC LIMIT 1`);
  // A retry was requested when the first deployment of its chain was. One that failed or was cancelled made nothing live.
  const selectRequestedLater = connection.prepare<{ isLater: 0 | 1 }, { target: string; delivery: number }>(`
    WITH RECURSIVE blocked (at) AS (SELECT received_at FROM delivery WHERE id = $delivery),
      requested (retry_of, created_at) AS (
        SELECT retry_of, created_at FROM deployment
        WHERE target = $target AND delivery IS NULL AND state IN ('queued', 'running', 'succeeded')
          AND created_at > (SELECT at FROM blocked)
        UNION ALL
        SELECT first.retry_of, first.created_at
        FROM requested JOIN deployment AS first ON first.id = requested.retry_of)
    SELECT EXISTS (
      SELECT 1 FROM requested
      WHERE created_at > (SELECT at FROM blocked)
        AND NOT EXISTS (SELECT 1 FROM deployment WHERE id = requested.retry_of)) AS isLater`);

  /** Whether something newer than the delivery is queued, runs or was deployed, by another delivery or without one. */
  function isOvertaken(target: string, delivery: number): boolean {
    // A delivery that arrived after the lock expired, and before it was removed, has been queued already.
    if ((selectNewest.get({ target })?.delivery ?? 0) > delivery) return true;
    return selectRequestedLater.get({ target, delivery })?.isLater === 1;
  }

  /** An older queued deployment is superseded, as by any push. */
  function queueBlocked(
    { target, delivery, trigger, pushed_commit }: RemovedRow,
    createdAt: number,
  ): Pick<UnlockResult, "queued" | "skippedDelivery"> {
    if (delivery === null || trigger === null) return { queued: null, skippedDelivery: null };
    if (isOvertaken(target, delivery)) return { queued: null, skippedDelivery: delivery };
    const request = {
      target,
      trigger,
      delivery,
      pushedCommit: pushed_commit,
      choice: null,
      queueAll: false,
      createdAt,
    };
    return { queued: queue.add(request), skippedDelivery: null };
  }

  return {
    lock: ({ since, until, ...rest }) =>
      connection.attempt(
        () => void upsert.run({ ...rest, since: since.getTime(), until: until?.getTime() ?? null }),
      ),
    unlock: (target, now) =>
      connection.attemptTransaction(() => {
        const row = remove.get({ target });
        if (row === null) return null;
        const result = queueBlocked(row, now.getTime());
        settleHeld(result.queued?.deployment.delivery ?? null);
        return { lock: toLock(row), ...result, waiting: queue.findWaiting(target) };
      }),
    listLocks: () => connection.attempt(() => selectAll.all({}).map(toLock)),
  };
}

/** Prepares the query for the lock of a target that is in force at a time. */
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
