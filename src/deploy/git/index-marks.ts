import { lstatSync } from "node:fs";
import { join } from "node:path";
import { describeCommand } from "../../domain/target.ts";
import { DeploymentError } from "../failure.ts";
import type { Git } from "./git.ts";

/** The marks with which a person excludes a file from changes by git, by the letter that `git ls-files -v` prints. */
const MARKS: Readonly<Record<string, string>> = {
  S: "skip-worktree",
  h: "assume-unchanged",
  s: "skip-worktree",
};

/**
 * Rejects with a {@link DeploymentError} when a checkout of `commit` would be refused for, or remove, the local content of a
 * file that a person marked in the checkout (git-update-index(1)): git does not name the mark. A sparse checkout marks
 * files that it leaves out; those do not count.
 */
export async function assertUnmarked(git: Git, directory: string, commit: string): Promise<void> {
  const marked = ((await git.read(["ls-files", "-v"])) ?? []).flatMap((line) => {
    const [, letter = "", file = ""] = /^([Shs]) (.+)$/.exec(line) ?? [];
    const mark = MARKS[letter];
    const exists = lstatSync(join(directory, file), { throwIfNoEntry: false }) !== undefined;
    return mark === undefined || !exists ? [] : [{ file, mark }];
  });
  if (marked.length === 0) return;
  const changed = new Set(await git.read(["diff-index", "--cached", "--name-only", commit, "--"]));
  const assumed = marked.filter(({ mark }) => mark === "assume-unchanged").map(({ file }) => file);
  const local = await findLocalContent(git, assumed);
  const first = marked.find(({ file }) => changed.has(file) || local.has(file));
  if (first === undefined) return;
  const command = describeCommand(["git", "-C", directory, "update-index", `--no-${first.mark}`, first.file]);
  throw new DeploymentError(
    "checkout_failed",
    `${first.file} is marked ${first.mark} in ${directory}, and the checkout would replace it: save its local content, then run ${command}`,
  );
}

/** The files whose content is not that of the index. A forced checkout resets them, whatever the commit changes. */
async function findLocalContent(git: Git, files: readonly string[]): Promise<ReadonlySet<string>> {
  if (files.length === 0) return new Set();
  const hashes = (await git.read(["hash-object", "--", ...files])) ?? [];
  const entries =
    (await git.read(["ls-files", "--stage", "--", ...files.map((file) => `:(literal)${file}`)])) ?? [];
  const staged = new Map(entries.map((line) => [line.slice(line.indexOf("\t") + 1), line.split(" ")[1]]));
  return new Set(files.filter((file, at) => hashes[at] !== undefined && hashes[at] !== staged.get(file)));
}
