import type { Deployment, DeploymentStore, Live } from "../../domain/deployment.ts";
import { type DeploymentRow, type StepRow, toDeployment } from "./deployment-row.ts";
import type { Connection } from "./open.ts";
import type { Queue } from "./queue.ts";
import { prepareSettle } from "./settle.ts";

/** The deployments' part of the store, without their output and their removal. */
export function openDeployments(
  connection: Connection,
  queue: Queue,
): Omit<DeploymentStore, "appendOutput" | "readOutput" | "prune"> {
  const { read, readNewest } = prepareRead(connection);
  const readLive = prepareReadLive(connection);
  const claim = prepareClaim(connection);
  const settle = prepareSettle(connection, queue);
  const interrupt = connection.prepare<{ id: number }, { ended_at: number }>(`
    UPDATE deployment
    SET state = 'interrupted', reason = 'hooklatch stopped while it ran', ended_at = $ended_at
    WHERE state = 'running' RETURNING id`);
  const cancelOrphans = prepareCancelOrphans(connection);

  /** One act in one transaction. */
  const act = <Result>(work: () => Result) => connection.attempt(() => connection.transact(work));
  const readKnown = (id: number) => known(read(id), id);

  return {
    request: ({ target, trigger, commit }, now) =>
      act(() =>
        queue.add({ target, trigger, delivery: null, pushedCommit: commit, createdAt: now.getTime() }),
      ),
    claim: (targets, now) =>
      act(() => {
        const id = claim(targets, now, (target) => readLive(target)?.commit ?? null);
        return id === null ? null : read(id);
      }),
    settle: (id, ending, now) =>
      act(() => {
        settle(id, ending, now);
        return readKnown(id);
      }),
    interruptRunning: (now) =>
      act(() =>
        interrupt.all({ ended_at: now.getTime() }).map(({ id }) => ({
          deployment: readKnown(id),
          queuedAgainAs: queue.addAgain(id, now.getTime(), "crash"),
        })),
      ),
    cancelOrphans: (targets, now) => act(() => cancelOrphans(targets, now).map(readKnown)),
    readDeployment: (id) => connection.attempt(() => read(id)),
    readLive: (target) => connection.attempt(() => readLive(target)),
    readStanding: (target) =>
      connection.attempt(() => ({ live: readLive(target), last: readNewest(target) })),
  };
}

/** What marks the oldest queued deployment whose target is wanted and free as running, and gives its id. */
function prepareClaim(connection: Connection) {
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

  return (
    targets: readonly string[],
    now: Date,
    readPreviousCommit: (target: string) => string | null,
  ): number | null => {
    const wanted = new Set(targets);
    const next = selectFree.all({}).find((waiting) => wanted.has(waiting.target));
    if (next === undefined) return null;
    const previous_commit = readPreviousCommit(next.target);
    start.run({ id: next.id, started_at: now.getTime(), previous_commit });
    return next.id;
  };
}

/** What cancels the queued deployments of targets that are not among the given ones, and gives their ids. */
function prepareCancelOrphans(connection: Connection) {
  const selectQueued = connection.prepare<{ id: number; target: string }>(
    "SELECT id, target FROM deployment WHERE state = 'queued' ORDER BY id",
  );
  const cancel = connection.prepare<never, { id: number; reason: string; ended_at: number }>(
    "UPDATE deployment SET state = 'cancelled', reason = $reason, ended_at = $ended_at WHERE id = $id",
  );
  return (targets: readonly string[], now: Date): readonly number[] => {
    const configured = new Set(targets);
    const orphans = selectQueued.all({}).filter((waiting) => !configured.has(waiting.target));
    for (const { id, target } of orphans) {
      const reason = `target ${target} is no longer configured`;
      cancel.run({ id, reason, ended_at: now.getTime() });
    }
    return orphans.map(({ id }) => id);
  };
}

function prepareRead(connection: Connection) {
  const select = connection.prepare<DeploymentRow, { id: number }>("SELECT * FROM deployment WHERE id = $id");
  const selectSteps = connection.prepare<StepRow, { deployment: number }>(
    "SELECT * FROM step WHERE deployment = $deployment ORDER BY position",
  );
  const selectNewest = connection.prepare<{ id: number }, { target: string }>(`
    SELECT id FROM deployment WHERE target = $target AND state <> 'superseded' ORDER BY id DESC LIMIT 1`);

  function read(id: number): Deployment | null {
    const row = select.get({ id });
    return row === null ? null : toDeployment(row, selectSteps.all({ deployment: id }));
  }
  /** The target's newest that was not superseded. */
  function readNewest(target: string): Deployment | null {
    const newest = selectNewest.get({ target });
    return newest === null ? null : read(newest.id);
  }
  return { read, readNewest };
}

function prepareReadLive(connection: Connection) {
  const select = connection.prepare<
    { commit: string | null; release: string | null; since: number },
    { target: string }
  >('SELECT "commit", release, since FROM live WHERE target = $target');
  return (target: string): Live | null => {
    const row = select.get({ target });
    return row === null ? null : { ...row, since: new Date(row.since) };
  };
}

function known(deployment: Deployment | null, id: number): Deployment {
  if (deployment === null) throw new Error(`deployment ${id} is gone`);
  return deployment;
}
