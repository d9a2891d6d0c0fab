import type { AbandonedRun, DeploymentResult } from "../domain/deployment.ts";
import type { PlacedRelease, RevertResult, Workspace } from "../domain/layout.ts";
import type { Target } from "../domain/target.ts";
import { shortenCommit } from "../lib/text.ts";
import { type DeploymentContext, type DeployServices, isRollback, type Progress } from "./context.ts";
import { describeFailure } from "./failure.ts";
import { withDeadline } from "./process/deadline.ts";
import { commandEnvironment } from "./process/environment.ts";
import { killOrphans } from "./process/orphans.ts";
import { runSteps } from "./steps.ts";
import { createWorkspace } from "./workspace.ts";

/** Milliseconds for the `after` steps of the previous release, beyond the deployment's own time. */
const AFTER_TIME = 60_000;

/**
 * Reverts a deployment that did not succeed. If it had gone live, the `after` steps run again for the previous release,
 * unless the server is stopping. Resolves with what changed, in words, or null when nothing did.
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
    return `reverting to the previous release failed: ${describeFailure(error).reason}`;
  }
  const { commit } = progress.placed;
  // A new release was removed. One that a rollback took is still on disk.
  if (!isRollback(context)) progress.placed = { ...progress.placed, release: null };
  if (reverted.kind !== "reverted" || state === "interrupted") {
    return describeRevert(reverted, context.target, services.onLine);
  }
  const name = describePlaced(reverted.placed);
  services.onLine(`reverting to ${name}`);
  const problem = await runAfter(reverted.placed, commit, context, services, progress);
  const end = problem === null ? "" : `, but its after steps did not finish: ${problem}`;
  return `${name} is live again${end}`;
}

/**
 * Reverts a deployment that was killed after it went live, when no other deployment follows. `live` is the commit that
 * is live according to the store. The `after` steps do not run. Resolves with what changed, in words, or null when
 * nothing did.
 */
export async function revertInterruptedRun(
  { target, deployment }: AbandonedRun,
  live: string | null,
  services: Pick<DeployServices, "clock" | "run" | "env" | "onLine">,
): Promise<string | null> {
  const workspace = createWorkspace(target, deployment, services, () => {});
  return workspace && describeRevert(await workspace.restore(live), target, services.onLine);
}

/** Describes a revert after which no `after` steps run. */
function describeRevert(
  reverted: RevertResult,
  { after }: Target,
  onLine: (line: string) => void,
): string | null {
  if (reverted.kind === "untouched") return null;
  if (reverted.kind === "taken down") {
    onLine("taking the release down: nothing was live before");
    return "nothing was live before, so nothing is live now";
  }
  const name = describePlaced(reverted.placed);
  onLine(`reverting to ${name}`);
  return `${name} is live again${after.length === 0 ? "" : ", but its after steps did not run"}`;
}

function describePlaced({ release, commit }: PlacedRelease): string {
  if (release !== null) return `release ${release}`;
  return commit === null ? "the previous release" : `commit ${shortenCommit(commit)}`;
}

/** Resolves with why the steps failed, or null. */
function runAfter(
  placed: PlacedRelease,
  previousCommit: string | null,
  context: DeploymentContext,
  services: DeployServices,
  { steps }: Progress,
): Promise<string | null> {
  const { deployment, target } = context;
  const { clock, run, onLine, whenReady } = services;
  // A signal that ended the deployment must not end these steps too.
  const outer = services.signal.aborted ? new AbortController().signal : services.signal;
  return withDeadline(AFTER_TIME, { clock, signal: outer }, async ({ signal, earlyEnd }) => {
    const progress = { activity: "starting", steps };
    const env = commandEnvironment(context, previousCommit, placed, services.env);
    try {
      const options = { cwd: placed.directory, env, onLine, whenReady, signal };
      await runSteps(target.after, run, options, progress);
      return null;
    } catch (error) {
      if (signal.aborted) await killOrphans([{ deployment: deployment.id, target }], clock);
      const early = earlyEnd(progress.activity);
      if (early === null) return describeFailure(error).reason;
      return early.reason ?? "hooklatch was stopped";
    }
  });
}
