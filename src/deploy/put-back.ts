import { shortenCommit } from "../domain/commit.ts";
import type { AbandonedRun, Ending } from "../domain/deployment.ts";
import type { Placed, Reverted, Workplace } from "../domain/layout.ts";
import type { Target } from "../domain/target.ts";
import { commandEnvironment } from "./environment.ts";
import { explain } from "./explain.ts";
import { type DeployTools, isRollback, type Job, type Progress } from "./job.ts";
import { endOrphansOf } from "./orphans.ts";
import { runSteps } from "./steps.ts";
import { limitTime } from "./time-limit.ts";
import { openWorkplace } from "./workplace.ts";

/** Milliseconds for the `after` steps of what was put back: the deployment's own time may be over. */
const AFTER_TIME = 60_000;

/**
 * Takes a deployment back that did not succeed. Where it had gone live already, the `after` steps run again for what
 * was live before, unless the server is stopping. Resolves with what people should know of that, or null.
 */
export async function putBack(
  place: Workplace,
  job: Job,
  tools: DeployTools,
  progress: Progress,
  state: Ending["state"],
): Promise<string | null> {
  let reverted: Reverted;
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
export async function restore(
  { target, deployment }: AbandonedRun,
  live: string | null,
  tools: Pick<DeployTools, "clock" | "run" | "env" | "onLine">,
): Promise<string | null> {
  const place = openWorkplace(target, deployment, tools, () => {});
  return place === null ? null : tell(await place.restore(live), target, tools.onLine);
}

/** What became of what is live where no `after` steps run. */
function tell(reverted: Reverted, { after }: Target, onLine: (line: string) => void): string | null {
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

function describe({ release, commit }: Placed): string {
  if (release !== null) return `release ${release}`;
  return commit === null ? "what was live" : `commit ${shortenCommit(commit)}`;
}

/** Resolves with why they did not succeed, or null. */
async function runAfter(
  placed: Placed,
  previousCommit: string | null,
  job: Job,
  tools: DeployTools,
  { steps }: Progress,
): Promise<string | null> {
  // What ended the deployment is not to end this too.
  const signal = tools.signal.aborted ? new AbortController().signal : tools.signal;
  const limit = limitTime(AFTER_TIME, { clock: tools.clock, signal });
  const progress = { doing: "starting", steps };
  const env = commandEnvironment({ ...job, previousCommit, placed }, tools.env);
  const options = { cwd: placed.directory, env, onLine: tools.onLine, signal: limit.signal };
  try {
    await runSteps(job.target.after, tools.run, options, progress);
    return null;
  } catch (error) {
    if (limit.signal.aborted) await endOrphansOf(job, tools);
    return limit.cause(progress.doing)?.reason ?? explain(error);
  } finally {
    limit.stop();
  }
}
