import type { Clock } from "../domain/clock.ts";
import type { DeploymentStore } from "../domain/deployment.ts";
import type { Log } from "../domain/log.ts";
import type { Target } from "../domain/target.ts";

/** What taking up the queue works with. */
export interface TakeUpTools {
  readonly store: DeploymentStore;
  readonly clock: Clock;
  readonly log: Log;
  /** Ends the processes that deployments left behind. Resolves with their ids. */
  readonly endOrphans: (
    runs: readonly { readonly deployment: number; readonly target: Target }[],
  ) => Promise<readonly number[]>;
}

/**
 * Takes up what the last run left, before anything is claimed: nothing can be running, what still does is ended,
 * and some targets may be gone from the configuration.
 */
export async function takeUpQueue(
  targets: readonly Target[],
  { store, clock, log, endOrphans }: TakeUpTools,
): Promise<void> {
  const interrupted = await store.interruptRunning(clock.now());
  for (const { deployment, queuedAgainAs } of interrupted) {
    const { id, target } = deployment;
    log.warn(
      { deployment: id, target, queued_again_as: queuedAgainAs },
      "deployment interrupted by the last stop",
    );
  }
  const abandoned = interrupted.flatMap(({ deployment }) => {
    const target = targets.find(({ name }) => name === deployment.target);
    return target === undefined ? [] : [{ deployment: deployment.id, target }];
  });
  const pids = await endOrphans(abandoned);
  if (pids.length > 0) log.warn({ pids }, "ended what an interrupted deployment had left running");
  const names = targets.map(({ name }) => name);
  for (const { id, target, reason } of await store.cancelOrphans(names, clock.now())) {
    log.warn({ deployment: id, target, reason }, "deployment cancelled");
  }
}
