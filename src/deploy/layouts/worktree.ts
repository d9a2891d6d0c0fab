import { existsSync, statSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Layout, LayoutContext, ProcessIo, RevertResult, Workspace } from "../../domain/layout.ts";
import type { Target } from "../../domain/target.ts";
import { DeploymentError } from "../failure.ts";
import { completeCheckout } from "../git/checkout.ts";
import { fetchTip, repositoryOf } from "../git/fetch.ts";
import { createCheckoutGit, type Git, isObjectName, SILENT_IO, withoutOutput } from "../git/git.ts";
import { assertUnmarked } from "../git/index-marks.ts";
import { entriesOf, removeBlankFiles, removeLeftovers } from "../git/leftovers.ts";
import { findSkipReason } from "../git/path-filter.ts";
import { removeConflictingRefs } from "../git/ref-conflicts.ts";
import { listSoundRefs } from "../git/repair.ts";
import { assertSigned } from "../git/signature.ts";
import { withDeadline } from "../process/deadline.ts";
import { makeRemovable, makeWritable, syncFileSystem } from "./file-system.ts";

/** The directory itself is the checkout. `shared` is not used: ignored files stay in place. */
export const worktree: Layout = {
  name: "worktree",
  summary: "the directory itself is the checkout, reset to the tip; ignored files stay",
  releasesOf: null,
  createWorkspace,
};

/** A branch that never has a commit, for a directory in which nothing is checked out. */
const NOTHING = "hooklatch/nothing";

/** Milliseconds to fetch submodules during a revert, from a remote that may not respond. */
const REVERT_TIME = 60_000;

function createWorkspace(target: Target, context: LayoutContext): Workspace {
  const { directory, repository } = target;
  const gitDirectory = join(directory, ".git");
  const branch = repository?.ref.kind === "branch" ? repository.ref.name : null;
  /** The state to go back to; null when nothing was checked out before. */
  let before: WorktreeState | null = null;
  /** How far this deployment, or a killed one, changed the files. */
  let stage: "untouched" | "checking out" | "live" = "untouched";
  let opened: Git | null = null;

  async function openGit(): Promise<Git> {
    opened ??= await createCheckoutGit(directory, context);
    return opened;
  }

  /** Creates the checkout, or repairs the one that a killed deployment left. */
  async function prepare(cloneUrl: string): Promise<Git> {
    await mkdir(directory, { recursive: true });
    // A step can have taken the access away from everything, the repository included.
    const wasReadOnly = isReadOnly(gitDirectory);
    if (isReadOnly(directory)) await makeRemovable([directory], context, SILENT_IO.signal);
    if (wasReadOnly) await makeWritable(gitDirectory, context, SILENT_IO.signal);
    const git = await openGit();
    const isNew = !(await isCheckout(directory));
    await removeLeftovers(gitDirectory);
    await removeBlankFiles(gitDirectory);
    // A sound repository stays as it is: the user may have created it.
    if ((await listSoundRefs(git)) === null) await git.run(["init", "--quiet", "--template="], SILENT_IO);
    if (isNew) await configure(git, "remote.origin.fetch", "+refs/heads/*:refs/remotes/origin/*");
    await configure(git, "remote.origin.url", cloneUrl);
    return git;
  }

  /** Changes the files. Where a step has made some read-only, makes them writable and tries again. */
  async function changeFiles(change: () => Promise<unknown>, signal: AbortSignal): Promise<void> {
    try {
      await change();
    } catch (error) {
      const isDenied = error instanceof DeploymentError && error.message.includes("Permission denied");
      if (!isDenied || signal.aborted) throw error;
      await makeRemovable([directory], context, signal);
      await change();
    }
  }

  async function revert(): Promise<RevertResult> {
    if (stage === "untouched") return { kind: "untouched" };
    const git = await openGit();
    // A killed git may have left its lock.
    await removeLeftovers(gitDirectory);
    // A failed checkout leaves new files, which the disk may have no room for.
    await git.attempt(["clean", "-ffd"], SILENT_IO);
    if (before === null) await changeFiles(() => moveToNothing(git), SILENT_IO.signal);
    else await moveBack(git, before);
    await removeCheckpoint(git);
    if (stage !== "live") return { kind: "untouched" };
    if (before === null) return { kind: "taken down" };
    return {
      kind: "reverted",
      placed: { directory, release: null, ref: before.branch, commit: before.commit },
    };
  }

  async function moveBack(git: Git, state: WorktreeState): Promise<void> {
    await changeFiles(() => moveTo(git, state, SILENT_IO), SILENT_IO.signal);
    await withDeadline(REVERT_TIME, { ...context, signal: SILENT_IO.signal }, (deadline) =>
      completeCheckout(git, repositoryOf(target).cloneUrl, withoutOutput(deadline)),
    );
  }

  return {
    async fetch(request, io) {
      const watched = repositoryOf(target);
      const git = await prepare(watched.cloneUrl);
      if (branch !== null) await removeConflictingRefs(git, "refs/remotes/origin/", branch, io);
      const into = `refs/remotes/origin/${branch ?? "HEAD"}`;
      return fetchTip(git, { ...request, repository: watched, into }, context, io);
    },
    reasonToSkip: async (fetched, live, io) => findSkipReason(await openGit(), target, fetched, live, io),
    verify: async ({ commit }, io) => assertSigned(await openGit(), commit, target.allowedSigners, io),
    async checkout({ commit }, live, io) {
      const git = await openGit();
      await assertUnmarked(git, directory, commit);
      const checkpoint = await writeCheckpoint(git, live, branch);
      before = checkpoint.before;
      // The files of a killed deployment are live already.
      stage = checkpoint.isFromCrashedRun ? "live" : "checking out";
      await changeFiles(() => moveTo(git, { branch, commit }, io), io.signal);
      await completeCheckout(git, repositoryOf(target).cloneUrl, io);
      return { directory, release: null };
    },
    async takeRelease() {
      throw new DeploymentError(
        "release_missing",
        `the layout worktree has no releases; deploy a commit instead: hooklatch target deploy ${target.name} --commit <commit>`,
      );
    },
    async activate(io) {
      // In this layout files are live as soon as they are checked out.
      stage = "live";
      await syncFileSystem(directory, context, io);
    },
    revert,
    async restore(live) {
      if (!existsSync(gitDirectory)) return { kind: "untouched" };
      const git = await openGit();
      if ((await readCheckpoint(git)) === null) return { kind: "untouched" };
      before = (await writeCheckpoint(git, live, branch)).before;
      stage = "live";
      return revert();
    },
    async cleanup(io) {
      const git = await openGit();
      await removeCheckpoint(git);
      await git.run(["gc", "--auto", "--quiet"], withoutOutput(io));
    },
  };
}

/** Whether there is a checkout already. Rejects a directory with other files, which would be removed. */
async function isCheckout(directory: string): Promise<boolean> {
  const path = join(directory, ".git");
  const found = statSync(path, { throwIfNoEntry: false });
  // Of a linked working tree, `.git` is a file (git-worktree(1)).
  if (found?.isFile()) return true;
  if (found?.isDirectory()) return existsSync(join(path, "HEAD"));
  if ((await entriesOf(directory)).length === 0) return false;
  throw new DeploymentError(
    "directory_unusable",
    `${directory} has files in it and is not a git checkout; empty it, or choose another directory`,
  );
}

function configure(git: Git, key: string, value: string): Promise<void> {
  return git.run(["config", "--replace-all", "--", key, value], SILENT_IO);
}

/**
 * Checks `commit` out, on `branch` or detached. Moves no other branch, and removes one only where its name excludes
 * `branch`; ignored files stay.
 */
async function moveTo(git: Git, { branch, commit }: WorktreeState, io: ProcessIo): Promise<void> {
  const where = branch === null ? ["--detach"] : ["--no-track", "-B", branch];
  if (branch !== null) await removeConflictingRefs(git, HEADS, branch, io);
  await git.run(["checkout", "--force", ...where, commit, "--"], io);
  await git.run(["clean", "-ffd"], io);
}

/** Whether a directory exists, belongs to this user, and refuses the user's own changes. */
function isReadOnly(directory: string): boolean {
  const found = statSync(directory, { throwIfNoEntry: false });
  return found !== undefined && found.uid === process.getuid?.() && (found.mode & 0o700) !== 0o700;
}

/** Removes what was checked out when nothing was before. Ignored files stay. */
async function moveToNothing(git: Git): Promise<void> {
  // Before the switch removes `.gitignore`.
  await git.run(["clean", "-ffd"], SILENT_IO);
  // Git leaves the files of submodules in place.
  await git.attempt(["submodule", "--quiet", "deinit", "--all", "--force"], SILENT_IO);
  await git.run(["switch", "--discard-changes", "--orphan", NOTHING], SILENT_IO);
}

const HEADS = "refs/heads/";

/**
 * The repository's setting that holds, while a deployment runs, the commit to go back to, or {@link NONE}. After a kill,
 * HEAD names what the killed deployment checked out, which may not work.
 */
const SETTING = "hooklatch.before";
const NONE = "nothing";

/** What was checked out before a deployment. */
interface WorktreeState {
  readonly commit: string;
  /** Null when HEAD was detached. */
  readonly branch: string | null;
}

/** The state to go back to. */
interface WorktreeCheckpoint {
  /** Null when nothing was checked out before. */
  readonly before: WorktreeState | null;
  /** Whether a killed deployment checked out the present files. */
  readonly isFromCrashedRun: boolean;
}

/** Records what was checked out before this deployment, unless a killed one has recorded it already. */
async function writeCheckpoint(
  git: Git,
  live: string | null,
  branch: string | null,
): Promise<WorktreeCheckpoint> {
  const recorded = await readCheckpoint(git);
  if (recorded === NONE) return { before: null, isFromCrashedRun: true };
  const commit = recorded === null ? null : await git.findCommit(recorded);
  if (commit !== null) return { before: { commit, branch }, isFromCrashedRun: true };
  const before = (await readState(git)) ?? (await findLive(git, live, branch));
  await git.run(["config", "--replace-all", "--", SETTING, before?.commit ?? NONE], SILENT_IO);
  return { before, isFromCrashedRun: false };
}

/** A commit or {@link NONE}; null when no deployment was killed. */
async function readCheckpoint(git: Git): Promise<string | null> {
  // Warnings are on the same stream as the answer.
  const lines = await git.read(["config", "--local", "--get", SETTING]);
  return lines?.find((line) => line === NONE || isObjectName(line)) ?? null;
}

/** Called when the deployment is over. */
async function removeCheckpoint(git: Git): Promise<void> {
  await git.read(["config", "--local", "--unset-all", SETTING]);
}

async function readState(git: Git): Promise<WorktreeState | null> {
  const [commit, lines] = await Promise.all([
    git.findCommit("HEAD"),
    git.read(["symbolic-ref", "--quiet", "HEAD"]),
  ]);
  const ref = lines?.find((line) => line.startsWith(HEADS));
  return commit === null ? null : { commit, branch: ref?.slice(HEADS.length) ?? null };
}

/** For a checkout that lost its HEAD in a power failure: its files are those of the live commit. */
async function findLive(git: Git, live: string | null, branch: string | null): Promise<WorktreeState | null> {
  const commit = live === null ? null : await git.findCommit(live);
  return commit === null ? null : { commit, branch };
}
