import type { Clock } from "../domain/clock.ts";
import type { AbandonedRun, DeploymentStore } from "../domain/deployment.ts";
import type { Publish } from "../domain/happening.ts";
import type { Log } from "../domain/log.ts";
import type { Subscriber } from "../domain/notice.ts";
import type { Target } from "../domain/target.ts";
import { publishSettled } from "./publish-deployments.ts";

/** What taking up the queue works with. */
export interface TakeUpTools {
  readonly store: DeploymentStore;
  readonly clock: Clock;
  readonly log: Log;
  readonly publish: Publish;
  /** Those who want to be told of deployments. */
  readonly subscribers: readonly Subscriber[];
}

/**
 * Takes up what the last run left, before anything is claimed: nothing can be running, and some targets may be gone
 * from the configuration. Resolves with the runs whose processes are to be ended before the next begin.
 */
export async function takeUpQueue(
  targets: readonly Target[],
  { store, clock, log, publish, subscribers }: TakeUpTools,
): Promise<readonly AbandonedRun[]> {
  const interrupted = await store.interruptRunning(clock.now(), subscribers);
  for (const { deployment, queuedAgain } of interrupted) {
    const { id, target } = deployment;
    publishSettled({ deployment, queuedAgain }, publish);
    log.warn(
      { deployment: id, target, queued_again_as: queuedAgain?.id ?? null },
      "deployment interrupted by the last stop",
    );
  }
  await cancelUnconfigured(targets, { store, clock, log, publish });
  return interrupted.flatMap(({ deployment }) => {
    const target = targets.find(({ name }) => name === deployment.target);
    return target === undefined ? [] : [{ deployment: deployment.id, target }];
  });
}

/** What cancelling works with. */
interface CancelTools extends Pick<TakeUpTools, "clock" | "log" | "publish"> {
  readonly store: Pick<DeploymentStore, "cancelUnconfigured">;
}

/** Cancels what waits for targets that are not (any more) in the configuration. */
export async function cancelUnconfigured(
  targets: readonly Target[],
  { store, clock, log, publish }: CancelTools,
): Promise<void> {
  const names = targets.map(({ name }) => name);
  for (const deployment of await store.cancelUnconfigured(names, clock.now())) {
    const { id, target, reason } = deployment;
    publish({ kind: "deployment", deployment });
    log.warn({ deployment: id, target, reason }, "deployment cancelled");
  }
}
