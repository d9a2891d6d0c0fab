import { quote } from "../lib/text.ts";
import type { DecisionCode } from "./codes.ts";
import type { CiEvent } from "./event.ts";
import type { SkipReason } from "./layout.ts";
import type { WaitForCi } from "./target.ts";

/** Why an event does not deploy a target. */
export interface Mismatch {
  readonly code: DecisionCode;
  readonly reason: string;
}

/** A stored result of CI. */
export type CiResult = Pick<CiEvent, "repository" | "refs" | "workflows" | "outcome" | "cause" | "run">;

/** What else decides about the deployment of a commit whose CI succeeded. */
export interface CiGate {
  /** Why the commit is not deployed; null when nothing is against it. */
  findObstacle(): Promise<SkipReason | null>;
  /** The commits of later queued deployments that would be deployed. */
  listQueued(): Promise<readonly string[]>;
}

/** Why a push is not deployed yet. */
export function describeWait({ workflow }: WaitForCi): Mismatch {
  return {
    code: "waiting_for_ci",
    reason: workflow === null ? "waiting for CI" : `waiting for CI: workflow ${quote(workflow)}`,
  };
}

/**
 * Why a result of CI for the target's branch does not deploy it; null when it does. Where all workflows count, a skipped one
 * may be the last that the others wait for: {@link findCiObstacle} finds whether any has succeeded.
 */
export function findCiMismatch(event: CiResult, { workflow }: WaitForCi): Mismatch | null {
  const { workflows, cause, outcome } = event;
  if (workflow !== null && !workflows.includes(workflow)) {
    return { code: "workflow", reason: `${describeWorkflow(event)} is not ${quote(workflow)}` };
  }
  if (cause === "foreign") {
    const reason = `${describeWorkflow(event)} did not run for a push to the repository`;
    return { code: "ci_foreign", reason };
  }
  if (cause === "request" && workflow === null) {
    const name = workflows[0] === undefined ? "" : `, such as ${quote(workflows[0])}`;
    const reason = `${describeWorkflow(event)} did not run for a push: set wait_for_ci to the name of a workflow${name} to deploy then`;
    return { code: "ci_foreign", reason };
  }
  if (outcome === "success" || (outcome === "other" && workflow === null)) return null;
  return { code: outcome === "pending" ? "ci_pending" : "ci_failed", reason: describeOutcome(event) };
}

/**
 * Finds, among the results for one commit and branch, why the commit is not deployed: a workflow has failed or has not
 * finished, or none has succeeded. Of the results of one workflow the latest run counts, and of one run its end. Those that
 * did not run for a push do not count. For a named workflow any of its successes is enough.
 *
 * @param results in the order of their arrival.
 */
export function findCiObstacle(results: readonly CiResult[], waitForCi: WaitForCi): SkipReason | null {
  const { workflow } = waitForCi;
  const none = { code: "ci_failed", reason: "no workflow succeeded" } as const;
  if (workflow !== null) {
    const hasSucceeded = results.some(
      (result) => result.outcome === "success" && findCiMismatch(result, waitForCi) === null,
    );
    return hasSucceeded ? null : none;
  }
  const latest = new Map<string, CiResult>();
  for (const result of results) {
    if (result.cause !== "push" && result.cause !== "unknown") continue;
    const known = latest.get(result.run.check);
    if (known === undefined || !isEarlier(result, known)) latest.set(result.run.check, result);
  }
  const all = [...latest.values()];
  const failed = all.find(({ outcome }) => outcome === "failure");
  if (failed !== undefined) return { code: "ci_failed", reason: describeOutcome(failed) };
  const pending = all.find(({ outcome }) => outcome === "pending");
  if (pending !== undefined) return { code: "ci_pending", reason: describeOutcome(pending) };
  if (all.some(({ outcome }) => outcome === "success")) return null;
  return none;
}

/** Deliveries may arrive in any order. */
function isEarlier(result: CiResult, known: CiResult): boolean {
  const isSameRun = result.run.number === known.run.number && result.run.attempt === known.run.attempt;
  if (isSameRun) return result.outcome === "pending" && known.outcome !== "pending";
  if (result.run.number !== known.run.number) return result.run.number < known.run.number;
  return result.run.attempt < known.run.attempt;
}

const OUTCOMES: Readonly<Record<CiEvent["outcome"], string>> = {
  success: "succeeded",
  failure: "failed",
  pending: "has not finished",
  other: "ended without a result",
};

/** Such as `workflow "test" succeeded`. */
export function describeOutcome(result: Pick<CiResult, "workflows" | "outcome">): string {
  return `${describeWorkflow(result)} ${OUTCOMES[result.outcome]}`;
}

function describeWorkflow({ workflows: [name] }: Pick<CiResult, "workflows">): string {
  return name === undefined ? "CI" : `workflow ${quote(name)}`;
}
