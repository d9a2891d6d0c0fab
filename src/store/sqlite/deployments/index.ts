import type { Deployment, DeploymentResult, Live, StepResult } from "../../../domain/deployment.ts";
import type { DeploymentStore } from "../../../domain/deployment-store.ts";
import type { NotificationSubscription } from "../../../domain/notification.ts";
import type { Connection } from "../connection.ts";
import { prepareNotify } from "../notifications.ts";
import { prepareCancel, prepareClaim, type Queue } from "./queue.ts";
import { prepareReadDeployments, prepareReadLive, prepareReadTargetStatus } from "./read.ts";

/** The part of the store that holds deployments, without their output and their removal. */
export function createDeployments(
  connection: Connection,
  queue: Queue,
  host: string,
): Omit<DeploymentStore, "appendOutput" | "readOutput" | "readOutputAfter" | "prune"> {
  const { attempt, attemptTransaction } = connection;
  const { read, list } = prepareReadDeployments(connection, host);
  const readLive = prepareReadLive(connection);
  const readTargetStatus = prepareReadTargetStatus(connection, queue, read);
  const claim = prepareClaim(connection);
  const finish = prepareFinish(connection, queue);
  const interrupt = connection.prepare<{ id: number }, { now: number }>(`
    UPDATE deployment SET state = 'interrupted', code = 'crash', ended_at = $now
    WHERE state = 'running' RETURNING id`);
  const notify = prepareNotify(connection);
  const { cancelQueued, cancelUnconfigured } = prepareCancel(connection);

  function readKnown(id: number): Deployment {
    const deployment = read(id);
    if (deployment === null) throw new Error(`deployment ${id} is not stored`);
    return deployment;
  }

  return {
    queueDeployment: ({ target, trigger, commit, choice, queueAll = false }, now) =>
      attemptTransaction(() => {
        const createdAt = now.getTime();
        const request = {
          target,
          trigger,
          delivery: null,
          pushedCommit: commit,
          choice,
          queueAll,
          createdAt,
        };
        return queue.add(request);
      }),
    claim: (targets, now) =>
      attemptTransaction(() => {
        const id = claim(targets, now.getTime(), (target) => readLive(target)?.commit ?? null);
        return id === null ? null : read(id);
      }),
    finish: (id, result, now, subscriptions) =>
      attemptTransaction(() => {
        const retry = finish(id, result, now, subscriptions);
        return { deployment: readKnown(id), retry };
      }),
    cancelQueued: (id, reason, now) =>
      attemptTransaction(() => (cancelQueued(id, reason, now.getTime()) ? read(id) : null)),
    recoverInterrupted: (now, subscriptions) =>
      attemptTransaction(() =>
        interrupt.all({ now: now.getTime() }).map(({ id }) => {
          const retry = queue.retry(id, now.getTime(), "crash");
          const deployment = readKnown(id);
          notify(deployment, subscriptions, now);
          return { deployment, retry };
        }),
      ),
    cancelUnconfigured: (targets, now) =>
      attemptTransaction(() => cancelUnconfigured(targets, now.getTime()).map(readKnown)),
    readDeployment: (id) => attempt(() => read(id)),
    listDeployments: (filter, range) => attempt(() => list(filter, range)),
    readLive: (target, on = host) => attempt(() => (on === host ? readLive(target) : null)),
    readTargetStatus: (target, now, on = host) => attempt(() => readTargetStatus(target, now, on === host)),
  };
}

/** What an earlier deployment of the target found out about the commit. A rollback does not read it again. */
function selectSummary(column: "subject" | "author"): string {
  return `
    SELECT earlier.${column} FROM deployment AS earlier
    WHERE earlier.target = deployment.target AND earlier."commit" = $commit AND earlier.${column} IS NOT NULL
    ORDER BY earlier.id DESC LIMIT 1`;
}

/**
 * Prepares the recording of a running deployment's end, in the caller's transaction: its result, its steps, its
 * notifications and, for a success, what is live. Queues an interrupted one again and returns its retry.
 */
function prepareFinish(connection: Connection, queue: Queue) {
  const update = connection.prepare<
    { target: string },
    Omit<DeploymentResult, "steps"> & { id: number; now: number }
  >(`
    UPDATE deployment
    SET state = $state, code = $code, reason = $reason, branch = $branch, "commit" = $commit, release = $release,
      subject = ifnull($subject, (${selectSummary("subject")})), author = ifnull($author, (${selectSummary("author")})),
      commit_url = $commitUrl, ended_at = $now
    WHERE id = $id AND state = 'running' RETURNING target`);
  const insertStep = connection.prepare<never, Omit<StepResult, never> & { id: number; position: number }>(`
    INSERT INTO step (deployment, position, command, exit_code, signal, milliseconds)
    VALUES ($id, $position, $command, $exitCode, $signal, $milliseconds)`);
  const upsertLive = connection.prepare<
    never,
    Omit<Live, "since"> & { target: string; id: number; now: number }
  >(`
    INSERT INTO live (target, "commit", release, since, deployment) VALUES ($target, $commit, $release, $now, $id)
    ON CONFLICT (target) DO UPDATE SET
      "commit" = excluded."commit", release = excluded.release, since = excluded.since,
      deployment = excluded.deployment`);
  const notify = prepareNotify(connection);

  return (
    id: number,
    { steps, ...result }: DeploymentResult,
    ended: Date,
    subscriptions: readonly NotificationSubscription[],
  ): Deployment | null => {
    const now = ended.getTime();
    const { state, commit, release } = result;
    const updated = update.get({ ...result, id, now });
    if (updated === null) throw new Error(`deployment ${id} is not running`);
    const { target } = updated;
    for (const [position, step] of steps.entries()) {
      // The STRICT column accepts whole milliseconds.
      insertStep.run({ ...step, milliseconds: Math.round(step.milliseconds), id, position });
    }
    notify({ id, target, state }, subscriptions, ended);
    if (state === "succeeded") upsertLive.run({ target, commit, release, now, id });
    return state === "interrupted"
      ? queue.retry(id, now, result.code === "shutdown" ? "shutdown" : "crash")
      : null;
  };
}
