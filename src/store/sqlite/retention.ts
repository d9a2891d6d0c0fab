import type { DeploymentStore, Retention } from "../../domain/deployment.ts";
import type { Connection } from "./connection.ts";
import type { DecisionSets } from "./deliveries/decisions.ts";
import { keysOf } from "./deliveries/duplicates.ts";
import type { SeenIndex } from "./deliveries/seen-index.ts";

/** Free pages of 4 KiB that stay in the file, for what comes next. */
const SPARE_PAGES = 1024;

/** Pages that are given back in one act, at most: more than an act of some hundred rows makes free. */
const MOST_PAGES = 1024;

/** What removes rows of one kind, inside a transaction of its caller's. */
interface Remover {
  /** Removes rows that are old, at most `limit`, which is over 0, and tells how many went. */
  remove(retention: Retention, limit: number): number;
  /** Lets the next search begin at the first row again. */
  startOver(): void;
}

/** The store's part that removes what is old, and gives its space back to the disk. */
export function createRetention(
  connection: Connection,
  seen: SeenIndex,
  decisionSets: DecisionSets,
): Pick<DeploymentStore, "prune"> {
  const removers = [
    prepareRemoveDeployments(connection),
    prepareRemoveDeliveries(connection, seen, decisionSets),
    prepareRemoveClients(connection),
  ];
  const giveBack = prepareGiveBack(connection);

  function removeBatch(retention: Retention): number {
    let removed = 0;
    try {
      connection.transact(() => {
        for (const { remove } of removers) {
          if (removed < retention.limit) removed += remove(retention, retention.limit - removed);
        }
      });
    } catch (error) {
      for (const { startOver } of removers) startOver();
      throw error;
    }
    if (removed === 0) for (const { startOver } of removers) startOver();
    return removed;
  }

  return {
    prune: (retention) =>
      connection.attempt(() => {
        const removed = removeBatch(retention);
        giveBack();
        return removed;
      }),
  };
}

/** Those whose time ran out before the oldest delivery that is kept: they did not come back. */
function prepareRemoveClients(connection: Connection): Remover {
  const remove = connection.prepare<never, { before: number; limit: number }>(`
    DELETE FROM client WHERE id IN (SELECT id FROM client WHERE expires_at < $before LIMIT $limit)`);
  return {
    remove: ({ deliveriesBefore }, limit) =>
      Number(remove.run({ before: deliveriesBefore.getTime(), limit }).changes),
    startOver() {},
  };
}

function prepareRemoveDeployments(connection: Connection): Remover {
  // The newest of a target stays, and the newest of its tip: how they ended is what keeps their commits from being
  // tried again. (Only deployments that ended know their commit.)
  const select = connection.prepare<Aging, { after: number }>(`
    SELECT id, ended_at AS time, 0 AS size FROM deployment
    WHERE id > $after AND ended_at IS NOT NULL
      AND NOT EXISTS (SELECT 1 FROM live WHERE live.deployment = deployment.id)
      AND id IS NOT (
        SELECT id FROM deployment AS newest
        WHERE newest.target = deployment.target AND newest.state <> 'superseded'
        ORDER BY newest.id DESC LIMIT 1)
      AND id IS NOT (
        SELECT id FROM deployment AS tip
        WHERE tip.target = deployment.target AND tip."commit" IS NOT NULL AND tip.choice IS NULL
        ORDER BY tip.id DESC LIMIT 1)
    ORDER BY id`);
  // A long output goes before its deployment, in as many acts as it takes.
  const removeOutput = connection.prepare<never, { deployment: number; limit: number }>(`
    DELETE FROM output WHERE deployment = $deployment AND line IN (
      SELECT line FROM output WHERE deployment = $deployment ORDER BY line LIMIT $limit)`);
  const removeRow = connection.prepare<never, { id: number }>("DELETE FROM deployment WHERE id = $id");
  let after = 0;

  return {
    remove({ deploymentsBefore }, limit) {
      let removed = 0;
      for (const id of searchOld(select.iterate({ after }), deploymentsBefore, limit).old) {
        removed += removeOutput.run({ deployment: id, limit: limit - removed }).changes;
        if (removed >= limit) break;
        removeRow.run({ id });
        removed += 1;
        after = id;
      }
      return removed;
    },
    startOver() {
      after = 0;
    },
  };
}

/** Removes deliveries, their keys and, after the last of them, the decisions that were theirs alone. */
function prepareRemoveDeliveries(
  connection: Connection,
  seen: SeenIndex,
  decisionSets: DecisionSets,
): Remover {
  const select = connection.prepare<Aging, { after: number }>(`
    SELECT id, received_at AS time, length(body) AS size FROM delivery
    WHERE id > $after
      AND NOT EXISTS (SELECT 1 FROM lock WHERE lock.delivery = delivery.id)
      AND NOT EXISTS (
        SELECT 1 FROM deployment
        WHERE delivery = delivery.id
          AND (state IN ('queued', 'running') OR id IN (SELECT deployment FROM live)))
    ORDER BY id`);
  const remove = prepareRemoveDelivery(connection, seen);
  const selectNext = connection.prepare<{ id: number }>(
    "SELECT ifnull(max(seq), 0) + 1 AS id FROM sqlite_sequence WHERE name = 'delivery'",
  );
  let after = 0;

  return {
    remove({ deliveriesBefore }, limit) {
      const { old, youngFrom } = searchOld(select.iterate({ after }), deliveriesBefore, limit);
      for (const id of old) {
        remove(id);
        after = id;
      }
      if (old.length > 0) return old.length;
      return decisionSets.prune(youngFrom ?? selectNext.get({})?.id ?? 0, limit);
    },
    startOver() {
      after = 0;
    },
  };
}

function prepareRemoveDelivery(connection: Connection, seen: SeenIndex) {
  const remove = connection.prepare<
    { source: string; has_identity: 0 | 1; provider_id: string | null; body_sha256: Uint8Array },
    { id: number }
  >("DELETE FROM delivery WHERE id = $id RETURNING source, has_identity, provider_id, body_sha256");
  return (id: number): void => {
    const row = remove.get({ id });
    if (row === null || row.has_identity === 0) return;
    const identity = { id: row.provider_id, hook: null };
    seen.forget(id, keysOf({ source: row.source, identity, body: Buffer.from(row.body_sha256) }));
  };
}

/** What gives free pages back, in a transaction of its own: each is filled from the end of the file. */
function prepareGiveBack(connection: Connection) {
  const countFree = connection.prepare<{ freelist_count: number }>("PRAGMA freelist_count");
  return (): void => {
    const free = countFree.get({})?.freelist_count ?? 0;
    const pages = Math.min(free - SPARE_PAGES, MOST_PAGES);
    if (pages > 0) connection.execute(`PRAGMA incremental_vacuum(${pages})`);
  };
}

/** A row that may be removed when its time is before a certain one. */
export interface Aging {
  readonly id: number;
  /** In Unix milliseconds. */
  readonly time: number;
  /** What removing it writes, in bytes, where that can be much. */
  readonly size: number;
}

/** What a search found. */
export interface Found {
  readonly old: readonly number[];
  /** The id from which on all rows are young; null when the search ended before, or where there are none. */
  readonly youngFrom: number | null;
}

/**
 * Ids grow with time, so what is old ends where the young begin. Only so many young ones in a row are that
 * beginning: fewer may have come while the clock was wrong.
 */
const BEGINNING = 256;

/** One search takes rows of at most so many bytes together, or a single larger one. */
const MOST_BYTES = 8 * 1024 * 1024;

/** Reads rows in the order of their ids, only as far as it has to, and finds at most `limit` from before `before`. */
export function searchOld(rows: Iterable<Aging>, before: Date, limit: number): Found {
  const old: number[] = [];
  let bytes = 0;
  let young = 0;
  let youngFrom: number | null = null;
  for (const { id, time, size } of rows) {
    if (time >= before.getTime()) {
      youngFrom ??= id;
      young += 1;
      if (young === BEGINNING) break;
      continue;
    }
    bytes += size;
    if (old.length === limit || (old.length > 0 && bytes > MOST_BYTES)) return { old, youngFrom: null };
    old.push(id);
    young = 0;
    youngFrom = null;
  }
  return { old, youngFrom };
}
