import type { Trigger } from "../../domain/deployment.ts";
import type { Lock, LockStore, UnlockResult } from "../../domain/lock.ts";
import type { Decision } from "../../domain/match.ts";
import type { Placement } from "../../domain/target.ts";
import type { Database, Query } from "./connection.ts";
import { type Queue, readQueue } from "./queue.ts";

interface LockRow {
  readonly target: string;
  readonly reason: string;
  readonly by: string;
  readonly since: number;
  readonly until: number | null;
}

type RemovedRow = LockRow & {
  readonly delivery: number | null;
  readonly trigger: Trigger | null;
  readonly pushed_commit: string | null;
  readonly placement: string | null;
};

const COLUMNS = 'target, reason, "by", since, until';

/** A delivery that a lock blocked, and how it would have been queued. */
export interface BlockedDelivery {
  readonly target: string;
  readonly delivery: number;
  readonly trigger: Trigger;
  readonly pushedCommit: string | null;
  readonly placement: Placement;
}

/** The part of the store that holds locks. */
export function createLocks(database: Database, host: string): LockStore {
  return {
    async lock({ target, reason, by, since, until }) {
      // In the lane: an accept that was called before does not see it, one that was called later does.
      await database.write((query) =>
        query(
          `INSERT INTO lock (target, reason, "by", since, until) VALUES ($1, $2, $3, $4, $5)
           ON CONFLICT (target) DO UPDATE SET
             reason = excluded.reason, "by" = excluded."by", since = excluded.since, until = excluded.until`,
          target,
          reason,
          by,
          since.getTime(),
          until?.getTime() ?? null,
        ),
      );
    },
    unlock: (target, now) =>
      database.write(async (query) => {
        const [row] = await query<RemovedRow>("DELETE FROM lock WHERE target = $1 RETURNING *", target);
        if (row === undefined) return null;
        const queue = await readQueue(query, [target], host);
        const result = await queueBlocked(query, queue, row, now.getTime());
        await queue.write(now.getTime());
        await settleHeld(query, result.queued?.deployment.delivery ?? null);
        return { lock: toLock(row), ...result, waiting: queue.findWaiting(target) };
      }),
    listLocks: async () =>
      (await database.query<LockRow>(`SELECT ${COLUMNS} FROM lock ORDER BY target`)).map(toLock),
  };
}

/** An older queued deployment is superseded, as by any push. */
async function queueBlocked(
  query: Query,
  queue: Queue,
  { target, delivery, trigger, pushed_commit, placement }: RemovedRow,
  createdAt: number,
): Promise<Pick<UnlockResult, "queued" | "skippedDelivery">> {
  if (delivery === null || trigger === null || placement === null)
    return { queued: null, skippedDelivery: null };
  if (await isOvertaken(query, target, delivery)) return { queued: null, skippedDelivery: delivery };
  const request = {
    target,
    trigger,
    delivery,
    pushedCommit: pushed_commit,
    choice: null,
    queueAll: false,
    placement: JSON.parse(placement) as Placement,
    createdAt,
  };
  return { queued: queue.add(request), skippedDelivery: null };
}

/**
 * Whether something newer than the delivery is queued, runs or was deployed, by another delivery or without one. A retry was
 * requested when the first deployment of its chain was. One that failed or was cancelled made nothing live.
 */
async function isOvertaken(query: Query, target: string, delivery: number): Promise<boolean> {
  const [found] = await query<{ found: boolean }>(
    `WITH RECURSIVE blocked (at) AS (SELECT received_at FROM delivery WHERE id = $2),
       requested (retry_of, created_at) AS (
         SELECT retry_of, created_at FROM deployment
         WHERE target = $1 AND delivery IS NULL AND state IN ('queued', 'running', 'succeeded')
           AND created_at > (SELECT at FROM blocked)
         UNION ALL
         SELECT first.retry_of, first.created_at
         FROM requested JOIN deployment AS first ON first.id = requested.retry_of)
     SELECT EXISTS (SELECT 1 FROM deployment WHERE target = $1 AND delivery > $2) OR EXISTS (
       SELECT 1 FROM requested
       WHERE created_at > (SELECT at FROM blocked)
         AND NOT EXISTS (SELECT 1 FROM deployment WHERE id = requested.retry_of)) AS found`,
    target,
    delivery,
  );
  return found?.found === true;
}

/**
 * Records on the targets' locks the newest delivery that each blocked. Resolves with those that no lock holds: it was
 * removed meanwhile, by this process or another.
 */
export async function recordBlocked(
  query: Query,
  blocked: readonly BlockedDelivery[],
): Promise<readonly BlockedDelivery[]> {
  if (blocked.length === 0) return [];
  const newest = [...new Map(blocked.map((each) => [each.target, each])).values()];
  const locked = await query<{ target: string }>(
    `UPDATE lock SET delivery = new.delivery, trigger = new.trigger, pushed_commit = new.pushed_commit,
       placement = new.placement
     FROM unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::text[])
       AS new (target, delivery, trigger, pushed_commit, placement)
     WHERE lock.target = new.target RETURNING lock.target`,
    newest.map(({ target }) => target),
    newest.map(({ delivery }) => delivery),
    newest.map(({ trigger }) => trigger),
    newest.map(({ pushedCommit }) => pushedCommit),
    newest.map(({ placement }) => JSON.stringify(placement)),
  );
  const names = new Set(locked.map(({ target }) => target));
  return blocked.filter(({ target }) => !names.has(target));
}

/**
 * Changes the status of every delivery that no lock holds any more, and of the one that was queued, which other locks may
 * still hold.
 */
export async function settleHeld(query: Query, queued: number | null): Promise<void> {
  const held = await query<{ id: number; decisions: string }>(
    `WITH RECURSIVE known (source) AS (
       SELECT min(source) FROM delivery
       UNION ALL
       SELECT (SELECT min(source) FROM delivery WHERE source > known.source) FROM known WHERE source IS NOT NULL)
     SELECT id, decisions FROM known JOIN delivery USING (source)
     WHERE status = 'held' AND decisions IS NOT NULL`,
  );
  if (held.length === 0) return;
  const rows = await query<{ target: string }>("SELECT target FROM lock");
  const locked = new Set(rows.map(({ target }) => target));
  const isHeld = (decisions: string) =>
    (JSON.parse(decisions) as readonly Decision[]).some(
      ({ target, code }) => code === "locked" && locked.has(target),
    );
  const released = held.filter(({ id, decisions }) => id === queued || !isHeld(decisions));
  await query(
    `UPDATE delivery SET status = CASE id WHEN $2 THEN 'ok' ELSE 'skipped' END WHERE id = ANY($1)`,
    released.map(({ id }) => id),
    queued ?? 0,
  );
}

/** The lock of a target that is in force at a time. */
export async function readLock(query: Query, target: string, now: Date): Promise<Lock | null> {
  const [row] = await query<LockRow>(
    `SELECT ${COLUMNS} FROM lock WHERE target = $1 AND (until IS NULL OR until > $2)`,
    target,
    now.getTime(),
  );
  return row === undefined ? null : toLock(row);
}

function toLock({ target, reason, by, since, until }: LockRow): Lock {
  return { target, reason, by, since: new Date(since), until: until === null ? null : new Date(until) };
}
