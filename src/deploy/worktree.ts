import { mkdir, realpath, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Fault } from "../domain/fault.ts";
import type { CheckedOut, Fetched, Layout, LayoutTools, ProcessIo, Workplace } from "../domain/layout.ts";
import type { Target } from "../domain/target.ts";
import { type Git, openGit, UNHEARD, unheard } from "./git.ts";
import { entriesOf, removeBlankFiles, removeGitLeftovers } from "./leftovers.ts";
import { isSound } from "./repository.ts";
import { fetchTip, watchOf } from "./tip.ts";

/** The directory itself is the checkout. `shared` has no meaning here: ignored files stay where they are. */
export const worktree: Layout = {
  name: "worktree",
  summary: "the directory itself is the checkout, reset to the tip; ignored files stay",
  open: (target, tools) => new WorktreePlace(target, tools),
};

const HEADS = "refs/heads/";

/** Where the checkout was before a deployment. */
interface Before {
  readonly commit: string;
  /** Null when HEAD was detached. */
  readonly branch: string | null;
}

class WorktreePlace implements Workplace {
  /** What to go back to; null until `checkOut`, and where nothing was checked out before. */
  #before: Before | null = null;
  #opened: Git | null = null;

  constructor(
    readonly target: Target,
    readonly tools: LayoutTools,
  ) {}

  async fetch(pushedCommit: string | null, io: ProcessIo): Promise<Fetched> {
    const watch = watchOf(this.target);
    const git = await this.#prepare(watch.cloneUrl);
    const into = `refs/remotes/origin/${watch.ref.kind === "branch" ? watch.ref.name : "HEAD"}`;
    return fetchTip(git, { watch, into, pushedCommit }, this.tools, io);
  }

  async checkOut({ ref, commit }: Fetched, io: ProcessIo): Promise<CheckedOut> {
    const git = await this.#git();
    this.#before = await whereIs(git);
    const branch = watchOf(this.target).ref.kind === "branch" ? ref : null;
    await moveTo(git, { branch, commit }, io);
    return { directory: this.target.directory, release: null };
  }

  async activate(): Promise<void> {
    // The files are live as soon as they are checked out: that is what this layout is.
  }

  async revert(): Promise<void> {
    if (this.#before === null) return;
    // The git that was ended half-way may have left its lock.
    await removeGitLeftovers(join(this.target.directory, ".git"));
    await moveTo(await this.#git(), this.#before, UNHEARD);
  }

  async tidy(io: ProcessIo): Promise<void> {
    await (await this.#git()).act(["gc", "--auto", "--quiet"], unheard(io));
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

async function openCheckout(directory: string, tools: LayoutTools): Promise<Git> {
  const real = await realpath(directory);
  // A broken `.git` must not make git take the repository around it: it would reset that one.
  return openGit(real, { GIT_CEILING_DIRECTORIES: dirname(real) }, tools);
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

async function whereIs(git: Git): Promise<Before | null> {
  const commit = await git.findCommit("HEAD");
  if (commit === null) return null;
  const lines = await git.ask(["symbolic-ref", "--quiet", "HEAD"]);
  const full = lines?.find((line) => line.startsWith(HEADS));
  return { commit, branch: full === undefined ? null : full.slice(HEADS.length) };
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
