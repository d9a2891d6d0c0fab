import { type Git, type GitOutcome, SILENT_IO } from "./git.ts";
import { removeBlankFiles, removeLeftovers } from "./leftovers.ts";

/** Creates a bare repository in `directory`, or repairs what a killed git or a power failure left there. */
export async function makeBare(directory: string, git: Git): Promise<GitOutcome> {
  await removeLeftovers(directory);
  const outcome = await initialise(git);
  if (outcome.kind === "succeeded") return outcome;
  await removeBlankFiles(directory);
  return initialise(git);
}

/** In an existing repository, `git init` only adds what is missing (git-init(1)). */
async function initialise(git: Git): Promise<GitOutcome> {
  const outcome = await git.attempt(["init", "--quiet", "--bare", "--template="], SILENT_IO);
  if (outcome.kind === "failed") return { ...outcome, reason: `git init ${outcome.reason}` };
  return (await isSound(git))
    ? outcome
    : { kind: "failed", code: null, reason: "git cannot read the repository" };
}

/** Whether git can open the repository, and every ref names an existing object. */
export async function isSound(git: Git): Promise<boolean> {
  const lines = await git.read(["for-each-ref"]);
  return lines !== null && !lines.some((line) => line.startsWith("warning: ignoring broken ref"));
}
