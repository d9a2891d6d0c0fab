import type { Standing } from "./deployment.ts";

/**
 * Whether a target has to catch up with its branch's tip, and why not. A target that was never deployed has
 * missed nothing; a commit whose deployment failed would fail again, and one that stopped the whole server twice
 * would do so for ever.
 */
export function decideCatchUp(tip: string, { live, last }: Standing): { deploy: boolean; reason: string } {
  if (last === null) return { deploy: false, reason: "it was never deployed: its first push will do it" };
  if (last.state === "queued" || last.state === "running") {
    return { deploy: false, reason: `deployment ${last.id} is ${last.state}` };
  }
  if (last.state === "failed" && last.commit === tip) {
    return { deploy: false, reason: `deployment ${last.id} of this commit failed` };
  }
  if (last.state === "interrupted" && last.attempt > 1 && (last.pushedCommit ?? tip) === tip) {
    return { deploy: false, reason: `deployment ${last.id} was interrupted, and so was the one before` };
  }
  if (live?.commit === tip) return { deploy: false, reason: "the tip is live" };
  if (last.state === "interrupted") return { deploy: true, reason: `deployment ${last.id} was interrupted` };
  return { deploy: true, reason: "the tip moved while nobody listened" };
}
