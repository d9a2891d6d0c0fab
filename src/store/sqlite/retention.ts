import type { DeploymentStore, Retention } from "../../domain/deployment-store.ts";
import { keysOf } from "../fingerprint.ts";
import type { Connection } from "./connection.ts";
import { prepareRemoveUnusedBlocks } from "./deliveries/blocks.ts";
import type { SeenIndex } from "./deliveries/seen-index.ts";

/** Free pages of 4 KiB that remain in the file for new rows. */
const SPARE_PAGES = 1024;

/** The most pages that are returned at once: more than removing some hundred rows frees. */
const MAX_PAGES = 1024;

/** Removes at most `limit` old rows, which is over 0, in the caller's transaction. Returns how many it removed. */
type Remove = (retention: Retention, limit: number) => number;

/** The last removed ids. The next batch begins after them. */
interface Progress {
  deployment: number;
  delivery: number;
}

/** The part of the store that removes old rows and returns their space to the file system. */
export function createRetention(connection: Connection, seen: SeenIndex): Pick<DeploymentStore, "prune"> {
  const progress: Progress = { deployment: 0, delivery: 0 };
  const removers = [
    prepareRemoveDeployments(connection, progress),
    prepareRemoveDeliveries(connection, seen, progress),
    prepareRemoveClients(connection),
  ];
  const releaseSpace = prepareReleaseSpace(connection);

  /** A row that was needed until now may be old: the next batch begins with the first row. */
  function startOver(): void {
    progress.deployment = 0;
    progress.delivery = 0;
  }

  function removeBatch(retention: Retention): number {
    let removed = 0;
    try {
      connection.transact(() => {
        for (const remove of removers) {
          if (removed < retention.limit) removed += remove(retention, retention.limit - removed);
        }
      });
    } catch (error) {
      startOver();
      throw error;
    }
    if (removed === 0) startOver();
    return removed;
  }

  return {
    prune: (retention) =>
      connection.attempt(() => {
        const removed = removeBatch(retention);
        releaseSpace();
        return removed;
      }),
  };
}

/** Removes clients that expired before the oldest stored delivery. */
function prepareRemoveClients(connection: Connection): Remove {
  const remove = connection.prepare<never, { before: number; limit: number }>(`
    DELETE FROM client WHERE id IN (SELECT id FROM client WHERE expires_at < $before LIMIT $limit)`);
  return ({ deliveriesBefore }, limit) => remove.run({ before: deliveriesBefore.getTime(), limit }).changes;
}

function prepareRemoveDeployments(connection: Connection, progress: Progress): Remove {
  // A target's newest deployment stays, and the newest of its tip: catch-up needs their results. (Only ended
  // deployments have a commit.)
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
  // A long output is removed before its deployment, in as many batches as necessary.
  const removeOutput = connection.prepare<never, { id: number; limit: number }>(`
    DELETE FROM output WHERE deployment = $id AND line IN (
      SELECT line FROM output WHERE deployment = $id ORDER BY line LIMIT $limit)`);
  const removeRow = connection.prepare<never, { id: number }>("DELETE FROM deployment WHERE id = $id");

  return ({ deploymentsBefore }, limit) => {
    let removed = 0;
    for (const id of findOld(select.iterate({ after: progress.deployment }), deploymentsBefore, limit)) {
      removed += removeOutput.run({ id, limit: limit - removed }).changes;
      if (removed >= limit) break;
      removeRow.run({ id });
      removed += 1;
      progress.deployment = id;
    }
    return removed;
  };
}

function prepareRemoveDeliveries(connection: Connection, seen: SeenIndex, progress: Progress): Remove {
  const select = connection.prepare<AgingRow, { after: number }>(`
    SELECT id, received_at AS time, length(body) + ifnull(block_length, 0) AS size FROM delivery
    WHERE id > $after
      AND NOT EXISTS (SELECT 1 FROM lock WHERE lock.delivery = delivery.id)
      AND NOT EXISTS (
        SELECT 1 FROM deployment
        WHERE delivery = delivery.id
          AND (state IN ('queued', 'running') OR id IN (SELECT deployment FROM live)))
    ORDER BY id`);
  const remove = connection.prepare<
    {
      source: string;
      has_identity: 0 | 1;
      provider_id: string | null;
      body_sha256: Uint8Array;
      block: number | null;
    },
    { id: number }
  >("DELETE FROM delivery WHERE id = $id RETURNING source, has_identity, provider_id, body_sha256, block");
  const removeUnusedBlocks = prepareRemoveUnusedBlocks(connection);

  return ({ deliveriesBefore }, limit) => {
    const old = findOld(select.iterate({ after: progress.delivery }), deliveriesBefore, limit);
    const blocks = new Set<number>();
    for (const id of old) {
      const row = remove.get({ id });
      if (row !== null && row.block !== null) blocks.add(row.block);
      if (row?.has_identity === 1) {
        const identity = { id: row.provider_id, hook: null };
        seen.forget(id, keysOf({ source: row.source, identity, body: Buffer.from(row.body_sha256) }));
      }
      progress.delivery = id;
    }
    removeUnusedBlocks(blocks);
    return old.length;
  };
}

/** Prepares the return of free pages, in its own transaction. SQLite fills each from the end of the file. */
function prepareReleaseSpace(connection: Connection) {
  const countFree = connection.prepare<{ freelist_count: number }>("PRAGMA freelist_count");
  return (): void => {
    const free = countFree.get({})?.freelist_count ?? 0;
    const pages = Math.min(free - SPARE_PAGES, MAX_PAGES);
    if (pages > 0) connection.execute(`PRAGMA incremental_vacuum(${pages})`);
  };
}

/** A row that may be removed when its time is before the retention. */
interface AgingRow {
  readonly id: number;
  /** In Unix milliseconds. */
  readonly time: number;
  /** How many bytes removing it writes, where that can be many. */
  readonly size: number;
}

/**
 * Ids increase with time, so the search ends where young rows begin: after this many in sequence. Fewer may have been
 * stored while the clock was wrong.
 */
const MAX_YOUNG = 256;

/** One search returns rows of at most this many bytes together, or a single larger one. */
const MAX_BYTES = 8 * 1024 * 1024;

/** Reads rows in the order of their ids, as few as possible, and returns at most `limit` ids from before `before`. */
function findOld(rows: Iterable<AgingRow>, before: Date, limit: number): readonly number[] {
  const old: number[] = [];
  let bytes = 0;
  let young = 0;
  for (const { id, time, size } of rows) {
    if (time >= before.getTime()) {
      young += 1;
      if (young === MAX_YOUNG) break;
      continue;
    }
    bytes += size;
    if (old.length === limit || (old.length > 0 && bytes > MAX_BYTES)) break;
    old.push(id);
    young = 0;
  }
  return old;
}
