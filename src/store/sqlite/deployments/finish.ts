import type { Deployment, DeploymentResult } from "../../../domain/deployment.ts";
import type { NotificationSubscription } from "../../../domain/notification.ts";
import type { Connection } from "../connection.ts";
import { prepareNoteEnd } from "../notifications.ts";
import type { Queue } from "./queue.ts";
import { type StepRow, toStepRow } from "./row.ts";

type LiveRow = { target: string; commit: string | null; release: string | null; since: number };

/**
 * What writes, in a transaction of its caller's, how a running deployment ended: its state, its steps, the notices of
 * it and, for a success, what is live. One that was interrupted is queued again, and what is queued is given back.
 */
export function prepareFinish(connection: Connection, queue: Queue) {
  const end = connection.prepare<
    { target: string },
    Omit<DeploymentResult, "steps"> & { id: number; ended_at: number }
  >(`
    UPDATE deployment
    SET state = $state, reason = $reason, branch = $branch, "commit" = $commit, release = $release,
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

  const noteEnd = prepareNoteEnd(connection);

  return (
    id: number,
    ending: DeploymentResult,
    now: Date,
    subscribers: readonly NotificationSubscription[],
  ): Deployment | null => {
    const { steps, ...told } = ending;
    const ended = end.get({ ...told, id, ended_at: now.getTime() });
    if (ended === null) throw new Error(`deployment ${id} is not running`);
    for (const [position, step] of steps.entries()) {
      insertStep.run({ ...toStepRow(step), deployment: id, position });
    }
    noteEnd({ id, target: ended.target, state: ending.state }, subscribers, now);
    if (ending.state === "interrupted") return queue.addAgain(id, now.getTime(), "stop");
    if (ending.state !== "succeeded") return null;
    const { commit, release } = ending;
    upsertLive.run({ target: ended.target, commit, release, since: now.getTime(), deployment: id });
    return null;
  };
}
