import type { TargetStatus } from "../domain/deployment-store.ts";
import { describeLock } from "../domain/lock.ts";
import type { RemoteTip, Target } from "../domain/target.ts";
import { createSemaphore } from "../lib/semaphore.ts";
import { publishQueued } from "./event-bus.ts";
import { readReleaseHistory } from "./recovery.ts";
import type { FlowServices } from "./services.ts";

type CatchUpServices = Pick<FlowServices, "store" | "clock" | "log" | "publish" | "wakeWorker"> & {
  /** Reads the tip of the target's branch, or its newest tag, from the remote. */
  readonly readTip: (target: Target) => Promise<RemoteTip>;
};

/** How many remotes are queried at once. A forge would mistake more for an attack. */
const CONCURRENCY = 4;

/**
 * Deploys the targets whose branch moved while the server did not listen, or whose last deployment was interrupted,
 * until `signal` is aborted. Forges do not repeat deliveries that failed.
 */
export async function catchUp(
  targets: readonly Target[],
  services: CatchUpServices,
  signal: AbortSignal,
): Promise<void> {
  const limit = createSemaphore(CONCURRENCY, Number.POSITIVE_INFINITY);
  const followed = targets.filter((target) => target.repository !== null && target.catchUp);
  await Promise.all(followed.map((target) => limit(() => catchUpOne(target, services, signal))));
}

async function catchUpOne(target: Target, services: CatchUpServices, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  const { store, clock, log, publish, readTip, wakeWorker } = services;
  const fields = { target: target.name };
  const skip = (reason: string) => log.debug({ ...fields, reason }, "nothing to catch up with");
  try {
    // In these cases decideCatchUp never deploys: the query is unnecessary.
    const status = await store.readTargetStatus(target.name, clock.now());
    if (status.latest === null || status.lock !== null) return;
    const tip = await readTip(target);
    if (signal.aborted) return;
    if (tip.kind === "unreachable") {
      return log.warn({ ...fields, reason: tip.reason }, "could not read the tip from the remote");
    }
    if (tip.kind === "absent") return log.warn(fields, "branch or tag not found on the remote");
    // A push may have arrived during the query.
    const { deploy, reason } = decideCatchUp(
      tip.commit,
      await store.readTargetStatus(target.name, clock.now()),
    );
    if (!deploy) return skip(reason);
    const { rolledBackCommits } = await readReleaseHistory(target.name, store);
    if (rolledBackCommits.includes(tip.commit)) return skip("the tip was rolled back");
    const queued = await store.queueDeployment(
      {
        target: target.name,
        trigger: "catch-up",
        commit: tip.commit,
        choice: null,
        queueAll: target.queue === "all",
      },
      clock.now(),
    );
    log.info({ ...fields, deployment: queued.deployment.id, commit: tip.commit, reason }, "catching up");
    publishQueued(queued, publish);
    wakeWorker();
  } catch (error) {
    log.warn({ ...fields, err: error }, "could not catch up");
  }
}

/**
 * Whether a target has to catch up with its branch's tip, and why. A target that was never deployed has missed nothing.
 * Deploying again would fail again for a commit that failed, undo the choice of an operator who deployed another one,
 * and stop the server again for one whose deployment was interrupted twice.
 */
export function decideCatchUp(tip: string, status: TargetStatus): { deploy: boolean; reason: string } {
  const { live, latest, latestOfTip, lock } = status;
  const skip = (reason: string) => ({ deploy: false, reason });
  if (latest === null) return skip("it was never deployed; its first push deploys it");
  if (lock !== null) return skip(describeLock(lock));
  if (latest.state === "queued" || latest.state === "running") {
    return skip(`deployment ${latest.id} is ${latest.state}`);
  }
  if (live?.commit === tip) return skip("the tip is live");
  if (latest.state === "interrupted" && latest.attempt > 1 && (latest.pushedCommit ?? tip) === tip) {
    return skip(`deployment ${latest.id} was interrupted, and so was the one before`);
  }
  // Also before the commit was fetched, for example when the directory is not writable.
  if (latest.state === "failed" && latest.choice === null && (latest.commit ?? latest.pushedCommit) === tip) {
    return skip(`deployment ${latest.id} of this commit failed`);
  }
  if (latest.state === "cancelled" && (latest.commit ?? latest.pushedCommit ?? tip) === tip) {
    return skip(`deployment ${latest.id} of this commit was cancelled`);
  }
  if (latestOfTip?.commit === tip && latestOfTip.state !== "interrupted") {
    const { id, state } = latestOfTip;
    if (state === "succeeded") return skip(`another commit was chosen after deployment ${id} of this one`);
    return skip(`deployment ${id} of this commit ${state === "failed" ? "failed" : "was cancelled"}`);
  }
  const reason =
    latest.state === "interrupted"
      ? `deployment ${latest.id} was interrupted`
      : "the tip moved while the server did not listen";
  return { deploy: true, reason };
}
