import type { Deployment } from "../../../domain/deployment.ts";
import type { DeploymentStore } from "../../../domain/deployment-store.ts";
import type { Connection } from "../connection.ts";
import { prepareInsertEnded } from "../notifications.ts";
import { prepareFinish } from "./finish.ts";
import { prepareCancel, prepareClaim, type Queue } from "./queue.ts";
import { prepareReadDeployments } from "./read.ts";
import { prepareReadLive, prepareReadTargetStatus } from "./target-status.ts";

/** The part of the store that holds deployments, without their output and their removal. */
export function createDeployments(
  connection: Connection,
  queue: Queue,
): Omit<DeploymentStore, "appendOutput" | "readOutput" | "readOutputAfter" | "prune"> {
  const { read, list } = prepareReadDeployments(connection);
  const readLive = prepareReadLive(connection);
  const readTargetStatus = prepareReadTargetStatus(connection, queue, read);
  const claim = prepareClaim(connection);
  const finish = prepareFinish(connection, queue);
  const interrupt = connection.prepare<{ id: number }, { ended_at: number }>(`
    UPDATE deployment SET state = 'interrupted', code = 'crash', ended_at = $ended_at
    WHERE state = 'running' RETURNING id`);
  const insertEnded = prepareInsertEnded(connection);
  const { cancelQueued, cancelUnconfigured } = prepareCancel(connection);

  /** Runs one act in one transaction. */
  const act = <Result>(work: () => Result) => connection.attempt(() => connection.transact(work));
  const readKnown = (id: number) => known(read(id), id);

  return {
    queueDeployment: ({ target, trigger, commit, choice }, now) =>
      act(() => {
        const createdAt = now.getTime();
        return queue.add({ target, trigger, delivery: null, pushedCommit: commit, choice, createdAt });
      }),
    claim: (targets, now) =>
      act(() => {
        const id = claim(targets, now, (target) => readLive(target)?.commit ?? null);
        return id === null ? null : read(id);
      }),
    finish: (id, result, now, subscriptions) =>
      act(() => {
        const retry = finish(id, result, now, subscriptions);
        return { deployment: readKnown(id), retry };
      }),
    cancelQueued: (id, reason, now) => act(() => (cancelQueued(id, reason, now) ? read(id) : null)),
    recoverInterrupted: (now, subscriptions) =>
      act(() =>
        interrupt.all({ ended_at: now.getTime() }).map(({ id }) => {
          const retry = queue.retry(id, now.getTime(), "crash");
          const deployment = readKnown(id);
          insertEnded(deployment, subscriptions, now);
          return { deployment, retry };
        }),
      ),
    cancelUnconfigured: (targets, now) => act(() => cancelUnconfigured(targets, now).map(readKnown)),
    readDeployment: (id) => connection.attempt(() => read(id)),
    listDeployments: (filter, range) => connection.attempt(() => list(filter, range)),
    readLive: (target) => connection.attempt(() => readLive(target)),
    readTargetStatus: (target, now) => connection.attempt(() => readTargetStatus(target, now)),
  };
}

function known(deployment: Deployment | null, id: number): Deployment {
  if (deployment === null) throw new Error(`deployment ${id} is gone`);
  return deployment;
}
