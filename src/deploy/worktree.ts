import { mkdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { Fault } from "../domain/fault.ts";
import type {
  CheckedOut,
  Fetched,
  Layout,
  LayoutTools,
  Placed,
  ProcessIo,
  Reverted,
  Wanted,
  Workplace,
} from "../domain/layout.ts";
import type { Target } from "../domain/target.ts";
import { type Before, forgetBefore, noteBefore, readNoted } from "./before.ts";
import { openCheckout } from "./checkout.ts";
import { findReasonToSkip } from "./filter.ts";
import { flush } from "./flush.ts";
import { type Git, UNHEARD, unheard } from "./git.ts";
import { entriesOf, removeBlankFiles, removeGitLeftovers } from "./leftovers.ts";
import { isSound } from "./repository.ts";
import { assertSigned } from "./signature.ts";
import { completeCheckout } from "./submodules.ts";
import { limitTime } from "./time-limit.ts";
import { fetchTip, watchOf } from "./tip.ts";

/** The directory itself is the checkout. `shared` has no meaning here: ignored files stay where they are. */
export const worktree: Layout = {
  name: "worktree",
  summary: "the directory itself is the checkout, reset to the tip; ignored files stay",
  releasesOf: null,
  open: (target, tools) => new WorktreePlace(target, tools),
};

/** A branch that never has a commit: what is checked out where nothing is. */
const NOTHING = "hooklatch/nothing";

/** Milliseconds for the submodules of what is put back. */
const MOVE_BACK_TIME = 60_000;

class WorktreePlace implements Workplace {
  /** What to go back to; null where nothing was checked out before. */
  #before: Before | null = null;
  /** How far this deployment came with the files. */
  #stage: "untouched" | "checking out" | "live" = "untouched";
  #opened: Git | null = null;

  constructor(
    readonly target: Target,
    readonly tools: LayoutTools,
  ) {}

  async fetch({ pushedCommit, chosenCommit }: Wanted, io: ProcessIo): Promise<Fetched> {
    const watch = watchOf(this.target);
    const git = await this.#prepare(watch.cloneUrl);
    const into = `refs/remotes/origin/${watch.ref.kind === "branch" ? watch.ref.name : "HEAD"}`;
    return fetchTip(git, { watch, into, pushedCommit, chosenCommit }, this.tools, io);
  }

  async reasonToSkip({ commit }: Fetched, live: string | null, io: ProcessIo): Promise<string | null> {
    return findReasonToSkip(await this.#git(), this.target, { tip: commit, live }, io);
  }

  async verify({ commit }: Fetched, io: ProcessIo): Promise<void> {
    const { allowedSigners } = this.target;
    if (allowedSigners !== null) await assertSigned(await this.#git(), commit, allowedSigners, io);
  }

  async checkOut({ ref, commit }: Fetched, live: string | null, io: ProcessIo): Promise<CheckedOut> {
    const git = await this.#git();
    const watch = watchOf(this.target);
    const branch = watch.ref.kind === "branch" ? ref : null;
    const { before, isUnproven } = await noteBefore(git, live, branch);
    this.#before = before;
    // The files of one that was killed are live already.
    this.#stage = isUnproven ? "live" : "checking out";
    await moveTo(git, { branch, commit }, io);
    await completeCheckout(git, watch.cloneUrl, io);
    return { directory: this.target.directory, release: null };
  }

  async takeRelease(): Promise<Placed> {
    throw new Fault(
      "failed",
      `the layout worktree keeps no releases; deploy a commit instead: hooklatch target deploy ${this.target.name} --commit <commit>`,
    );
  }

  async activate(io: ProcessIo): Promise<void> {
    // The files are live as soon as they are checked out: that is what this layout is.
    this.#stage = "live";
    await flush(this.target.directory, this.tools, io);
  }

  async revert(): Promise<Reverted> {
    const stage = this.#stage;
    if (stage === "untouched") return { kind: "untouched" };
    const git = await this.#git();
    // The git that was ended half-way may have left its lock.
    await removeGitLeftovers(join(this.target.directory, ".git"));
    const before = this.#before;
    if (before === null) await moveToNothing(git);
    else await this.#moveBack(git, before);
    await forgetBefore(git);
    if (stage !== "live") return { kind: "untouched" };
    if (before === null) return { kind: "taken down" };
    const { branch: ref, commit } = before;
    return { kind: "put back", placed: { directory: this.target.directory, release: null, ref, commit } };
  }

  async restore(live: string | null): Promise<Reverted> {
    if ((await stat(join(this.target.directory, ".git")).catch(() => null)) === null) {
      return { kind: "untouched" };
    }
    const git = await this.#git();
    if ((await readNoted(git)) === null) return { kind: "untouched" };
    const { ref } = watchOf(this.target);
    this.#before = (await noteBefore(git, live, ref.kind === "branch" ? ref.name : null)).before;
    this.#stage = "live";
    return this.revert();
  }

  async tidy(io: ProcessIo): Promise<void> {
    const git = await this.#git();
    await forgetBefore(git);
    await git.act(["gc", "--auto", "--quiet"], unheard(io));
  }

  async #moveBack(git: Git, before: Before): Promise<void> {
    await moveTo(git, before, UNHEARD);
    // Submodules may have to be asked for at the other end, which may not answer.
    const limit = limitTime(MOVE_BACK_TIME, { clock: this.tools.clock, signal: UNHEARD.signal });
    try {
      await completeCheckout(git, watchOf(this.target).cloneUrl, unheard(limit));
    } finally {
      limit.stop();
    }
  }

  /** Makes the checkout, or takes the one there is, and puts in order what a killed deployment left behind. */
  async #prepare(cloneUrl: string): Promise<Git> {
    const { directory } = this.target;
    await mkdir(directory, { recursive: true });
    const git = await this.#git();
    const isNew = !(await isCheckout(directory));
    await this.#mend(git);
    if (isNew) await setting(git, "remote.origin.fetch", "+refs/heads/*:refs/remotes/origin/*");
    await setting(git, "remote.origin.url", cloneUrl);
    return git;
  }

  /** Makes a repository, or what is missing of one. Nothing in one that is sound is touched: it may be somebody's. */
  async #mend(git: Git): Promise<void> {
    const own = join(this.target.directory, ".git");
    await removeGitLeftovers(own);
    await removeBlankFiles(own);
    if (!(await isSound(git))) await git.act(["init", "--quiet", "--template="], UNHEARD);
  }

  async #git(): Promise<Git> {
    this.#opened ??= await openCheckout(this.target.directory, this.tools);
    return this.#opened;
  }
}

/** Whether there is a checkout already. Refuses a directory with files that are not from one: they would go. */
async function isCheckout(directory: string): Promise<boolean> {
  const git = join(directory, ".git");
  const found = await stat(git).catch(() => null);
  if (found?.isFile()) return true;
  if (found?.isDirectory()) return (await stat(join(git, "HEAD")).catch(() => null)) !== null;
  if ((await entriesOf(directory)).length === 0) return false;
  throw new Fault(
    "failed",
    `${directory} has files in it and is not a git checkout; empty it, or choose another directory`,
  );
}

function setting(git: Git, key: string, value: string): Promise<void> {
  return git.act(["config", "--replace-all", "--", key, value], UNHEARD);
}

/** Makes the files those of `commit`, on `branch` or detached. No other branch is moved, ignored files stay. */
async function moveTo(
  git: Git,
  { branch, commit }: { branch: string | null; commit: string },
  io: ProcessIo,
) {
  const where = branch === null ? ["--detach"] : ["--no-track", "-B", branch];
  await git.act(["checkout", "--force", ...where, commit, "--"], io);
  await git.act(["clean", "-ffd"], io);
}

/** Takes away what was checked out where nothing was before. Ignored files stay. */
async function moveToNothing(git: Git): Promise<void> {
  // As long as `.gitignore` is there to say what is ignored.
  await git.act(["clean", "-ffd"], UNHEARD);
  // Git leaves the files of submodules where they are.
  await git.attempt(["submodule", "--quiet", "deinit", "--all", "--force"], UNHEARD);
  await git.act(["switch", "--discard-changes", "--orphan", NOTHING], UNHEARD);
}
