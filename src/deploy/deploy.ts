import type { Deployment, DeploymentResult } from "../domain/deployment.ts";
import type { ProcessIo, Workspace } from "../domain/layout.ts";
import { AppError } from "../lib/errors.ts";
import { shortenCommit } from "../lib/text.ts";
import { type DeploymentContext, type DeployTools, isRollback, type Progress } from "./context.ts";
import { explain } from "./git/errors.ts";
import { awaitHealth } from "./health.ts";
import { createDeadline, type Deadline } from "./process/deadline.ts";
import { commandEnvironment } from "./process/environment.ts";
import { killOrphansOf } from "./process/orphans.ts";
import { revertDeployment } from "./revert.ts";
import { runSteps } from "./steps.ts";
import { createWorkspace } from "./workspace.ts";

/** Milliseconds for tidying up: as long as it takes, nothing else of the target is deployed. */
const TIDY_TIME = 60_000;

/**
 * Runs one deployment from the fetch to the tidying up. Resolves with how it ended, also when it failed, ran out
 * of time or was ended through `signal`; then what was live before is live again.
 */
export async function deploy(job: DeploymentContext, tools: DeployTools): Promise<DeploymentResult> {
  const { directory } = job.target;
  const progress: Progress = {
    placed: { directory, release: null, ref: null, commit: null },
    note: null,
    doing: "starting",
    steps: [],
  };
  const limit = createDeadline(job.target.timeout, tools);
  try {
    return await deployWithin(limit, job, tools, progress);
  } finally {
    limit.stop();
  }
}

async function deployWithin(
  limit: Deadline,
  job: DeploymentContext,
  tools: DeployTools,
  progress: Progress,
): Promise<DeploymentResult> {
  const io: ProcessIo = { onLine: tools.onLine, signal: limit.signal };
  let place: Workspace | null = null;
  try {
    place = openPlace(job, tools, progress);
    const skipped = place === null ? null : await putInPlace(place, job, progress, io);
    if (skipped !== null) return end(progress, "cancelled", [`skipped: ${skipped}`, progress.note]);
    await goLive(place, job, tools, progress, io);
  } catch (error) {
    // Whatever a failed step left in the background would go on in a release that is removed.
    if (progress.steps.length > 0 || io.signal.aborted) await killOrphansOf(job, tools);
    const { state, reason } = limit.cause(progress.doing) ?? { state: "failed", reason: explain(error) };
    const told = place === null ? null : await revertDeployment(place, job, tools, progress, state);
    return end(progress, state, [reason, told]);
  }
  tools.onDecided();
  // A rollback makes nothing, and is to be quick.
  const untidy = place === null || isRollback(job) ? null : await tidyUp(place, tools);
  return end(progress, "succeeded", [progress.note, untidy]);
}

function openPlace(
  { target, deployment }: DeploymentContext,
  tools: DeployTools,
  progress: Progress,
): Workspace | null {
  if (target.repository === null && deployment.choice !== null) {
    throw new AppError(
      "failed",
      `target ${target.name} has no repository to choose a commit or release from`,
    );
  }
  return createWorkspace(target, deployment.id, tools, (what) => {
    progress.doing = what;
  });
}

/** Brings the files to where they can go live. Resolves with why they are not to, or null. */
async function putInPlace(
  place: Workspace,
  { deployment, history }: DeploymentContext,
  progress: Progress,
  io: ProcessIo,
): Promise<string | null> {
  const { choice, pushedCommit, previousCommit, attempt } = deployment;
  const begin = (what: string) => {
    io.signal.throwIfAborted();
    progress.doing = what;
  };
  if (choice?.kind === "release") {
    begin("looking for the release");
    const liveBefore = attempt > 1 ? previousCommit : null;
    const wanted = { name: choice.release, history: await history(), liveBefore };
    progress.placed = await place.takeRelease(wanted);
    return null;
  }
  begin("fetching");
  const fetched = await place.fetch({ pushedCommit, chosenCommit: choice?.commit ?? null }, io);
  progress.placed = { ...progress.placed, ref: fetched.ref, commit: fetched.commit };
  progress.note = fetched.note;
  if (!isWantedByPerson(deployment, fetched.commit)) {
    begin("comparing the tip with what is live");
    const skipped =
      (await reasonToStayBack(deployment, fetched.commit, history)) ??
      (await place.reasonToSkip(fetched, previousCommit, io));
    io.signal.throwIfAborted();
    if (skipped !== null) return skipped;
  }
  begin("looking at the signature");
  await place.verify(fetched, io);
  begin("checking out");
  progress.placed = { ...progress.placed, ...(await place.checkout(fetched, previousCommit, io)) };
  return null;
}

/**
 * A push of another commit than the tip says nothing new of it: it came late, or the tip is not there yet that it told
 * of. It does not bring back what a person went back from.
 */
async function reasonToStayBack(
  { trigger, pushedCommit }: Deployment,
  tip: string,
  history: DeploymentContext["history"],
): Promise<string | null> {
  if (trigger !== "push" || pushedCommit === null || pushedCommit === tip) return null;
  const { rolledBackCommits } = await history();
  return rolledBackCommits.includes(tip) ? `a person went back from the tip, ${shortenCommit(tip)}` : null;
}

/** Whether a person asked for this commit, by steering or by having a delivery of it run again. */
function isWantedByPerson({ trigger, previousCommit }: Deployment, commit: string): boolean {
  const isAgain = trigger === "redelivery" || trigger === "replay";
  return trigger === "manual" || trigger === "rollback" || (isAgain && commit === previousCommit);
}

async function goLive(
  place: Workspace | null,
  job: DeploymentContext,
  tools: DeployTools,
  progress: Progress,
  io: ProcessIo,
): Promise<void> {
  const { target, deployment } = job;
  const { placed } = progress;
  io.signal.throwIfAborted();
  const env = commandEnvironment({ ...job, previousCommit: deployment.previousCommit, placed }, tools.env);
  const options = { cwd: placed.directory, env, ...io };
  if (!isRollback(job)) await runSteps(target.run, tools.run, options, progress);
  progress.doing = "going live";
  await place?.activate(io);
  io.signal.throwIfAborted();
  await runSteps(target.after, tools.run, options, progress);
  if (target.health === null) return;
  progress.doing = "waiting for it to be healthy";
  const illness = await awaitHealth(target.health, tools.clock, io);
  io.signal.throwIfAborted();
  if (illness !== null) throw new AppError("failed", illness);
}

/** Resolves with what people should know of it; it changes nothing of the success that it comes after. */
async function tidyUp(place: Workspace, tools: DeployTools): Promise<string | null> {
  const limit = createDeadline(TIDY_TIME, tools);
  try {
    await place.cleanup({ onLine: () => {}, signal: limit.signal });
    return null;
  } catch (error) {
    if (limit.signal.aborted) return "tidying up was cut short; the next deployment goes on with it";
    return `tidying up failed: ${explain(error)}`;
  } finally {
    limit.stop();
  }
}

function end(
  progress: Progress,
  state: DeploymentResult["state"],
  reasons: readonly (string | null)[],
): DeploymentResult {
  const { ref, commit, release } = progress.placed;
  const reason = reasons.filter((each) => each !== null).join("; ") || null;
  return { state, reason, branch: ref, commit, release, steps: progress.steps };
}
