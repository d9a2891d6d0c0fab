import type { DeploymentStore, Retention } from "../../domain/deployment-store.ts";
import type { Connection } from "./connection.ts";
import { keysOf } from "./deliveries/duplicates.ts";
import type { SeenIndex } from "./deliveries/seen-index.ts";

/** Free pages of 4 KiB that stay in the file for what comes next. */
const SPARE_PAGES = 1024;

/** Pages that are given back at once, at most: more than removing some hundred rows frees. */
const MAX_PAGES = 1024;

/** Removes rows of one kind, inside the caller's transaction. */
interface Remover {
  /** Removes old rows, at most `limit`, which is over 0, and returns how many it removed. */
  remove(retention: Retention, limit: number): number;
  /** Makes the next search start at the first row again. */
  startOver(): void;
}

/** The part of the store that removes old rows and gives their space back to the disk. */
export function createRetention(connection: Connection, seen: SeenIndex): Pick<DeploymentStore, "prune"> {
  const removers = [
    prepareRemoveDeployments(connection),
    prepareRemoveDeliveries(connection, seen),
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

/** Clients that expired before the oldest stored delivery: they did not come back. */
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
  // A target's newest deployment stays, and the newest of its tip: how they ended keeps their commits from being
  // deployed again. (Only ended deployments know their commit.)
  const select = connection.prepare<AgingRow, { after: number }>(`
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
  // A long output is removed before its deployment, in as many batches as it takes.
  const removeOutput = connection.prepare<never, { deployment: number; limit: number }>(`
    DELETE FROM output WHERE deployment = $deployment AND line IN (
      SELECT line FROM output WHERE deployment = $deployment ORDER BY line LIMIT $limit)`);
  const removeRow = connection.prepare<never, { id: number }>("DELETE FROM deployment WHERE id = $id");
  let after = 0;

  return {
    remove({ deploymentsBefore }, limit) {
      let removed = 0;
      for (const id of findOld(select.iterate({ after }), deploymentsBefore, limit)) {
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

function prepareRemoveDeliveries(connection: Connection, seen: SeenIndex): Remover {
  const select = connection.prepare<AgingRow, { after: number }>(`
    SELECT id, received_at AS time, length(body) AS size FROM delivery
    WHERE id > $after
      AND NOT EXISTS (SELECT 1 FROM lock WHERE lock.delivery = delivery.id)
      AND NOT EXISTS (
        SELECT 1 FROM deployment
        WHERE delivery = delivery.id
          AND (state IN ('queued', 'running') OR id IN (SELECT deployment FROM live)))
    ORDER BY id`);
  const remove = prepareRemoveDelivery(connection, seen);
  let after = 0;

  return {
    remove({ deliveriesBefore }, limit) {
      const old = findOld(select.iterate({ after }), deliveriesBefore, limit);
      for (const id of old) {
        remove(id);
        after = id;
      }
      return old.length;
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

/** Prepares what gives free pages back, in its own transaction. SQLite fills each from the end of the file. */
function prepareGiveBack(connection: Connection) {
  const countFree = connection.prepare<{ freelist_count: number }>("PRAGMA freelist_count");
  return (): void => {
    const free = countFree.get({})?.freelist_count ?? 0;
    const pages = Math.min(free - SPARE_PAGES, MAX_PAGES);
    if (pages > 0) connection.execute(`PRAGMA incremental_vacuum(${pages})`);
  };
}

/** A row that may be removed when its time is before a certain one. */
export interface AgingRow {
  readonly id: number;
  /** In Unix milliseconds. */
  readonly time: number;
  /** How many bytes removing it writes, where that can be many. */
  readonly size: number;
}

/**
 * Ids increase with time, so old rows end where young ones begin. Only this many young rows in a row are that
 * beginning: fewer may have come while the clock was wrong.
 */
const BEGINNING = 256;

/** One search returns rows of at most this many bytes together, or a single larger one. */
const MAX_BYTES = 8 * 1024 * 1024;

/** Reads rows in the order of their ids, as few as possible, and returns at most `limit` ids from before `before`. */
export function findOld(rows: Iterable<AgingRow>, before: Date, limit: number): readonly number[] {
  const old: number[] = [];
  let bytes = 0;
  let young = 0;
  for (const { id, time, size } of rows) {
    if (time >= before.getTime()) {
      young += 1;
      if (young === BEGINNING) break;
      continue;
    }
    bytes += size;
    if (old.length === limit || (old.length > 0 && bytes > MAX_BYTES)) break;
    old.push(id);
    young = 0;
  }
  return old;
}
