import { asksToSkip } from "../../domain/event.ts";
import type { ProcessIo } from "../../domain/layout.ts";
import type { Target } from "../../domain/target.ts";
import { AppError } from "../../lib/errors.ts";
import type { Git } from "./git.ts";

/** What a filter compares: the commit to deploy, and the one that is live where that is known. */
export interface Compared {
  readonly tip: string;
  readonly live: string | null;
}

type Paths = Pick<Target, "paths" | "ignorePaths">;

/** Why a tip is not to be deployed by itself; null when it is. */
export async function findSkipReason(
  git: Git,
  target: Paths,
  { tip, live }: Compared,
  io: ProcessIo,
): Promise<string | null> {
  if (asksToSkip(await readMessage(git, tip, io))) return "the tip's message says [skip deploy]";
  if (target.paths.length === 0 && target.ignorePaths.length === 0) return null;
  // Nothing to compare with: rather once too often than never.
  if (live === null || (await git.findCommit(live, io.signal)) === null) return null;
  const differ = (pathspecs: readonly string[]) => listDiffering(git, { from: live, to: tip, pathspecs }, io);
  if ((await differ(pathspecsOf(target))).length > 0) return null;
  return explain((await differ([])).length, target);
}

function explain(count: number, { paths, ignorePaths }: Paths): string {
  if (count === 0) return "no file differs from what is live";
  const isOne = count === 1;
  const differing = `${isOne ? "the one file that differs" : `the ${count} files that differ`} from what is live`;
  if (paths.length === 0) return `${differing} fit${isOne ? "s" : ""} ignore_paths`;
  const besides = ignorePaths.length === 0 ? "" : " and not ignore_paths";
  return isOne ? `${differing} does not fit paths${besides}` : `none of ${differing} fits paths${besides}`;
}

async function readMessage(git: Git, commit: string, { signal }: ProcessIo): Promise<string> {
  const lines = await git.ask(["log", "-1", "--no-show-signature", "--format=%B", commit, "--"], signal);
  return (lines ?? []).join("\n");
}

/** The globs as git's pathspecs (gitglossary(7)): from the top, `*` within a directory and `**` across them. */
function pathspecsOf({ paths, ignorePaths }: Paths): readonly string[] {
  const wanted = paths.length === 0 ? [":(top)"] : paths.map((glob) => `:(top,glob)${glob}`);
  return [...wanted, ...ignorePaths.map((glob) => `:(top,exclude,glob)${glob}`)];
}

/** The names of the files that differ, as git quotes them; of a renamed file both. */
async function listDiffering(
  git: Git,
  { from, to, pathspecs }: { from: string; to: string; pathspecs: readonly string[] },
  { signal }: ProcessIo,
): Promise<readonly string[]> {
  const lines: string[] = [];
  const args = ["diff-tree", "-r", "--name-only", "--no-renames", from, to, "--", ...pathspecs];
  const reason = await git.attempt(args, { onLine: (line) => lines.push(line), signal });
  if (reason !== null) throw new AppError("failed", `git diff-tree ${reason}`);
  // The first is the command itself.
  return lines.slice(1);
}
