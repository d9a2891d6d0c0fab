import type { AbandonedRun, DeploymentStore } from "../domain/deployment.ts";
import type { NotificationSubscription } from "../domain/notification.ts";
import type { PublishEvent } from "../domain/server-event.ts";
import type { Target } from "../domain/target.ts";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import { publishFinished } from "./event-bus.ts";

/** What restoring works with. */
export interface RestoreTools {
  readonly store: Pick<DeploymentStore, "readTargetStatus" | "appendOutput">;
  readonly clock: Clock;
  readonly log: Log;
  /**
   * Takes back what a run had made live and puts the `live` commit back. Resolves with what people should know of that,
   * or null where there was nothing to take back.
   */
  readonly restore: (
    run: AbandonedRun,
    live: string | null,
    onLine: (line: string) => void,
  ) => Promise<string | null>;
}

/**
 * After a crash makes live again what the store says is live. A target whose next deployment may begin at once is left
 * alone: that one takes the place of the unproven files, or, where it fails, puts back what was live before them.
 */
export async function revertInterrupted(runs: readonly AbandonedRun[], tools: RestoreTools): Promise<void> {
  for (const run of runs) await restoreOne(run, tools);
}

async function restoreOne(run: AbandonedRun, { store, clock, log, restore }: RestoreTools): Promise<void> {
  const fields = { deployment: run.deployment, target: run.target.name };
  try {
    const { queued, lock, live } = await store.readTargetStatus(run.target.name, clock.now());
    if (queued !== null && lock === null) return;
    const lines: string[] = [];
    const told = await restore(run, live?.commit ?? null, (line) => lines.push(line));
    if (told === null) return;
    log.warn({ ...fields, outcome: told }, "took back what an interrupted deployment had made live");
    await store.appendOutput(run.deployment, lines);
  } catch (error) {
    log.error({ ...fields, err: error }, "could not take back what an interrupted deployment had made live");
  }
}

/** What taking up the queue works with. */
export interface TakeUpTools {
  readonly store: DeploymentStore;
  readonly clock: Clock;
  readonly log: Log;
  readonly publish: PublishEvent;
  /** Those who want to be told of deployments. */
  readonly subscribers: readonly NotificationSubscription[];
}

/**
 * Takes up what the last run left, before anything is claimed: nothing can be running, and some targets may be gone
 * from the configuration. Resolves with the runs whose processes are to be ended before the next begin.
 */
export async function recoverQueue(
  targets: readonly Target[],
  { store, clock, log, publish, subscribers }: TakeUpTools,
): Promise<readonly AbandonedRun[]> {
  const interrupted = await store.recoverInterrupted(clock.now(), subscribers);
  for (const { deployment, retry } of interrupted) {
    const { id, target } = deployment;
    publishFinished({ deployment, retry }, publish);
    log.warn(
      { deployment: id, target, queued_again_as: retry?.id ?? null },
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
