import { DeploymentError } from "../../domain/deployment-error.ts";
import { asksToSkip } from "../../domain/event.ts";
import type { ProcessIo, SkipReason } from "../../domain/layout.ts";
import type { Target } from "../../domain/target.ts";
import type { Git } from "./git.ts";

/** What a path filter compares: the commit to deploy, and the live one where that is known. */
export interface ComparedCommits {
  readonly tip: string;
  readonly live: string | null;
}

type PathFilter = Pick<Target, "paths" | "ignorePaths">;

/** Why a tip is not deployed; null when it is. */
export async function findSkipReason(
  git: Git,
  target: PathFilter,
  { tip, live }: ComparedCommits,
  io: ProcessIo,
): Promise<SkipReason | null> {
  if (asksToSkip(await readMessage(git, tip, io))) {
    return { code: "skip_requested", reason: "the tip's message says [skip deploy]" };
  }
  if (target.paths.length === 0 && target.ignorePaths.length === 0) return null;
  // Without anything to compare with, it is deployed.
  if (live === null || (await git.findCommit(live, io.signal)) === null) return null;
  const diff = (pathspecs: readonly string[]) =>
    listChangedFiles(git, { from: live, to: tip, pathspecs }, io);
  if ((await diff(pathspecsOf(target))).length > 0) return null;
  return { code: "paths_unchanged", reason: describeChanges((await diff([])).length, target) };
}

function describeChanges(count: number, { paths, ignorePaths }: PathFilter): string {
  if (count === 0) return "no file differs from what is live";
  const isOne = count === 1;
  const differing = `${isOne ? "the one file that differs" : `the ${count} files that differ`} from what is live`;
  if (paths.length === 0) return `${differing} match${isOne ? "es" : ""} ignore_paths`;
  const besides = ignorePaths.length === 0 ? "" : " and not ignore_paths";
  return isOne
    ? `${differing} does not match paths${besides}`
    : `none of ${differing} matches paths${besides}`;
}

async function readMessage(git: Git, commit: string, { signal }: ProcessIo): Promise<string> {
  const lines = await git.ask(["log", "-1", "--no-show-signature", "--format=%B", commit, "--"], signal);
  return (lines ?? []).join("\n");
}

/** The globs as git's pathspecs (gitglossary(7)): from the top, `*` within a directory and `**` across them. */
function pathspecsOf({ paths, ignorePaths }: PathFilter): readonly string[] {
  const wanted = paths.length === 0 ? [":(top)"] : paths.map((glob) => `:(top,glob)${glob}`);
  return [...wanted, ...ignorePaths.map((glob) => `:(top,exclude,glob)${glob}`)];
}

/** The names of the files that differ, as git quotes them; of a renamed file both. */
async function listChangedFiles(
  git: Git,
  { from, to, pathspecs }: { from: string; to: string; pathspecs: readonly string[] },
  { signal }: ProcessIo,
): Promise<readonly string[]> {
  const lines: string[] = [];
  const args = ["diff-tree", "-r", "--name-only", "--no-renames", from, to, "--", ...pathspecs];
  const reason = await git.attempt(args, { onLine: (line) => lines.push(line), signal });
  if (reason !== null) throw new DeploymentError("git_failed", `git diff-tree ${reason}`);
  // The first line is the command itself.
  return lines.slice(1);
}
