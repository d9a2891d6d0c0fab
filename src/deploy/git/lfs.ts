import { DeploymentError } from "../../domain/deployment-error.ts";
import type { ProcessIo } from "../../domain/layout.ts";
import type { Git, GitSettings } from "./git.ts";

/** The settings of `git lfs install` (git-lfs-install(1)). Without them git-lfs leaves the pointers in place. */
const FILTER: GitSettings = {
  "filter.lfs.smudge": "git-lfs smudge -- %f",
  "filter.lfs.clean": "git-lfs clean -- %f",
  "filter.lfs.process": "git-lfs filter-process",
  "filter.lfs.required": "true",
};

const FILES = ":(attr:filter=lfs)";

/** Constant commands for the shell of `git submodule foreach`. */
const LIST_THERE = `git ls-files --stage '${FILES}'`;
const PULL_THERE = `test -z "$(${LIST_THERE})" || git lfs pull`;

/** Whether the checkout of `git` has files in Git LFS. */
export function hasLargeFiles(git: Git, io: ProcessIo): Promise<boolean> {
  return finds(git, ["ls-files", "--stage", FILES], io);
}

/** Replaces the pointers of files in Git LFS with their content. */
export async function checkoutLfsFiles(git: Git, io: ProcessIo): Promise<void> {
  await assertProgram(git, io);
  await git.act(["lfs", "pull"], io, FILTER);
}

/** The same in every submodule, recursively. */
export async function checkoutSubmoduleLfsFiles(git: Git, io: ProcessIo): Promise<void> {
  const everywhere = ["submodule", "--quiet", "foreach", "--recursive"];
  if (!(await finds(git, [...everywhere, LIST_THERE], io))) return;
  await assertProgram(git, io);
  await git.act([...everywhere, PULL_THERE], io, FILTER);
}

/** Warnings are on the same stream as the answer, whose lines are `<mode> <object> <stage>` and the file (git-ls-files(1)). */
async function finds(git: Git, args: readonly string[], { signal }: ProcessIo): Promise<boolean> {
  return ((await git.ask(args, signal)) ?? []).some((line) => /^\d{6} [0-9a-f]{40,64} \d\t/.test(line));
}

async function assertProgram(git: Git, { signal }: ProcessIo): Promise<void> {
  if ((await git.ask(["lfs", "version"], signal)) !== null || signal.aborted) return;
  throw new DeploymentError(
    "checkout_failed",
    "this repository has files in Git LFS, and git-lfs is not installed (Debian: apt-get install git-lfs)",
  );
}
