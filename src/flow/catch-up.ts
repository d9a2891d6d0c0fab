import type { TargetStatus } from "../domain/deployment-store.ts";
import { describeLock } from "../domain/lock.ts";
import type { RemoteTip, Target } from "../domain/target.ts";
import { publishQueued } from "./event-bus.ts";
import { readReleaseHistory } from "./release-history.ts";
import type { FlowServices } from "./services.ts";

type CatchUpServices = Pick<FlowServices, "store" | "clock" | "log" | "publish" | "wakeWorker"> & {
  /** Asks the clone URL for the tip of the target's branch, or for its newest tag. */
  readonly readTip: (target: Target) => Promise<RemoteTip>;
};

/** How many clone URLs are asked at once. A forge would take more for an attack. */
const CONCURRENCY = 4;

/**
 * Asks for the tip of every target's branch, and deploys the branches that moved while the server did not listen or
 * whose last deployment was interrupted, until `signal` is aborted. Forges do not repeat deliveries that failed.
 */
export async function catchUp(
  targets: readonly Target[],
  services: CatchUpServices,
  signal: AbortSignal,
): Promise<void> {
  const waiting = targets.filter((target) => target.repository !== null && target.catchUp);
  async function work(): Promise<void> {
    for (let target = waiting.shift(); target !== undefined && !signal.aborted; target = waiting.shift()) {
      await catchUpOne(target, services, signal);
    }
  }
  await Promise.all(Array.from({ length: CONCURRENCY }, work));
}

const UP_TO_DATE = "nothing to catch up with";

async function catchUpOne(target: Target, services: CatchUpServices, signal: AbortSignal): Promise<void> {
  const { store, clock, log, publish, readTip, wakeWorker } = services;
  const fields = { target: target.name };
  try {
    // In these cases decideCatchUp never deploys: spare the forge the question.
    const status = await store.readTargetStatus(target.name, clock.now());
    if (status.latest === null || status.lock !== null) return;
    const tip = await readTip(target);
    if (signal.aborted) return;
    if (tip.kind === "unreachable") {
      return log.warn({ ...fields, reason: tip.reason }, "could not ask the remote for the tip");
    }
    if (tip.kind === "absent") return log.warn(fields, "branch or tag not found on the remote");
    // A push may have arrived meanwhile.
    const { deploy, reason } = decideCatchUp(
      tip.commit,
      await store.readTargetStatus(target.name, clock.now()),
    );
    if (!deploy) return log.debug({ ...fields, reason }, UP_TO_DATE);
    if ((await readReleaseHistory(target.name, store)).rolledBackCommits.includes(tip.commit)) {
      return log.debug({ ...fields, reason: "the tip was rolled back" }, UP_TO_DATE);
    }
    const queued = await store.queueDeployment(
      { target: target.name, trigger: "catch-up", commit: tip.commit, choice: null },
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
 * A commit whose deployment failed would fail again, one that a person rolled back would come back, and one that
 * stopped the whole server twice would go on doing so.
 */
export function decideCatchUp(tip: string, status: TargetStatus): { deploy: boolean; reason: string } {
  const { live, latest, latestOfTip, lock } = status;
  if (latest === null) return { deploy: false, reason: "it was never deployed; its first push does that" };
  if (lock !== null) return { deploy: false, reason: describeLock(lock) };
  if (latest.state === "queued" || latest.state === "running") {
    return { deploy: false, reason: `deployment ${latest.id} is ${latest.state}` };
  }
  if (live?.commit === tip) return { deploy: false, reason: "the tip is live" };
  if (latest.state === "interrupted" && latest.attempt > 1 && (latest.pushedCommit ?? tip) === tip) {
    return { deploy: false, reason: `deployment ${latest.id} was interrupted, and so was the one before` };
  }
  if (latest.state === "cancelled" && (latest.commit ?? latest.pushedCommit ?? tip) === tip) {
    return { deploy: false, reason: `deployment ${latest.id} of this commit was cancelled` };
  }
  if (latestOfTip?.commit === tip && latestOfTip.state === "succeeded") {
    return {
      deploy: false,
      reason: `a person chose another commit after deployment ${latestOfTip.id} of this one`,
    };
  }
  if (latestOfTip?.commit === tip && latestOfTip.state !== "interrupted") {
    const how = latestOfTip.state === "failed" ? "failed" : "was cancelled";
    return { deploy: false, reason: `deployment ${latestOfTip.id} of this commit ${how}` };
  }
  if (latest.state === "interrupted")
    return { deploy: true, reason: `deployment ${latest.id} was interrupted` };
  return { deploy: true, reason: "the tip moved while the server did not listen" };
}
