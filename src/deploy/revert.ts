import type { AbandonedRun, DeploymentResult } from "../domain/deployment.ts";
import { describeInterruption } from "../domain/deployment-result.ts";
import type { PlacedRelease, RevertResult, Workspace } from "../domain/layout.ts";
import type { Target } from "../domain/target.ts";
import { shortenCommit } from "../lib/text.ts";
import { type DeploymentContext, type DeployServices, isRollback, type Progress } from "./context.ts";
import { describeFailure } from "./failure.ts";
import { createDeadline } from "./process/deadline.ts";
import { commandEnvironment } from "./process/environment.ts";
import { killOrphansOf } from "./process/orphans.ts";
import { runSteps } from "./steps.ts";
import { createWorkspace } from "./workspace.ts";

/** Milliseconds for the `after` steps of what is put back. The deployment's own time may be over. */
const AFTER_TIME = 60_000;

/**
 * Reverts a deployment that did not succeed. Where it was live already, the `after` steps run again for what was live
 * before, unless the server is stopping. Resolves with what happened in words, or null where nothing changed.
 */
export async function revertDeployment(
  workspace: Workspace,
  context: DeploymentContext,
  services: DeployServices,
  progress: Progress,
  state: DeploymentResult["state"],
): Promise<string | null> {
  let reverted: RevertResult;
  try {
    reverted = await workspace.revert();
  } catch (error) {
    return `putting back what was live failed: ${describeFailure(error).reason}`;
  }
  const failed = progress.placed;
  // A release that was made is gone; one that was rolled back to is still there.
  if (!isRollback(context)) progress.placed = { ...failed, release: null };
  if (reverted.kind !== "put back" || state === "interrupted") {
    return describeRevert(reverted, context.target, services.onLine);
  }
  const name = describePlaced(reverted.placed);
  services.onLine(`putting back ${name}`);
  const problem = await runAfter(reverted.placed, failed.commit, context, services, progress);
  return problem === null ? `${name} is live again` : `${name} is live again, but ${problem}`;
}

/**
 * Reverts what a deployment made live whose server was killed, when no other deployment follows that would. `live` is
 * the commit that the store has as live. The `after` steps do not run, as after any stop. Resolves with what happened
 * in words, or null where there was nothing to revert.
 */
export async function revertInterruptedRun(
  { target, deployment }: AbandonedRun,
  live: string | null,
  services: Pick<DeployServices, "clock" | "run" | "env" | "onLine">,
): Promise<string | null> {
  const workspace = createWorkspace(target, deployment, services, () => {});
  if (workspace === null) return null;
  return describeRevert(await workspace.restore(live), target, services.onLine);
}

/** What changed, where no `after` steps run. */
function describeRevert(
  reverted: RevertResult,
  { after }: Target,
  onLine: (line: string) => void,
): string | null {
  if (reverted.kind === "untouched") return null;
  if (reverted.kind === "taken down") {
    onLine("nothing was live before: taking it down again");
    return "nothing was live before, so it was taken down again";
  }
  const name = describePlaced(reverted.placed);
  onLine(`putting back ${name}`);
  return after.length === 0
    ? `${name} is live again`
    : `${name} is live again, but its after steps did not run`;
}

function describePlaced({ release, commit }: PlacedRelease): string {
  if (release !== null) return `release ${release}`;
  return commit === null ? "what was live" : `commit ${shortenCommit(commit)}`;
}

/** Resolves with why the steps failed, or null. */
async function runAfter(
  placed: PlacedRelease,
  previousCommit: string | null,
  context: DeploymentContext,
  services: DeployServices,
  { steps }: Progress,
): Promise<string | null> {
  // What ended the deployment must not end this too.
  const signal = services.signal.aborted ? new AbortController().signal : services.signal;
  const deadline = createDeadline(AFTER_TIME, { clock: services.clock, signal });
  const progress = { doing: "starting", steps };
  const env = commandEnvironment({ ...context, previousCommit, placed }, services.env);
  const options = { cwd: placed.directory, env, onLine: services.onLine, signal: deadline.signal };
  try {
    await runSteps(context.target.after, services.run, options, progress);
    return null;
  } catch (error) {
    if (deadline.signal.aborted) await killOrphansOf(context, services);
    const early = deadline.cause(progress.doing);
    if (early === null) return describeFailure(error).reason;
    return early.reason ?? describeInterruption(early.code) ?? early.state;
  } finally {
    deadline.stop();
  }
}
