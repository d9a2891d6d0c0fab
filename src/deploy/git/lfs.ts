import type { ProcessIo } from "../../domain/layout.ts";
import { AppError } from "../../lib/errors.ts";
import type { Git, GitSettings } from "./git.ts";

/** What `git lfs install` sets (git-lfs-install(1)); without it git-lfs leaves the pointers where they are. */
const FILTER: GitSettings = {
  "filter.lfs.smudge": "git-lfs smudge -- %f",
  "filter.lfs.clean": "git-lfs clean -- %f",
  "filter.lfs.process": "git-lfs filter-process",
  "filter.lfs.required": "true",
};

const FILES = ":(attr:filter=lfs)";

/** Constant lines for the shell that `git submodule foreach` gives them to. */
const LIST_THERE = `git ls-files --stage '${FILES}'`;
const PULL_THERE = `test -z "$(${LIST_THERE})" || git lfs pull`;

/** Whether there are files that are kept in Git LFS; `git` is in the checkout. */
export function hasLargeFiles(git: Git, io: ProcessIo): Promise<boolean> {
  return finds(git, ["ls-files", "--stage", FILES], io);
}

/** Puts the content of the files that are kept in Git LFS in the place of their pointers. */
export async function checkoutLfsFiles(git: Git, io: ProcessIo): Promise<void> {
  await assertProgram(git, io);
  await git.act(["lfs", "pull"], io, FILTER);
}

/** The same in every submodule, and in theirs. */
export async function checkoutSubmoduleLfsFiles(git: Git, io: ProcessIo): Promise<void> {
  const everywhere = ["submodule", "--quiet", "foreach", "--recursive"];
  if (!(await finds(git, [...everywhere, LIST_THERE], io))) return;
  await assertProgram(git, io);
  await git.act([...everywhere, PULL_THERE], io, FILTER);
}

/** Warnings share the stream with the answer, whose lines are `<mode> <object> <stage>` and the file (git-ls-files(1)). */
async function finds(git: Git, args: readonly string[], { signal }: ProcessIo): Promise<boolean> {
  return ((await git.ask(args, signal)) ?? []).some((line) => /^\d{6} [0-9a-f]{40,64} \d\t/.test(line));
}

async function assertProgram(git: Git, { signal }: ProcessIo): Promise<void> {
  if ((await git.ask(["lfs", "version"], signal)) !== null || signal.aborted) return;
  throw new AppError(
    "failed",
    "this repository keeps files in Git LFS, and there is no git-lfs program (Debian: apt-get install git-lfs)",
  );
}
