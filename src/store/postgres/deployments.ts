import type { Deployment, DeploymentResult } from "../../domain/deployment.ts";
import type { DeploymentStore, FinishedDeployment } from "../../domain/deployment-store.ts";
import type { Placement } from "../../domain/target.ts";
import type { Database, Query } from "./connection.ts";
import { readRows, stopRollouts } from "./deployment-rows.ts";
import { LEASE_END } from "./lease.ts";
import { notify } from "./notifications.ts";
import { readQueue } from "./queue.ts";
import { createReadDeployments } from "./read.ts";

/** The process that uses the store. */
export interface Member {
  readonly host: string;
  /** A random name of the process. */
  readonly worker: string;
  /** Milliseconds for which a one-by-one rollout waits for a host that is away. */
  readonly patience: number;
}

type Acts = Omit<DeploymentStore, "appendOutput" | "readOutput" | "readOutputAfter" | "prune">;

/** The part of the store that holds deployments, without their output and their removal. */
export function createDeployments(database: Database, member: Member): Acts {
  const { host, worker } = member;
  const reads = createReadDeployments(database.query, host);

  async function readKnown(query: Query, id: number): Promise<Deployment> {
    const deployment = await createReadDeployments(query, host).readDeployment(id);
    if (deployment === null) throw new Error(`deployment ${id} is not stored`);
    return deployment;
  }

  return {
    ...reads,
    queueDeployment: ({ target, trigger, commit, choice, queueAll = false, placement = only(host) }, now) =>
      database.write(async (query) => {
        const createdAt = now.getTime();
        const queue = await readQueue(query, [target], host);
        const request = {
          target,
          trigger,
          delivery: null,
          pushedCommit: commit,
          choice,
          queueAll,
          placement,
          createdAt,
        };
        const queued = queue.add(request);
        await queue.write(createdAt);
        return queued;
      }),
    claim: (targets, now) =>
      database.write(async (query) => {
        const id = await claim(query, member, targets, now.getTime());
        return id === null ? null : readKnown(query, id);
      }),
    finish: (id, result, now, subscriptions) =>
      database.write(async (query) => {
        const target = await saveResult(query, id, worker, result, now.getTime());
        await notify(query, { id, target, host, state: result.state }, subscriptions, now);
        const interrupted = result.state === "interrupted" ? [{ id, target }] : [];
        const cause = result.code === "shutdown" ? "shutdown" : "crash";
        const [retry = null] = await repeat(query, host, interrupted, now, cause);
        const stopped = result.state === "succeeded" ? [] : await stopRollouts(query, now.getTime());
        return { deployment: await readKnown(query, id), retry, stopped };
      }),
    cancelQueued: (id, reason, now) =>
      database.write(async (query) => {
        const cancelled = await query<{ id: number }>(
          `UPDATE deployment SET state = 'cancelled', code = 'cancelled', reason = $2, ended_at = $3
           WHERE id = $1 AND state = 'queued' RETURNING id`,
          id,
          reason,
          now.getTime(),
        );
        if (cancelled.length === 0) return null;
        await stopRollouts(query, now.getTime());
        return readKnown(query, id);
      }),
    recoverInterrupted: async (now, subscriptions) => {
      if (!(await needsRecovery(database.query, member))) return [];
      return database.write(async (query) => {
        await skipAway(query, member);
        const interrupted = await interruptLost(query, member, now.getTime());
        const retries = await repeat(query, host, interrupted, now, "crash");
        const stopped = await stopRollouts(query, now.getTime());
        const known = await query<{ id: number }>(
          "UPDATE deployment SET is_abandoned = false WHERE host = $1 AND is_abandoned RETURNING id",
          host,
        );
        const finished: FinishedDeployment[] = [];
        for (const { id } of [...interrupted, ...known]) {
          const deployment = await readKnown(query, id);
          const retry = retries.find(({ retryOf }) => retryOf === id) ?? null;
          if (interrupted.some((row) => row.id === id)) await notify(query, deployment, subscriptions, now);
          finished.push({ deployment, retry, stopped: finished.length === 0 ? stopped : [] });
        }
        return finished;
      });
    },
    cancelUnconfigured: (targets, now) =>
      database.write(async (query) => {
        const cancelled = await query<{ id: number }>(
          `UPDATE deployment SET state = 'cancelled', code = 'not_configured', ended_at = $3
           WHERE state = 'queued' AND host = $1 AND NOT target = ANY($2) RETURNING id`,
          host,
          targets,
          now.getTime(),
        );
        if (cancelled.length === 0) return [];
        const stopped = await stopRollouts(query, now.getTime());
        return [
          ...(await readRows(
            query,
            cancelled.map(({ id }) => id),
          )),
          ...stopped,
        ];
      }),
  };
}

/** Where a target is deployed that has no placement. */
export function only(host: string): Placement {
  return { hosts: [host], rollout: "together" };
}

/** Takes the oldest deployment of this host that may start. Its lease must hold, and it must not be draining. */
async function claim(
  query: Query,
  { host, worker }: Member,
  targets: readonly string[],
  now: number,
): Promise<number | null> {
  const [claimed] = await query<{ id: number }>(
    `UPDATE deployment SET state = 'running', worker = $2, started_at = $4, previous_commit = (
       SELECT "commit" FROM live WHERE live.target = deployment.target AND live.host = deployment.host)
     WHERE id = (
       SELECT id FROM deployment AS waiting
       WHERE state = 'queued' AND host = $1 AND target = ANY($3)
         AND NOT EXISTS (
           SELECT 1 FROM deployment
           WHERE target = waiting.target AND host = waiting.host AND state = 'running')
         AND (trigger IN ('manual', 'rollback') OR NOT EXISTS (
           SELECT 1 FROM lock WHERE lock.target = waiting.target AND (until IS NULL OR until > $4)))
         AND NOT EXISTS (
           SELECT 1 FROM deployment AS before WHERE before.id = waiting.waits_for AND before.state <> 'succeeded')
         AND EXISTS (
           SELECT 1 FROM host
           WHERE name = $1 AND worker = $2 AND draining_since IS NULL
             AND seen_at > ${LEASE_END})
       ORDER BY (queue_all AND retry_of IS NOT NULL) DESC, id LIMIT 1)
     RETURNING id`,
    host,
    worker,
    targets,
    now,
  );
  return claimed?.id ?? null;
}

/** What an earlier deployment of the target found out about the commit. A rollback does not read it again. */
function selectSummary(column: "subject" | "author"): string {
  return `
    SELECT earlier.${column} FROM deployment AS earlier
    WHERE earlier.target = deployment.target AND earlier."commit" = $6 AND earlier.${column} IS NOT NULL
    ORDER BY earlier.id DESC LIMIT 1`;
}

/** Saves the result of a deployment that this process still runs. Resolves with its target. */
async function saveResult(
  query: Query,
  id: number,
  worker: string,
  { steps, ...result }: DeploymentResult,
  now: number,
): Promise<string> {
  const { state, code, reason, branch, commit, release, subject, author, commitUrl } = result;
  const [updated] = await query<{ target: string; host: string }>(
    `UPDATE deployment
     SET state = $2, code = $3, reason = $4, branch = $5, "commit" = $6, release = $7,
       subject = coalesce($8, (${selectSummary("subject")})), author = coalesce($9, (${selectSummary("author")})),
       commit_url = $10, ended_at = $11, cancel_reason = NULL
     WHERE id = $1 AND state = 'running' AND worker = $12 RETURNING target, host`,
    id,
    state,
    code,
    reason,
    branch,
    commit,
    release,
    subject,
    author,
    commitUrl,
    now,
    worker,
  );
  if (updated === undefined) throw new Error(`deployment ${id} is not running`);
  const { target, host } = updated;
  if (steps.length > 0) {
    await query(
      `INSERT INTO step (deployment, position, command, exit_code, signal, milliseconds)
       SELECT $1, position - 1, command, exit_code, signal, milliseconds
       FROM unnest($2::text[], $3::integer[], $4::text[], $5::bigint[])
         WITH ORDINALITY AS new (command, exit_code, signal, milliseconds, position)`,
      id,
      steps.map(({ command }) => command),
      steps.map(({ exitCode }) => exitCode),
      steps.map(({ signal }) => signal),
      steps.map(({ milliseconds }) => Math.round(milliseconds)),
    );
  }
  if (state === "succeeded") {
    await query(
      `INSERT INTO live (target, host, "commit", release, since, deployment) VALUES ($1, $2, $3, $4, $5, $6)
       ON CONFLICT (target, host) DO UPDATE SET
         "commit" = excluded."commit", release = excluded.release, since = excluded.since,
         deployment = excluded.deployment`,
      target,
      host,
      commit,
      release,
      now,
      id,
    );
  }
  return target;
}

/** Queues interrupted deployments again. Resolves with those that were queued. */
async function repeat(
  query: Query,
  ownHost: string,
  interrupted: readonly { readonly id: number; readonly target: string }[],
  now: Date,
  cause: "crash" | "shutdown",
): Promise<readonly Deployment[]> {
  if (interrupted.length === 0) return [];
  const queue = await readQueue(query, [...new Set(interrupted.map(({ target }) => target))], ownHost);
  const retries: Deployment[] = [];
  for (const { id } of interrupted) {
    const retry = await queue.retry(id, now.getTime(), cause);
    if (retry !== null) retries.push(retry);
  }
  await queue.write(now.getTime());
  return retries;
}

/** A running deployment whose process is gone: of this host an earlier one, of another host one whose lease has ended. */
const IS_LOST = `
  state = 'running' AND worker IS DISTINCT FROM $2 AND (host = $1 OR NOT EXISTS (
    SELECT 1 FROM host AS owner
    WHERE owner.name = deployment.host AND owner.worker = deployment.worker
      AND owner.seen_at > ${LEASE_END}))`;

/** In SQL: a queued deployment that need not wait any more, because the host before it is away or drained for long. */
function isSkipped(patience: "$1" | "$3"): string {
  return `
    deployment.state = 'queued' AND deployment.waits_for = before.id AND before.state = 'queued'
    AND owner.name = before.host
    AND least(owner.seen_at, owner.draining_since) < clock_timestamp() - make_interval(secs => ${patience})`;
}

/** Whether there is something to recover, without waiting for the write lane. */
async function needsRecovery(query: Query, { host, worker, patience }: Member): Promise<boolean> {
  const [found] = await query<{ found: boolean }>(
    `SELECT EXISTS (SELECT 1 FROM deployment WHERE ${IS_LOST})
       OR EXISTS (SELECT 1 FROM deployment WHERE host = $1 AND is_abandoned)
       OR EXISTS (SELECT 1 FROM deployment, deployment AS before, host AS owner WHERE ${isSkipped("$3")}) AS found`,
    host,
    worker,
    patience / 1000,
  );
  return found?.found === true;
}

/** Marks what is lost, and resolves with it. */
async function interruptLost(query: Query, { host, worker }: Member, now: number) {
  const rows = await query<{ id: number; target: string }>(
    `UPDATE deployment SET state = 'interrupted', ended_at = $3, is_abandoned = host <> $1,
       code = CASE host WHEN $1 THEN 'crash' ELSE 'lease_lost' END
     WHERE ${IS_LOST} RETURNING id, target`,
    host,
    worker,
    now,
  );
  return rows.toSorted((a, b) => a.id - b.id);
}

/** Lets rollouts pass hosts that are away. Their own deployments stay queued. */
async function skipAway(query: Query, { patience }: Member): Promise<void> {
  await query(
    `UPDATE deployment SET waits_for = before.waits_for FROM deployment AS before, host AS owner
     WHERE ${isSkipped("$1")}`,
    patience / 1000,
  );
}
