import type { Deployment, DeploymentResult } from "../domain/deployment.ts";
import { DeploymentError } from "../domain/deployment-error.ts";
import type { ProcessIo, SkipReason, Workspace } from "../domain/layout.ts";
import { shortenCommit } from "../lib/text.ts";
import { type DeploymentContext, type DeployServices, isRollback, type Progress } from "./context.ts";
import { describeFailure } from "./failure.ts";
import { awaitHealth } from "./health.ts";
import { createDeadline, type Deadline } from "./process/deadline.ts";
import { commandEnvironment } from "./process/environment.ts";
import { killOrphansOf } from "./process/orphans.ts";
import { revertDeployment } from "./revert.ts";
import { runSteps } from "./steps.ts";
import { createWorkspace } from "./workspace.ts";

/** Milliseconds for the cleanup. Nothing else of the target is deployed meanwhile. */
const CLEANUP_TIME = 60_000;

/**
 * Runs one deployment from the fetch to the cleanup. Resolves with how it ended, also when it failed, timed out or was
 * ended through `signal`; then what was live before is live again.
 */
export async function deploy(
  context: DeploymentContext,
  services: DeployServices,
): Promise<DeploymentResult> {
  const { directory, timeout } = context.target;
  const progress: Progress = {
    placed: { directory, release: null, ref: null, commit: null },
    note: null,
    doing: "starting",
    steps: [],
  };
  const deadline = createDeadline(timeout, services);
  try {
    return await deployWithin(deadline, context, services, progress);
  } finally {
    deadline.stop();
  }
}

async function deployWithin(
  deadline: Deadline,
  context: DeploymentContext,
  services: DeployServices,
  progress: Progress,
): Promise<DeploymentResult> {
  const io: ProcessIo = { onLine: services.onLine, signal: deadline.signal };
  let workspace: Workspace | null = null;
  try {
    workspace = openWorkspace(context, services, progress);
    const skip = workspace === null ? null : await prepareRelease(workspace, context, progress, io);
    if (skip !== null) {
      return end(progress, { state: "cancelled", code: skip.code }, [skip.reason, progress.note]);
    }
    await goLive(workspace, context, services, progress, io);
  } catch (error) {
    // Processes that a failed step left in the background would go on in a release that is removed.
    if (progress.steps.length > 0 || io.signal.aborted) await killOrphansOf(context, services);
    const { reason, ...ending } = deadline.cause(progress.doing) ?? {
      state: "failed" as const,
      ...describeFailure(error),
    };
    const reverted =
      workspace === null
        ? null
        : await revertDeployment(workspace, context, services, progress, ending.state);
    return end(progress, ending, [reason, reverted]);
  }
  services.onDecided();
  // A rollback creates nothing, and has to be quick.
  const problem = workspace === null || isRollback(context) ? null : await cleanUp(workspace, services);
  return end(progress, { state: "succeeded", code: null }, [progress.note, problem]);
}

function openWorkspace(
  { target, deployment }: DeploymentContext,
  services: DeployServices,
  progress: Progress,
): Workspace | null {
  const { choice } = deployment;
  if (target.repository === null && choice !== null) {
    throw new DeploymentError(
      choice.kind === "commit" ? "commit_missing" : "release_missing",
      `target ${target.name} has no repository to choose a commit or release from`,
    );
  }
  return createWorkspace(target, deployment.id, services, (what) => {
    progress.doing = what;
  });
}

/** Brings the files to where they can go live. Resolves with why they must not, or null. */
async function prepareRelease(
  workspace: Workspace,
  { deployment, history }: DeploymentContext,
  progress: Progress,
  io: ProcessIo,
): Promise<SkipReason | null> {
  const { choice, pushedCommit, previousCommit, attempt } = deployment;
  const begin = (what: string) => {
    io.signal.throwIfAborted();
    progress.doing = what;
  };
  if (choice?.kind === "release") {
    begin("looking for the release");
    const liveBefore = attempt > 1 ? previousCommit : null;
    const request = { name: choice.release, history: await history(), liveBefore };
    progress.placed = await workspace.takeRelease(request);
    return null;
  }
  begin("fetching");
  const fetched = await workspace.fetch({ pushedCommit, chosenCommit: choice?.commit ?? null }, io);
  progress.placed = { ...progress.placed, ref: fetched.ref, commit: fetched.commit };
  progress.note = fetched.note;
  if (!isRequestedByPerson(deployment, fetched.commit)) {
    begin("comparing the tip with what is live");
    const skip =
      (await findRollback(deployment, fetched.commit, history)) ??
      (await workspace.reasonToSkip(fetched, previousCommit, io));
    io.signal.throwIfAborted();
    if (skip !== null) return skip;
  }
  begin("verifying the signature");
  await workspace.verify(fetched, io);
  begin("checking out");
  progress.placed = { ...progress.placed, ...(await workspace.checkout(fetched, previousCommit, io)) };
  return null;
}

/**
 * A push of another commit than the tip says nothing new of the tip: the push was late, or the remote does not have the
 * pushed commit yet. It does not deploy again what a person rolled back.
 */
async function findRollback(
  { trigger, pushedCommit }: Deployment,
  tip: string,
  history: DeploymentContext["history"],
): Promise<SkipReason | null> {
  if (trigger !== "push" || pushedCommit === null || pushedCommit === tip) return null;
  const { rolledBackCommits } = await history();
  if (!rolledBackCommits.includes(tip)) return null;
  return { code: "rolled_back", reason: `a person went back from the tip, ${shortenCommit(tip)}` };
}

/** Whether a person asked for this commit: as an operator, or by a redelivery or replay. */
function isRequestedByPerson({ trigger, previousCommit }: Deployment, commit: string): boolean {
  const isRepeated = trigger === "redelivery" || trigger === "replay";
  return trigger === "manual" || trigger === "rollback" || (isRepeated && commit === previousCommit);
}

async function goLive(
  workspace: Workspace | null,
  context: DeploymentContext,
  services: DeployServices,
  progress: Progress,
  io: ProcessIo,
): Promise<void> {
  const { target, deployment } = context;
  const { placed } = progress;
  io.signal.throwIfAborted();
  const env = commandEnvironment(
    { ...context, previousCommit: deployment.previousCommit, placed },
    services.env,
  );
  const options = { cwd: placed.directory, env, ...io };
  if (!isRollback(context)) await runSteps(target.run, services.run, options, progress);
  progress.doing = "going live";
  await workspace?.activate(io);
  io.signal.throwIfAborted();
  await runSteps(target.after, services.run, options, progress);
  if (target.health === null) return;
  progress.doing = "waiting for the health check";
  const problem = await awaitHealth(target.health, services.clock, io);
  io.signal.throwIfAborted();
  if (problem !== null) throw new DeploymentError("health_check_failed", problem);
}

/** Resolves with what went wrong, or null. The deployment has succeeded all the same. */
async function cleanUp(workspace: Workspace, services: DeployServices): Promise<string | null> {
  const deadline = createDeadline(CLEANUP_TIME, services);
  try {
    await workspace.cleanup({ onLine: () => {}, signal: deadline.signal });
    return null;
  } catch (error) {
    if (deadline.signal.aborted) return "cleanup timed out; the next deployment finishes it";
    return `cleanup failed: ${describeFailure(error).reason}`;
  } finally {
    deadline.stop();
  }
}

function end(
  progress: Progress,
  ending: Pick<DeploymentResult, "state" | "code">,
  reasons: readonly (string | null)[],
): DeploymentResult {
  const { ref, commit, release } = progress.placed;
  const reason = reasons.filter((each) => each !== null).join("; ") || null;
  return { ...ending, reason, branch: ref, commit, release, steps: progress.steps };
}
