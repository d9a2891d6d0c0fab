import type { Standing } from "./deployment.ts";
import { describeLock } from "./lock.ts";

/**
 * Whether a target has to catch up with its branch's tip, and why not. A target that was never deployed has
 * missed nothing; a commit whose deployment failed would fail again, one that a person took back would be there
 * again, and one that stopped the whole server twice would do so for ever.
 */
export function decideCatchUp(tip: string, standing: Standing): { deploy: boolean; reason: string } {
  const { live, last, lastTip, lock } = standing;
  if (last === null) return { deploy: false, reason: "it was never deployed: its first push will do it" };
  if (lock !== null) return { deploy: false, reason: describeLock(lock) };
  if (last.state === "queued" || last.state === "running") {
    return { deploy: false, reason: `deployment ${last.id} is ${last.state}` };
  }
  if (live?.commit === tip) return { deploy: false, reason: "the tip is live" };
  if (last.state === "interrupted" && last.attempt > 1 && (last.pushedCommit ?? tip) === tip) {
    return { deploy: false, reason: `deployment ${last.id} was interrupted, and so was the one before` };
  }
  if (last.state === "cancelled" && (last.commit ?? last.pushedCommit ?? tip) === tip) {
    return { deploy: false, reason: `deployment ${last.id} of this commit was cancelled` };
  }
  if (lastTip?.commit === tip && lastTip.state === "succeeded") {
    return {
      deploy: false,
      reason: `a person chose another commit since deployment ${lastTip.id} of this one`,
    };
  }
  if (lastTip?.commit === tip && lastTip.state !== "interrupted") {
    return {
      deploy: false,
      reason: `deployment ${lastTip.id} of this commit ${lastTip.state === "failed" ? "failed" : "was cancelled"}`,
    };
  }
  if (last.state === "interrupted") return { deploy: true, reason: `deployment ${last.id} was interrupted` };
  return { deploy: true, reason: "the tip moved while nobody listened" };
}
