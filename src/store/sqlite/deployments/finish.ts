import type { Deployment, DeploymentResult } from "../../../domain/deployment.ts";
import type { NotificationSubscription } from "../../../domain/notification.ts";
import type { Connection } from "../connection.ts";
import { prepareInsertEnded } from "../notifications.ts";
import type { Queue } from "./queue.ts";
import { type StepRow, toStepRow } from "./row.ts";

type LiveRow = { target: string; commit: string | null; release: string | null; since: number };

/**
 * Prepares what records, in the caller's transaction, how a running deployment ended: its result, its steps, its
 * notifications and, for a success, what is live. Queues an interrupted one again and returns its retry.
 */
export function prepareFinish(connection: Connection, queue: Queue) {
  const update = connection.prepare<
    { target: string },
    Omit<DeploymentResult, "steps"> & { id: number; ended_at: number }
  >(`
    UPDATE deployment
    SET state = $state, code = $code, reason = $reason, branch = $branch, "commit" = $commit, release = $release,
      ended_at = $ended_at
    WHERE id = $id AND state = 'running' RETURNING target`);
  const insertStep = connection.prepare<never, StepRow & { deployment: number; position: number }>(`
    INSERT INTO step (deployment, position, command, exit_code, signal, milliseconds)
    VALUES ($deployment, $position, $command, $exit_code, $signal, $milliseconds)`);
  const upsertLive = connection.prepare<never, LiveRow & { deployment: number }>(`
    INSERT INTO live (target, "commit", release, since, deployment)
    VALUES ($target, $commit, $release, $since, $deployment)
    ON CONFLICT (target) DO UPDATE SET
      "commit" = excluded."commit", release = excluded.release, since = excluded.since,
      deployment = excluded.deployment`);
  const insertEnded = prepareInsertEnded(connection);

  return (
    id: number,
    { steps, ...result }: DeploymentResult,
    now: Date,
    subscriptions: readonly NotificationSubscription[],
  ): Deployment | null => {
    const ended = update.get({ ...result, id, ended_at: now.getTime() });
    if (ended === null) throw new Error(`deployment ${id} is not running`);
    const { target } = ended;
    for (const [position, step] of steps.entries()) {
      insertStep.run({ ...toStepRow(step), deployment: id, position });
    }
    insertEnded({ id, target, state: result.state }, subscriptions, now);
    if (result.state === "interrupted") return queue.retry(id, now.getTime(), "shutdown");
    if (result.state !== "succeeded") return null;
    const { commit, release } = result;
    upsertLive.run({ target, commit, release, since: now.getTime(), deployment: id });
    return null;
  };
}
