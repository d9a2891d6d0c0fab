import type { AbandonedRun, DeploymentResult } from "../domain/deployment.ts";
import type { PlacedRelease, RevertResult, Workspace } from "../domain/layout.ts";
import type { Target } from "../domain/target.ts";
import { shortenCommit } from "../lib/text.ts";
import { type DeploymentContext, type DeployTools, isRollback, type Progress } from "./context.ts";
import { explain } from "./git/errors.ts";
import { createDeadline } from "./process/deadline.ts";
import { commandEnvironment } from "./process/environment.ts";
import { killOrphansOf } from "./process/orphans.ts";
import { runSteps } from "./steps.ts";
import { createWorkspace } from "./workspace.ts";

/** Milliseconds for the `after` steps of what was put back: the deployment's own time may be over. */
const AFTER_TIME = 60_000;

/**
 * Takes a deployment back that did not succeed. Where it had gone live already, the `after` steps run again for what
 * was live before, unless the server is stopping. Resolves with what people should know of that, or null.
 */
export async function revertDeployment(
  place: Workspace,
  job: DeploymentContext,
  tools: DeployTools,
  progress: Progress,
  state: DeploymentResult["state"],
): Promise<string | null> {
  let reverted: RevertResult;
  try {
    reverted = await place.revert();
  } catch (error) {
    return `putting back what was live failed: ${explain(error)}`;
  }
  const failed = progress.placed;
  // What was made for it is gone; a release that it went back to is still there.
  if (!isRollback(job)) progress.placed = { ...failed, release: null };
  if (reverted.kind !== "put back" || state === "interrupted")
    return tell(reverted, job.target, tools.onLine);
  const name = describe(reverted.placed);
  tools.onLine(`putting back ${name}`);
  const trouble = await runAfter(reverted.placed, failed.commit, job, tools, progress);
  return trouble === null ? `${name} is live again` : `${name} is live again, but ${trouble}`;
}

/**
 * Takes back what a deployment had made live whose hooklatch was killed, for which no other comes that would do it.
 * `live` is the commit that counts as live. The `after` steps do not run, as after any stop. Resolves with what people
 * should know of that, or null where there was nothing to take back.
 */
export async function revertInterruptedRun(
  { target, deployment }: AbandonedRun,
  live: string | null,
  tools: Pick<DeployTools, "clock" | "run" | "env" | "onLine">,
): Promise<string | null> {
  const place = createWorkspace(target, deployment, tools, () => {});
  return place === null ? null : tell(await place.restore(live), target, tools.onLine);
}

/** What became of what is live where no `after` steps run. */
function tell(reverted: RevertResult, { after }: Target, onLine: (line: string) => void): string | null {
  if (reverted.kind === "untouched") return null;
  if (reverted.kind === "taken down") {
    onLine("nothing was live before: it is taken down again");
    return "nothing was live before, so it was taken down again";
  }
  const name = describe(reverted.placed);
  onLine(`putting back ${name}`);
  return after.length === 0
    ? `${name} is live again`
    : `${name} is live again, but its after steps did not run`;
}

function describe({ release, commit }: PlacedRelease): string {
  if (release !== null) return `release ${release}`;
  return commit === null ? "what was live" : `commit ${shortenCommit(commit)}`;
}

/** Resolves with why they did not succeed, or null. */
async function runAfter(
  placed: PlacedRelease,
  previousCommit: string | null,
  job: DeploymentContext,
  tools: DeployTools,
  { steps }: Progress,
): Promise<string | null> {
  // What ended the deployment is not to end this too.
  const signal = tools.signal.aborted ? new AbortController().signal : tools.signal;
  const limit = createDeadline(AFTER_TIME, { clock: tools.clock, signal });
  const progress = { doing: "starting", steps };
  const env = commandEnvironment({ ...job, previousCommit, placed }, tools.env);
  const options = { cwd: placed.directory, env, onLine: tools.onLine, signal: limit.signal };
  try {
    await runSteps(job.target.after, tools.run, options, progress);
    return null;
  } catch (error) {
    if (limit.signal.aborted) await killOrphansOf(job, tools);
    return limit.cause(progress.doing)?.reason ?? explain(error);
  } finally {
    limit.stop();
  }
}
