import type { DeploymentStore, Retention } from "../../domain/deployment-store.ts";
import { keysOf } from "../fingerprint.ts";
import type { Database, Query } from "./connection.ts";

/**
 * Ids increase with time, so the search ends where young rows begin: after this many in sequence. Fewer may have been
 * stored while the clock of a host was wrong.
 */
const MAX_YOUNG = 256;

/** The last removed ids of this process. The next batch begins after them. */
interface Progress {
  deployment: number;
  delivery: number;
}

/** The part of the store that removes old rows. The server's autovacuum reuses their space. */
export function createRetention(database: Database): Pick<DeploymentStore, "prune"> {
  const progress: Progress = { deployment: 0, delivery: 0 };
  function startOver(): void {
    progress.deployment = 0;
    progress.delivery = 0;
  }
  return {
    // In the write lane: an accept never compares with a delivery that is being removed.
    prune: async (retention) => {
      try {
        const removed = await database.write(async (query) => {
          const deployments = await removeDeployments(query, retention, retention.limit, progress);
          const deliveries = await removeDeliveries(
            query,
            retention,
            retention.limit - deployments,
            progress,
          );
          return (
            deployments +
            deliveries +
            (await removeClients(query, retention, retention.limit - deployments - deliveries))
          );
        });
        if (removed === 0) startOver();
        return removed;
      } catch (error) {
        startOver();
        throw error;
      }
    },
  };
}

async function removeClients(query: Query, { deliveriesBefore }: Retention, limit: number): Promise<number> {
  if (limit <= 0) return 0;
  const removed = await query<{ id: number }>(
    `DELETE FROM client WHERE id IN (SELECT id FROM client WHERE expires_at < $1 LIMIT $2) RETURNING id`,
    deliveriesBefore.getTime(),
    limit,
  );
  return removed.length;
}

/** A target's newest deployment on a host stays, and the newest of its tip: catch-up needs their results. */
const REMOVABLE_DEPLOYMENTS = `
  SELECT id, ended_at AS time FROM deployment
  WHERE id > $1 AND ended_at IS NOT NULL AND NOT is_abandoned
    AND NOT EXISTS (SELECT 1 FROM live WHERE live.deployment = deployment.id)
    AND id IS DISTINCT FROM (
      SELECT id FROM deployment AS newest
      WHERE newest.target = deployment.target AND newest.host = deployment.host AND newest.state <> 'superseded'
      ORDER BY newest.id DESC LIMIT 1)
    AND id IS DISTINCT FROM (
      SELECT id FROM deployment AS tip
      WHERE tip.target = deployment.target AND tip.host = deployment.host
        AND tip."commit" IS NOT NULL AND tip.choice IS NULL
      ORDER BY tip.id DESC LIMIT 1)
  ORDER BY id LIMIT $2`;

async function removeDeployments(
  query: Query,
  { deploymentsBefore }: Retention,
  limit: number,
  progress: Progress,
): Promise<number> {
  const old = await findOld(query, REMOVABLE_DEPLOYMENTS, progress.deployment, deploymentsBefore, limit);
  let removed = 0;
  // A long output is removed before its deployment, in as many batches as necessary.
  for (const id of old) {
    if (removed >= limit) break;
    const lines = await query<{ line: number }>(
      `DELETE FROM output WHERE deployment = $1 AND line IN (
         SELECT line FROM output WHERE deployment = $1 ORDER BY line LIMIT $2) RETURNING line`,
      id,
      limit - removed,
    );
    removed += lines.length;
    if (removed >= limit) break;
    await query("DELETE FROM deployment WHERE id = $1", id);
    removed += 1;
    progress.deployment = id;
  }
  return removed;
}

const REMOVABLE_DELIVERIES = `
  SELECT id, received_at AS time FROM delivery
  WHERE id > $1
    AND NOT EXISTS (SELECT 1 FROM lock WHERE lock.delivery = delivery.id)
    AND NOT EXISTS (
      SELECT 1 FROM deployment
      WHERE delivery = delivery.id
        AND (state IN ('queued', 'running') OR EXISTS (SELECT 1 FROM live WHERE live.deployment = deployment.id)))
  ORDER BY id LIMIT $2`;

interface RemovedRow {
  readonly id: number;
  readonly source: string;
  readonly has_identity: 0 | 1;
  readonly provider_id: string | null;
  readonly body_sha256: Uint8Array;
}

async function removeDeliveries(
  query: Query,
  { deliveriesBefore }: Retention,
  limit: number,
  progress: Progress,
): Promise<number> {
  if (limit <= 0) return 0;
  const old = await findOld(query, REMOVABLE_DELIVERIES, progress.delivery, deliveriesBefore, limit);
  if (old.length === 0) return 0;
  const rows = await query<RemovedRow>(
    "DELETE FROM delivery WHERE id = ANY($1) RETURNING id, source, has_identity, provider_id, body_sha256",
    old,
  );
  const seen = rows
    .filter(({ has_identity }) => has_identity === 1)
    .flatMap(({ id, source, provider_id, body_sha256 }) => {
      const identity = { id: provider_id, hook: null };
      return keysOf({ source, identity, body: Buffer.from(body_sha256) }).map((key) => ({ key, id }));
    });
  await query(
    `DELETE FROM seen USING unnest($1::bigint[], $2::bigint[]) AS old (key, delivery)
     WHERE seen.key = old.key AND seen.delivery = old.delivery`,
    seen.map(({ key }) => key),
    seen.map(({ id }) => id),
  );
  await query("DELETE FROM not_deployed WHERE delivery = ANY($1)", old);
  await query("UPDATE deployment SET delivery = NULL WHERE delivery = ANY($1)", old);
  await query("UPDATE delivery SET redelivery_of = NULL WHERE redelivery_of = ANY($1)", old);
  await query("UPDATE delivery SET replay_of = NULL WHERE replay_of = ANY($1)", old);
  progress.delivery = old.at(-1) ?? progress.delivery;
  return old.length;
}

/** Reads rows in the order of their ids, as few as possible, and returns at most `limit` ids from before `before`. */
async function findOld(
  query: Query,
  select: string,
  after: number,
  before: Date,
  limit: number,
): Promise<readonly number[]> {
  const old: number[] = [];
  let young = 0;
  for (let last = after; ; ) {
    const page = await query<{ id: number; time: number }>(select, last, limit + MAX_YOUNG);
    for (const { id, time } of page) {
      last = id;
      if (time >= before.getTime()) {
        young += 1;
        if (young === MAX_YOUNG) return old;
        continue;
      }
      if (old.length === limit) return old;
      old.push(id);
      young = 0;
    }
    if (page.length < limit + MAX_YOUNG) return old;
  }
}
