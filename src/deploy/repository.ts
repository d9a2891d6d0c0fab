import { type Git, UNHEARD } from "./git.ts";
import { removeBlankFiles, removeGitLeftovers } from "./leftovers.ts";

const INIT = ["init", "--quiet", "--bare", "--template="] as const;

/**
 * Makes a bare repository of `directory`, or takes the one there is, and puts in order what a git that was
 * killed or a power failure left. Resolves with why git cannot work with it all the same, or null.
 */
export async function makeBare(directory: string, git: Git): Promise<string | null> {
  await removeGitLeftovers(directory);
  if ((await initialise(git)) === null) return null;
  await removeBlankFiles(directory);
  return initialise(git);
}

/** In a repository that is there already, `git init` only adds what is missing (git-init(1)). */
async function initialise(git: Git): Promise<string | null> {
  const reason = await git.attempt(INIT, UNHEARD);
  if (reason !== null) return `git init ${reason}`;
  return (await isSound(git)) ? null : "git cannot read what is in it";
}

/** Whether git can open the repository, and every ref in it names an object that is there. */
export async function isSound(git: Git): Promise<boolean> {
  const lines = await git.ask(["for-each-ref"]);
  return lines !== null && !lines.some((line) => line.startsWith("warning: ignoring broken ref"));
}
