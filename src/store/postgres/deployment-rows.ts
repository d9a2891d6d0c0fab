import { type Deployment, hasEnded } from "../../domain/deployment.ts";
import {
  type DeploymentRow,
  type HostColumns,
  RETRIED_COLUMNS,
  type RetriedRow,
  ROW_COLUMNS,
  toDeployment,
} from "../deployment-row.ts";
import type { Query } from "./connection.ts";

/** A row of the table `deployment`. */
export type Row = DeploymentRow & HostColumns;

/** The columns of a {@link Row}. */
export const COLUMNS = `${ROW_COLUMNS}, deployment.host, waits_for AS "waitsFor"`;

/** The columns of a {@link Row} with its retry. */
export const COLUMNS_WITH_RETRY = `${RETRIED_COLUMNS}, deployment.host, waits_for AS "waitsFor"`;

/** Inserts queued and superseded deployments. */
export async function insertRows(
  query: Query,
  added: readonly { readonly row: Row; readonly queueAll: boolean }[],
): Promise<void> {
  if (added.length === 0) return;
  const rows = added.map(({ row }) => row);
  await query(
    `INSERT INTO deployment (id, target, host, state, code, trigger, delivery, pushed_commit, choice, chosen, queue_all,
       attempt, retry_of, superseded_by, waits_for, created_at, ended_at)
     SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[],
       $8::text[], $9::text[], $10::text[], $11::boolean[], $12::integer[], $13::bigint[], $14::bigint[], $15::bigint[],
       $16::bigint[], $17::bigint[])`,
    rows.map(({ id }) => id),
    rows.map(({ target }) => target),
    rows.map(({ host }) => host),
    rows.map(({ state }) => state),
    rows.map(({ code }) => code),
    rows.map(({ trigger }) => trigger),
    rows.map(({ delivery }) => delivery),
    rows.map(({ pushedCommit }) => pushedCommit),
    rows.map(({ choice }) => choice),
    rows.map(({ chosen }) => chosen),
    added.map(({ queueAll }) => queueAll),
    rows.map(({ attempt }) => attempt),
    rows.map(({ retryOf }) => retryOf),
    rows.map(({ supersededBy }) => supersededBy),
    rows.map(({ waitsFor }) => waitsFor),
    rows.map(({ createdAt }) => createdAt),
    rows.map(({ endedAt }) => endedAt),
  );
}

/** The last ids of both tables. */
interface LastIds {
  readonly delivery: number;
  readonly deployment: number;
}

/** Writes the last ids, unless they are as before. */
export async function writeLastId(
  query: Query,
  before: LastIds,
  { delivery, deployment }: LastIds,
): Promise<void> {
  if (delivery === before.delivery && deployment === before.deployment) return;
  await query("UPDATE last_id SET delivery = $1, deployment = $2", delivery, deployment);
}

/** Writes the state of stored deployments that new ones superseded. */
export async function writeSuperseded(query: Query, superseded: readonly Row[]): Promise<void> {
  if (superseded.length === 0) return;
  await query(
    `UPDATE deployment SET state = 'superseded', code = 'superseded', superseded_by = new.by, ended_at = new.at
     FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS new (id, by, at) WHERE deployment.id = new.id`,
    superseded.map(({ id }) => id),
    superseded.map(({ supersededBy }) => supersededBy),
    superseded.map(({ endedAt }) => endedAt),
  );
}

/** Writes which newer deployment follows an interrupted one. */
export async function writeFollowed(query: Query, followed: ReadonlyMap<number, number>): Promise<void> {
  if (followed.size === 0) return;
  await query(
    `UPDATE deployment SET superseded_by = new.by
     FROM unnest($1::bigint[], $2::bigint[]) AS new (id, by) WHERE deployment.id = new.id`,
    [...followed.keys()],
    [...followed.values()],
  );
}

/** Lets what waited for an interrupted deployment wait for its retry. */
export async function writeRetried(query: Query, retried: ReadonlyMap<number, number>): Promise<void> {
  if (retried.size === 0) return;
  await query(
    `UPDATE deployment SET waits_for = new.retry
     FROM unnest($1::bigint[], $2::bigint[]) AS new (first, retry)
     WHERE deployment.waits_for = new.first AND state = 'queued'`,
    [...retried.keys()],
    [...retried.values()],
  );
}

/**
 * Cancels the queued deployments that wait for one that did not succeed, and those that wait for them. Resolves with them.
 */
export async function stopRollouts(query: Query, now: number): Promise<readonly Deployment[]> {
  const stopped: Deployment[] = [];
  for (;;) {
    const rows = await query<RetriedRow & HostColumns>(
      `UPDATE deployment SET state = 'cancelled', code = 'rollout_stopped', ended_at = $1,
         reason = 'deployment ' || before.id || ' on host ' || before.host ||
           CASE before.state WHEN 'failed' THEN ' ' ELSE ' was ' END || before.state
       FROM deployment AS before
       WHERE deployment.waits_for = before.id AND deployment.state = 'queued'
         AND before.state IN ('failed', 'superseded', 'cancelled', 'interrupted')
       RETURNING deployment.id`,
      now,
    );
    if (rows.length === 0) return stopped;
    stopped.push(
      ...(await readRows(
        query,
        rows.map(({ id }) => id),
      )),
    );
  }
}

/** Reads deployments that did not run, in the order of their ids. */
export async function readRows(query: Query, ids: readonly number[]): Promise<readonly Deployment[]> {
  const rows = await query<RetriedRow & HostColumns>(
    `SELECT ${COLUMNS_WITH_RETRY} FROM deployment WHERE id = ANY($1) ORDER BY id`,
    ids,
  );
  return rows.filter(({ state }) => hasEnded(state)).map((row) => toDeployment(row, []));
}
