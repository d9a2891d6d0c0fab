import { mkdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { DeploymentError } from "../../domain/deployment-error.ts";
import type {
  Checkout,
  FetchedCommit,
  FetchRequest,
  Layout,
  LayoutContext,
  PlacedRelease,
  ProcessIo,
  RevertResult,
  SkipReason,
  Workspace,
} from "../../domain/layout.ts";
import type { Target } from "../../domain/target.ts";
import { fetchTip, repositoryOf } from "../git/fetch.ts";
import { createCheckoutGit, type Git, SILENT_IO, withoutOutput } from "../git/git.ts";
import { findSkipReason } from "../git/path-filter.ts";
import { entriesOf, isSound, removeBlankFiles, removeStaleLocks } from "../git/repair.ts";
import { assertSigned } from "../git/signature.ts";
import { completeCheckout } from "../git/submodules.ts";
import { createDeadline } from "../process/deadline.ts";
import { syncFileSystem } from "./syncfs.ts";
import {
  readCheckpoint,
  removeCheckpoint,
  type WorktreeState,
  writeCheckpoint,
} from "./worktree-checkpoint.ts";

/** The directory itself is the checkout. `shared` is not used: ignored files stay in place. */
export const worktree: Layout = {
  name: "worktree",
  summary: "the directory itself is the checkout, reset to the tip; ignored files stay",
  releasesOf: null,
  createWorkspace: (target, context) => new WorktreeWorkspace(target, context),
};

/** A branch that never has a commit, for a directory in which nothing is checked out. */
const NOTHING = "hooklatch/nothing";

/** Milliseconds for the submodules of the commit that is put back. */
const MOVE_BACK_TIME = 60_000;

class WorktreeWorkspace implements Workspace {
  /** The state to go back to; null where nothing was checked out before. */
  #before: WorktreeState | null = null;
  /** How far this deployment changed the files. */
  #stage: "untouched" | "checking out" | "live" = "untouched";
  #opened: Git | null = null;

  constructor(
    readonly target: Target,
    readonly context: LayoutContext,
  ) {}

  async fetch({ pushedCommit, chosenCommit }: FetchRequest, io: ProcessIo): Promise<FetchedCommit> {
    const watch = repositoryOf(this.target);
    const git = await this.#prepare(watch.cloneUrl);
    const into = `refs/remotes/origin/${watch.ref.kind === "branch" ? watch.ref.name : "HEAD"}`;
    return fetchTip(git, { watch, into, pushedCommit, chosenCommit }, this.context, io);
  }

  async reasonToSkip(
    { commit }: FetchedCommit,
    live: string | null,
    io: ProcessIo,
  ): Promise<SkipReason | null> {
    return findSkipReason(await this.#git(), this.target, { tip: commit, live }, io);
  }

  async verify({ commit }: FetchedCommit, io: ProcessIo): Promise<void> {
    const { allowedSigners } = this.target;
    if (allowedSigners !== null) await assertSigned(await this.#git(), commit, allowedSigners, io);
  }

  async checkout({ ref, commit }: FetchedCommit, live: string | null, io: ProcessIo): Promise<Checkout> {
    const git = await this.#git();
    const watch = repositoryOf(this.target);
    const branch = watch.ref.kind === "branch" ? ref : null;
    const { before, isUnproven } = await writeCheckpoint(git, live, branch);
    this.#before = before;
    // The files of a killed deployment are live already.
    this.#stage = isUnproven ? "live" : "checking out";
    await moveTo(git, { branch, commit }, io);
    await completeCheckout(git, watch.cloneUrl, io);
    return { directory: this.target.directory, release: null };
  }

  async takeRelease(): Promise<PlacedRelease> {
    throw new DeploymentError(
      "release_missing",
      `the layout worktree has no releases; deploy a commit instead: hooklatch target deploy ${this.target.name} --commit <commit>`,
    );
  }

  async activate(io: ProcessIo): Promise<void> {
    // In this layout files are live as soon as they are checked out.
    this.#stage = "live";
    await syncFileSystem(this.target.directory, this.context, io);
  }

  async revert(): Promise<RevertResult> {
    const stage = this.#stage;
    if (stage === "untouched") return { kind: "untouched" };
    const git = await this.#git();
    // A killed git may have left its lock.
    await removeStaleLocks(join(this.target.directory, ".git"));
    const before = this.#before;
    if (before === null) await moveToNothing(git);
    else await this.#moveBack(git, before);
    await removeCheckpoint(git);
    if (stage !== "live") return { kind: "untouched" };
    if (before === null) return { kind: "taken down" };
    const { branch: ref, commit } = before;
    return { kind: "put back", placed: { directory: this.target.directory, release: null, ref, commit } };
  }

  async restore(live: string | null): Promise<RevertResult> {
    if ((await stat(join(this.target.directory, ".git")).catch(() => null)) === null) {
      return { kind: "untouched" };
    }
    const git = await this.#git();
    if ((await readCheckpoint(git)) === null) return { kind: "untouched" };
    const { ref } = repositoryOf(this.target);
    this.#before = (await writeCheckpoint(git, live, ref.kind === "branch" ? ref.name : null)).before;
    this.#stage = "live";
    return this.revert();
  }

  async cleanup(io: ProcessIo): Promise<void> {
    const git = await this.#git();
    await removeCheckpoint(git);
    await git.act(["gc", "--auto", "--quiet"], withoutOutput(io));
  }

  async #moveBack(git: Git, before: WorktreeState): Promise<void> {
    await moveTo(git, before, SILENT_IO);
    // Submodules may have to be fetched from a remote that does not answer.
    const limit = createDeadline(MOVE_BACK_TIME, { clock: this.context.clock, signal: SILENT_IO.signal });
    try {
      await completeCheckout(git, repositoryOf(this.target).cloneUrl, withoutOutput(limit));
    } finally {
      limit.stop();
    }
  }

  /** Creates the checkout, or repairs the one that a killed deployment left. */
  async #prepare(cloneUrl: string): Promise<Git> {
    const { directory } = this.target;
    await mkdir(directory, { recursive: true });
    const git = await this.#git();
    const isNew = !(await isCheckout(directory));
    await this.#repair(git);
    if (isNew) await setting(git, "remote.origin.fetch", "+refs/heads/*:refs/remotes/origin/*");
    await setting(git, "remote.origin.url", cloneUrl);
    return git;
  }

  /** Creates what is missing of a repository. Changes nothing in a sound one: it may be somebody's. */
  async #repair(git: Git): Promise<void> {
    const own = join(this.target.directory, ".git");
    await removeStaleLocks(own);
    await removeBlankFiles(own);
    if (!(await isSound(git))) await git.act(["init", "--quiet", "--template="], SILENT_IO);
  }

  async #git(): Promise<Git> {
    this.#opened ??= await createCheckoutGit(this.target.directory, this.context);
    return this.#opened;
  }
}

/** Whether there is a checkout already. Rejects a directory with other files, which would be removed. */
async function isCheckout(directory: string): Promise<boolean> {
  const git = join(directory, ".git");
  const found = await stat(git).catch(() => null);
  if (found?.isFile()) return true;
  if (found?.isDirectory()) return (await stat(join(git, "HEAD")).catch(() => null)) !== null;
  if ((await entriesOf(directory)).length === 0) return false;
  throw new DeploymentError(
    "directory_unusable",
    `${directory} has files in it and is not a git checkout; empty it, or choose another directory`,
  );
}

function setting(git: Git, key: string, value: string): Promise<void> {
  return git.act(["config", "--replace-all", "--", key, value], SILENT_IO);
}

/** Checks `commit` out, on `branch` or detached. Moves no other branch; ignored files stay. */
async function moveTo(
  git: Git,
  { branch, commit }: { branch: string | null; commit: string },
  io: ProcessIo,
) {
  const where = branch === null ? ["--detach"] : ["--no-track", "-B", branch];
  await git.act(["checkout", "--force", ...where, commit, "--"], io);
  await git.act(["clean", "-ffd"], io);
}

/** Removes what was checked out where nothing was before. Ignored files stay. */
async function moveToNothing(git: Git): Promise<void> {
  // While `.gitignore` still says what is ignored.
  await git.act(["clean", "-ffd"], SILENT_IO);
  // Git leaves the files of submodules in place.
  await git.attempt(["submodule", "--quiet", "deinit", "--all", "--force"], SILENT_IO);
  await git.act(["switch", "--discard-changes", "--orphan", NOTHING], SILENT_IO);
}
