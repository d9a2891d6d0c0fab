import type { Deployment, DeploymentResult } from "../domain/deployment.ts";
import type { PassedCommit, ProcessIo, SkipReason, Workspace } from "../domain/layout.ts";
import { readPayloadEnvironment } from "../domain/rule.ts";
import type { Target } from "../domain/target.ts";
import { shortenCommit } from "../lib/text.ts";
import { type DeploymentContext, type DeployServices, isRollback, type Progress } from "./context.ts";
import { DeploymentError, describeFailure } from "./failure.ts";
import { describeDamagedKey } from "./git/key-file.ts";
import { awaitHealth } from "./health.ts";
import { type Deadline, withDeadline } from "./process/deadline.ts";
import { commandEnvironment } from "./process/environment.ts";
import { killOrphans } from "./process/orphans.ts";
import { revertDeployment } from "./revert.ts";
import { runSteps } from "./steps.ts";
import { createWorkspace } from "./workspace.ts";

/** Milliseconds. The next deployment of the target waits for the cleanup. */
const CLEANUP_TIME = 60_000;

/**
 * Runs one deployment from the fetch to the cleanup. Resolves with its result, also when it failed, timed out or was
 * ended through `signal`; in these cases the previous release is live again.
 */
export function deploy(context: DeploymentContext, services: DeployServices): Promise<DeploymentResult> {
  return withDeadline(context.target.timeout, services, (deadline) =>
    deployUntil(deadline, context, services),
  );
}

async function deployUntil(
  deadline: Deadline,
  context: DeploymentContext,
  services: DeployServices,
): Promise<DeploymentResult> {
  const { target, deployment } = context;
  // Catch-up has asked the remote: its commit is the tip, also for a deployment that fails before the fetch.
  const commit = deployment.trigger === "catch-up" ? deployment.pushedCommit : null;
  const progress: Progress = {
    activity: "starting",
    steps: [],
    placed: { directory: target.directory, release: null, ref: null, commit },
    subject: null,
    author: null,
    note: null,
  };
  const { onLine, whenReady } = services;
  const io: ProcessIo = { onLine, whenReady, signal: deadline.signal };
  let workspace: Workspace | null = null;
  try {
    checkPayloadVariables(context);
    workspace = createWorkspace(target, deployment.id, services, (activity) => {
      progress.activity = activity;
    });
    const skip = await prepareRelease(workspace, context, progress, io);
    if (skip !== null) {
      return end(target, progress, { state: "cancelled", code: skip.code }, [skip.reason, progress.note]);
    }
    await activateRelease(workspace, context, services, progress, io);
  } catch (error) {
    // Background processes of a failed step would continue in a release that is removed.
    if (progress.steps.length > 0 || io.signal.aborted) {
      await killOrphans([{ deployment: deployment.id, target }], services.clock);
    }
    const { reason, ...ending } = deadline.earlyEnd(progress.activity) ?? {
      state: "failed" as const,
      ...describeFailure(error, target.directory),
    };
    const reverted =
      workspace && (await revertDeployment(workspace, context, services, progress, ending.state));
    return end(target, progress, ending, [reason, reverted]);
  }
  services.onDecided();
  // A rollback has to be quick, and leaves nothing to clean up.
  const problem = workspace === null || isRollback(context) ? null : await cleanUp(workspace, services);
  return end(target, progress, { state: "succeeded", code: null }, [progress.note, problem]);
}

/** Throws a {@link DeploymentError} when a value cannot be that of a variable. */
function checkPayloadVariables({ target, readValues }: DeploymentContext): void {
  const read = readPayloadEnvironment(target, readValues);
  if (read.kind === "invalid") throw new DeploymentError("payload_env_invalid", read.reason);
}

/** Puts the files where the commands run. Resolves with the reason when there is nothing to deploy, else with null. */
async function prepareRelease(
  workspace: Workspace | null,
  context: DeploymentContext,
  progress: Progress,
  io: ProcessIo,
): Promise<SkipReason | null> {
  const { target, deployment, history, gate } = context;
  const { choice, pushedCommit, previousCommit, attempt } = deployment;
  if (workspace === null) {
    if (choice === null) return null;
    throw new DeploymentError(
      choice.kind === "release" ? "release_missing" : "commit_missing",
      `target ${target.name} has no repository to choose a commit or release from`,
    );
  }
  const begin = (activity: string) => {
    io.signal.throwIfAborted();
    progress.activity = activity;
  };
  if (choice?.kind === "release") {
    begin("looking for the release");
    const liveBefore = attempt > 1 ? previousCommit : null;
    const request = { name: choice.release, history: await history(), liveBefore };
    progress.placed = await workspace.takeRelease(request);
    return null;
  }
  const obstacle = (await gate?.findObstacle()) ?? null;
  if (obstacle !== null) return obstacle;
  begin("fetching");
  const damaged = describeDamagedKey(target);
  if (damaged !== null) throw new DeploymentError("fetch_failed", damaged);
  const passed = await describePassed(context);
  const chosenCommit = choice?.kind === "commit" ? choice.commit : null;
  const fetched = await workspace.fetch({ pushedCommit, chosenCommit, passed }, io);
  const { ref, commit } = fetched;
  progress.placed = { ...progress.placed, ref, commit };
  progress.note = fetched.note;
  progress.subject = fetched.subject;
  progress.author = fetched.author;
  if (fetched.skip) return fetched.skip;
  if (!isRequestedByPerson(deployment, commit)) {
    begin("comparing the tip with the live commit");
    const skip =
      (passed === null ? await findRollback(deployment, commit, history) : null) ??
      (await workspace.reasonToSkip(fetched, previousCommit, io));
    io.signal.throwIfAborted();
    if (skip !== null) return skip;
  }
  begin("verifying the signature");
  await workspace.verify(fetched, io);
  begin("checking out");
  progress.placed = { ref, commit, ...(await workspace.checkout(fetched, previousCommit, io)) };
  return null;
}

/** The conditions, checked after the fetch, for a commit whose CI succeeded; null for other deployments. */
async function describePassed({
  deployment,
  history,
  gate,
}: DeploymentContext): Promise<PassedCommit | null> {
  const { choice, trigger, previousCommit: live } = deployment;
  if (choice?.kind !== "ci" || gate === null) return null;
  return {
    commit: choice.commit,
    live,
    isRepeated: trigger !== "ci",
    // A person who replays a delivery may undo a rollback.
    rolledBack: trigger === "replay" ? [] : (await history()).rolledBackCommits,
    queued: await gate.listQueued(),
  };
}

/**
 * A push of another commit than the tip is late, or the remote does not have the pushed commit yet, and a redelivery repeats
 * a push that may be older than a rollback: anyone who recorded it can send it again. Neither deploys a tip that a person
 * rolled back.
 */
async function findRollback(
  { trigger, pushedCommit }: Deployment,
  tip: string,
  history: DeploymentContext["history"],
): Promise<SkipReason | null> {
  const isLate = trigger === "push" && pushedCommit !== null && pushedCommit !== tip;
  if (!isLate && trigger !== "redelivery") return null;
  const { rolledBackCommits } = await history();
  if (!rolledBackCommits.includes(tip)) return null;
  return { code: "rolled_back", reason: `the tip, ${shortenCommit(tip)}, was rolled back` };
}

/** Whether a person asked for this commit: by a command, or by repeating the delivery of the live commit. */
function isRequestedByPerson({ trigger, previousCommit }: Deployment, commit: string): boolean {
  const isRepeated = trigger === "redelivery" || trigger === "replay";
  return trigger === "manual" || trigger === "rollback" || (isRepeated && commit === previousCommit);
}

async function activateRelease(
  workspace: Workspace | null,
  context: DeploymentContext,
  services: DeployServices,
  progress: Progress,
  io: ProcessIo,
): Promise<void> {
  const { target, deployment } = context;
  const { placed } = progress;
  io.signal.throwIfAborted();
  const env = commandEnvironment(context, deployment.previousCommit, placed, services.env);
  const options = { cwd: placed.directory, env, ...io };
  if (!isRollback(context)) await runSteps(target.run, services.run, options, progress);
  progress.activity = "activating the release";
  await workspace?.activate(io);
  io.signal.throwIfAborted();
  await runSteps(target.after, services.run, options, progress);
  if (target.health === null) return;
  progress.activity = "waiting for the health check";
  await awaitHealth(target.health, services.clock, io);
  io.signal.throwIfAborted();
}

/** Resolves with what went wrong, or null. Either way the deployment has succeeded. */
function cleanUp(workspace: Workspace, services: DeployServices): Promise<string | null> {
  return withDeadline(CLEANUP_TIME, services, async ({ signal }) => {
    try {
      await workspace.cleanup({ onLine: () => {}, signal });
      return null;
    } catch (error) {
      if (signal.aborted) return "cleanup timed out; the next deployment finishes it";
      return `cleanup failed: ${describeFailure(error).reason}`;
    }
  });
}

function end(
  { repository }: Target,
  { placed: { ref, commit, release }, subject, author, steps }: Progress,
  ending: Pick<DeploymentResult, "state" | "code">,
  reasons: readonly (string | null)[],
): DeploymentResult {
  const reason = reasons.filter((each) => each !== null).join("; ") || null;
  const base = repository?.commitUrl;
  const commitUrl = base === undefined || commit === null ? null : `${base}${commit}`;
  return { ...ending, reason, branch: ref, commit, subject, author, commitUrl, release, steps };
}
