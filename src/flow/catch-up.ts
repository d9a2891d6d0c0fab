import type { DeploymentStore, TargetStatus } from "../domain/deployment.ts";
import { describeLock } from "../domain/lock.ts";
import type { PublishEvent } from "../domain/server-event.ts";
import type { RemoteTip, Target } from "../domain/target.ts";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import { publishQueued } from "./event-bus.ts";
import { readReleaseHistory } from "./release-history.ts";

/** What catching up works with. */
export interface CatchUpTools {
  readonly store: DeploymentStore;
  readonly clock: Clock;
  readonly log: Log;
  readonly publish: PublishEvent;
  /** Asks the clone URL what the target's branch, or newest tag, is at. */
  readonly askTip: (target: Target) => Promise<RemoteTip>;
  /** Says that deployments may be waiting. */
  readonly wake: () => void;
}

/** How many clone URLs are asked at once: a forge would take more for an attack. */
const AT_ONCE = 4;

/**
 * Asks what every target's branch is at, and deploys those that moved while nobody listened, or whose last
 * deployment was lost, until `signal` ends it. A forge does not send again by itself what it could not deliver.
 */
export async function catchUp(
  targets: readonly Target[],
  tools: CatchUpTools,
  signal: AbortSignal,
): Promise<void> {
  const waiting = targets.filter((target) => target.repository !== null && target.catchUp);
  async function takeTurns(): Promise<void> {
    for (let target = waiting.shift(); target !== undefined && !signal.aborted; target = waiting.shift()) {
      await catchUpOne(target, tools, signal);
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, takeTurns));
}

const NOTHING = "nothing to catch up with";

async function catchUpOne(target: Target, tools: CatchUpTools, signal: AbortSignal): Promise<void> {
  const { store, clock, log, publish, askTip, wake } = tools;
  const fields = { target: target.name };
  try {
    // Not worth a question to the forge: see decideCatchUp.
    const standing = await store.readTargetStatus(target.name, clock.now());
    if (standing.latest === null || standing.lock !== null) return;
    const tip = await askTip(target);
    if (signal.aborted) return;
    if (tip.kind === "unreachable")
      return log.warn({ ...fields, reason: tip.reason }, "could not ask for the tip");
    if (tip.kind === "absent") return log.warn(fields, "what the target watches is not there");
    // Read again: a push may have come while the forge was asked.
    const { deploy, reason } = decideCatchUp(
      tip.commit,
      await store.readTargetStatus(target.name, clock.now()),
    );
    if (!deploy) return log.debug({ ...fields, reason }, NOTHING);
    if ((await readReleaseHistory(target.name, store)).rolledBackCommits.includes(tip.commit)) {
      return log.debug({ ...fields, reason: "a person went back from the tip" }, NOTHING);
    }
    const queued = await store.queueDeployment(
      { target: target.name, trigger: "catch-up", commit: tip.commit, choice: null },
      clock.now(),
    );
    log.info({ ...fields, deployment: queued.deployment.id, commit: tip.commit, reason }, "catching up");
    publishQueued(queued, publish);
    wake();
  } catch (error) {
    log.warn({ ...fields, err: error }, "could not catch up");
  }
}

/**
 * Whether a target has to catch up with its branch's tip, and why not. A target that was never deployed has
 * missed nothing; a commit whose deployment failed would fail again, one that a person took back would be there
 * again, and one that stopped the whole server twice would do so for ever.
 */
export function decideCatchUp(tip: string, standing: TargetStatus): { deploy: boolean; reason: string } {
  const { live, latest, latestOfTip, lock } = standing;
  if (latest === null) return { deploy: false, reason: "it was never deployed: its first push will do it" };
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
      reason: `a person chose another commit since deployment ${latestOfTip.id} of this one`,
    };
  }
  if (latestOfTip?.commit === tip && latestOfTip.state !== "interrupted") {
    return {
      deploy: false,
      reason: `deployment ${latestOfTip.id} of this commit ${latestOfTip.state === "failed" ? "failed" : "was cancelled"}`,
    };
  }
  if (latest.state === "interrupted")
    return { deploy: true, reason: `deployment ${latest.id} was interrupted` };
  return { deploy: true, reason: "the tip moved while nobody listened" };
}
