import type { AbandonedRun } from "../domain/deployment.ts";
import { describeResult } from "../domain/deployment-result.ts";
import type { FinishedDeployment } from "../domain/deployment-store.ts";
import type { NotificationSubscription } from "../domain/notification.ts";
import { MAX_PAGE } from "../domain/page.ts";
import { type ReleaseHistory, traceReleaseHistory } from "../domain/release.ts";
import type { Store } from "../domain/store.ts";
import { isDeployedOn, type Target } from "../domain/target.ts";
import { replaceNul } from "../lib/text.ts";
import { publishFinished } from "./event-bus.ts";
import type { FlowServices } from "./services.ts";

type RevertServices = Pick<FlowServices, "store" | "clock" | "log"> & {
  /**
   * Undoes what a run had made live and makes the `live` commit live again. Resolves with a description, or null where
   * there was nothing to undo.
   */
  readonly revert: (
    run: AbandonedRun,
    live: string | null,
    onLine: (line: string) => void,
  ) => Promise<string | null>;
};

/**
 * After a crash, makes live again what the store says is live. A target whose next deployment may start at once is
 * skipped: that deployment replaces the unproven files, or reverts them when it fails.
 */
export async function revertInterrupted(
  runs: readonly AbandonedRun[],
  services: RevertServices,
): Promise<void> {
  for (const run of runs) await revertOne(run, services);
}

async function revertOne(run: AbandonedRun, { store, clock, log, revert }: RevertServices): Promise<void> {
  const fields = { deployment: run.deployment, target: run.target.name };
  try {
    const { queued, lock, live } = await store.readTargetStatus(run.target.name, clock.now());
    if (queued !== null && lock === null) return;
    const lines: string[] = [];
    const outcome = await revert(run, live?.commit ?? null, (line) => lines.push(replaceNul(line)));
    if (outcome === null) return;
    log.warn({ ...fields, outcome }, "reverted what an interrupted deployment had made live");
    await store.appendOutput(run.deployment, lines);
  } catch (error) {
    log.error({ ...fields, err: error }, "could not revert what an interrupted deployment had made live");
  }
}

/**
 * Recovers the queue of the last run, before anything is claimed: no deployment can be running, and some targets may no
 * longer be configured. Resolves with the runs whose processes have to be ended before the next ones start.
 */
export async function recoverQueue(
  targets: readonly Target[],
  subscriptions: readonly NotificationSubscription[],
  services: Pick<FlowServices, "store" | "clock" | "log" | "publish">,
): Promise<readonly AbandonedRun[]> {
  const interrupted = await recoverInterrupted(subscriptions, services);
  await cancelUnconfigured(targets, services);
  return interrupted.flatMap(({ deployment }) => {
    const target = targets.find(({ name }) => name === deployment.target);
    return target === undefined || deployment.host !== services.store.host
      ? []
      : [{ deployment: deployment.id, target }];
  });
}

/** Recovers the deployments whose process is gone, of this host and, in a fleet, of others. */
export async function recoverInterrupted(
  subscriptions: readonly NotificationSubscription[],
  { store, clock, log, publish }: Pick<FlowServices, "store" | "clock" | "log" | "publish">,
): Promise<readonly FinishedDeployment[]> {
  const interrupted = await store.recoverInterrupted(clock.now(), subscriptions);
  for (const finished of interrupted) {
    publishFinished(finished, publish);
    const { id, target, host, state, code, retriedAs, supersededBy } = finished.deployment;
    const fields = {
      deployment: id,
      target,
      ...(store.fleet !== null && { host }),
      code,
      retried_as: retriedAs,
      superseded_by: supersededBy,
    };
    const cause = code === "lease_lost" ? "because its host is away" : "by a crash";
    // A rollout that stopped or went on is reported too.
    log.warn(fields, state === "interrupted" ? `deployment interrupted ${cause}` : `deployment ${state}`);
  }
  return interrupted;
}

/** Cancels deployments that are queued for this host, of targets that are not configured or not deployed on it. */
export async function cancelUnconfigured(
  targets: readonly Target[],
  { store, clock, log, publish }: Pick<FlowServices, "store" | "clock" | "log" | "publish">,
): Promise<void> {
  const names = targets.filter((target) => isDeployedOn(target, store.host)).map(({ name }) => name);
  for (const deployment of await store.cancelUnconfigured(names, clock.now())) {
    const { id, target, code } = deployment;
    publish({ kind: "deployment", deployment });
    log.warn({ deployment: id, target, code, reason: describeResult(deployment) }, "deployment cancelled");
  }
}

/** Traces a target's history through the last page of its successful deployments on this host. */
export async function readReleaseHistory(
  target: string,
  store: Pick<Store, "listDeployments" | "host">,
): Promise<ReleaseHistory> {
  const filter = { target, state: "succeeded", source: null, host: store.host } as const;
  const { items } = await store.listDeployments(filter, { limit: MAX_PAGE, before: null });
  return traceReleaseHistory(items);
}
