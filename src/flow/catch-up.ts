import { decideCatchUp } from "../domain/catch-up.ts";
import type { Clock } from "../domain/clock.ts";
import type { DeploymentStore } from "../domain/deployment.ts";
import type { Publish } from "../domain/happening.ts";
import type { Log } from "../domain/log.ts";
import type { RemoteTip } from "../domain/remote.ts";
import type { Target } from "../domain/target.ts";
import { readHistory } from "./history.ts";
import { publishQueued } from "./publish-deployments.ts";

/** What catching up works with. */
export interface CatchUpTools {
  readonly store: DeploymentStore;
  readonly clock: Clock;
  readonly log: Log;
  readonly publish: Publish;
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
  const waiting = targets.filter((target) => target.watch !== null && target.catchUp);
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
    const standing = await store.readStanding(target.name, clock.now());
    if (standing.last === null || standing.lock !== null) return;
    const tip = await askTip(target);
    if (signal.aborted) return;
    if (tip.kind === "unreachable")
      return log.warn({ ...fields, reason: tip.reason }, "could not ask for the tip");
    if (tip.kind === "absent") return log.warn(fields, "what the target watches is not there");
    // Read again: a push may have come while the forge was asked.
    const { deploy, reason } = decideCatchUp(tip.commit, await store.readStanding(target.name, clock.now()));
    if (!deploy) return log.debug({ ...fields, reason }, NOTHING);
    if ((await readHistory(target.name, store)).takenBack.includes(tip.commit)) {
      return log.debug({ ...fields, reason: "a person went back from the tip" }, NOTHING);
    }
    const queued = await store.request(
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
