import type { Deployment, DeploymentStore, Ending, Live } from "../../domain/deployment.ts";
import { type DeploymentRow, type StepRow, toDeployment, toStepRow } from "./deployment-row.ts";
import type { Connection } from "./open.ts";

type LiveRow = { commit: string | null; release: string | null; since: number };

/** The deployments' part of the store, without their output. */
export function openDeployments(
  connection: Connection,
): Omit<DeploymentStore, "appendOutput" | "readOutput"> {
  const read = prepareRead(connection);
  const readLive = prepareReadLive(connection);
  const selectFree = connection.prepare<{ id: number; target: string }>(`
    SELECT id, target FROM deployment AS waiting
    WHERE state = 'queued'
      AND NOT EXISTS (SELECT 1 FROM deployment WHERE target = waiting.target AND state = 'running')
    ORDER BY id`);
  const start = connection.prepare<
    never,
    { id: number; started_at: number; previous_commit: string | null }
  >(`
    UPDATE deployment
    SET state = 'running', started_at = $started_at, previous_commit = $previous_commit
    WHERE id = $id`);
  const settle = prepareSettle(connection);
  const interrupt = connection.prepare<{ id: number }, { ended_at: number }>(`
    UPDATE deployment
    SET state = 'interrupted', reason = 'hooklatch stopped while it ran', ended_at = $ended_at
    WHERE state = 'running' RETURNING id`);
  const selectQueued = connection.prepare<{ id: number; target: string }>(
    "SELECT id, target FROM deployment WHERE state = 'queued' ORDER BY id",
  );
  const cancel = connection.prepare<never, { id: number; reason: string; ended_at: number }>(
    "UPDATE deployment SET state = 'cancelled', reason = $reason, ended_at = $ended_at WHERE id = $id",
  );

  /** One act in one transaction. */
  const act = <Result>(work: () => Result) => connection.attempt(() => connection.transact(work));

  return {
    claim: (targets, now) =>
      act(() => {
        const wanted = new Set(targets);
        const next = selectFree.all({}).find((waiting) => wanted.has(waiting.target));
        if (next === undefined) return null;
        const previous = readLive(next.target)?.commit ?? null;
        start.run({ id: next.id, started_at: now.getTime(), previous_commit: previous });
        return read(next.id);
      }),
    settle: (id, ending, now) =>
      act(() => {
        settle(id, ending, now);
        return known(read(id), id);
      }),
    interruptRunning: (now) =>
      act(() => interrupt.all({ ended_at: now.getTime() }).map(({ id }) => known(read(id), id))),
    cancelOrphans: (targets, now) =>
      act(() => {
        const configured = new Set(targets);
        const orphans = selectQueued.all({}).filter((waiting) => !configured.has(waiting.target));
        return orphans.map(({ id, target }) => {
          const reason = `target ${target} is no longer configured`;
          cancel.run({ id, reason, ended_at: now.getTime() });
          return known(read(id), id);
        });
      }),
    readDeployment: (id) => connection.attempt(() => read(id)),
    readLive: (target) => connection.attempt(() => readLive(target)),
  };
}

/** What writes how a running deployment ended: its state, its steps and, for a success, what is live. */
function prepareSettle(connection: Connection) {
  const end = connection.prepare<
    { target: string },
    Omit<Ending, "steps"> & { id: number; ended_at: number }
  >(`
    UPDATE deployment
    SET state = $state, reason = $reason, branch = $branch, "commit" = $commit, release = $release,
      ended_at = $ended_at
    WHERE id = $id AND state = 'running' RETURNING target`);
  const insertStep = connection.prepare<never, StepRow & { deployment: number; position: number }>(`
    INSERT INTO step (deployment, position, command, exit_code, signal, milliseconds)
    VALUES ($deployment, $position, $command, $exit_code, $signal, $milliseconds)`);
  const upsertLive = connection.prepare<never, LiveRow & { target: string; deployment: number }>(`
    INSERT INTO live (target, "commit", release, since, deployment)
    VALUES ($target, $commit, $release, $since, $deployment)
    ON CONFLICT (target) DO UPDATE SET
      "commit" = excluded."commit", release = excluded.release, since = excluded.since,
      deployment = excluded.deployment`);

  return (id: number, ending: Ending, now: Date): void => {
    const { steps, ...told } = ending;
    const ended = end.get({ ...told, id, ended_at: now.getTime() });
    if (ended === null) throw new Error(`deployment ${id} is not running`);
    for (const [position, step] of steps.entries()) {
      insertStep.run({ ...toStepRow(step), deployment: id, position });
    }
    if (ending.state !== "succeeded") return;
    const { commit, release } = ending;
    upsertLive.run({ target: ended.target, commit, release, since: now.getTime(), deployment: id });
  };
}

function prepareRead(connection: Connection) {
  const select = connection.prepare<DeploymentRow, { id: number }>("SELECT * FROM deployment WHERE id = $id");
  const selectSteps = connection.prepare<StepRow, { deployment: number }>(
    "SELECT * FROM step WHERE deployment = $deployment ORDER BY position",
  );
  return (id: number): Deployment | null => {
    const row = select.get({ id });
    return row === null ? null : toDeployment(row, selectSteps.all({ deployment: id }));
  };
}

function prepareReadLive(connection: Connection) {
  const select = connection.prepare<LiveRow, { target: string }>(
    'SELECT "commit", release, since FROM live WHERE target = $target',
  );
  return (target: string): Live | null => {
    const row = select.get({ target });
    return row === null ? null : { ...row, since: new Date(row.since) };
  };
}

function known(deployment: Deployment | null, id: number): Deployment {
  if (deployment === null) throw new Error(`deployment ${id} is gone`);
  return deployment;
}
