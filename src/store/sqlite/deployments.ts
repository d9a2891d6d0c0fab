import type { Deployment, DeploymentStore } from "../../domain/deployment.ts";
import { prepareCancel } from "./cancel.ts";
import { prepareClaim } from "./claim.ts";
import { prepareNoteEnd } from "./notices.ts";
import type { Connection } from "./open.ts";
import type { Queue } from "./queue.ts";
import { prepareReadDeployments } from "./read-deployments.ts";
import { prepareSettle } from "./settle.ts";
import { prepareReadLive, prepareReadStanding } from "./standing.ts";

/** The deployments' part of the store, without their output and their removal. */
export function openDeployments(
  connection: Connection,
  queue: Queue,
): Omit<DeploymentStore, "appendOutput" | "readOutput" | "readOutputAfter" | "prune"> {
  const { read, list } = prepareReadDeployments(connection);
  const readLive = prepareReadLive(connection);
  const readStanding = prepareReadStanding(connection, queue, read);
  const claim = prepareClaim(connection);
  const settle = prepareSettle(connection, queue);
  const interrupt = connection.prepare<{ id: number }, { ended_at: number }>(`
    UPDATE deployment
    SET state = 'interrupted', reason = 'hooklatch was killed, or the machine stopped, while it ran',
      ended_at = $ended_at
    WHERE state = 'running' RETURNING id`);
  const noteEnd = prepareNoteEnd(connection);
  const { cancelQueued, cancelUnconfigured } = prepareCancel(connection);

  /** One act in one transaction. */
  const act = <Result>(work: () => Result) => connection.attempt(() => connection.transact(work));
  const readKnown = (id: number) => known(read(id), id);

  return {
    request: ({ target, trigger, commit, choice }, now) =>
      act(() => {
        const createdAt = now.getTime();
        return queue.add({ target, trigger, delivery: null, pushedCommit: commit, choice, createdAt });
      }),
    claim: (targets, now) =>
      act(() => {
        const id = claim(targets, now, (target) => readLive(target)?.commit ?? null);
        return id === null ? null : read(id);
      }),
    settle: (id, ending, now, subscribers) =>
      act(() => {
        const queuedAgain = settle(id, ending, now, subscribers);
        return { deployment: readKnown(id), queuedAgain };
      }),
    cancelQueued: (id, reason, now) => act(() => (cancelQueued(id, reason, now) ? read(id) : null)),
    interruptRunning: (now, subscribers) =>
      act(() =>
        interrupt.all({ ended_at: now.getTime() }).map(({ id }) => {
          const queuedAgain = queue.addAgain(id, now.getTime(), "crash");
          const deployment = readKnown(id);
          noteEnd(deployment, subscribers, now);
          return { deployment, queuedAgain };
        }),
      ),
    cancelUnconfigured: (targets, now) => act(() => cancelUnconfigured(targets, now).map(readKnown)),
    readDeployment: (id) => connection.attempt(() => read(id)),
    listDeployments: (filter, range) => connection.attempt(() => list(filter, range)),
    readLive: (target) => connection.attempt(() => readLive(target)),
    readStanding: (target, now) => connection.attempt(() => readStanding(target, now)),
  };
}

function known(deployment: Deployment | null, id: number): Deployment {
  if (deployment === null) throw new Error(`deployment ${id} is gone`);
  return deployment;
}
