import { asksToSkip } from "../../domain/event.ts";
import type { FetchedCommit, ProcessIo, SkipReason } from "../../domain/layout.ts";
import type { Target } from "../../domain/target.ts";
import type { Git } from "./git.ts";

type PathFilter = Pick<Target, "paths" | "ignorePaths">;

/** Why the fetched tip is not deployed over the live commit, which is null when it is not known; null when it is. */
export async function findSkipReason(
  git: Git,
  filter: PathFilter,
  { commit: tip, message }: Pick<FetchedCommit, "commit" | "message">,
  live: string | null,
  io: ProcessIo,
): Promise<SkipReason | null> {
  const { paths, ignorePaths } = filter;
  if (asksToSkip(message)) {
    return { code: "skip_requested", reason: "the commit message of the tip contains [skip deploy]" };
  }
  if (paths.length === 0 && ignorePaths.length === 0) return null;
  // Without a commit to compare with, the tip is deployed.
  if (live === null || (await git.findCommit(live, io.signal)) === null) return null;
  if ((await countChanges(git, [live, tip], pathspecsOf(filter), io)) > 0) return null;
  const count = await countChanges(git, [live, tip], [], io);
  return { code: "paths_unchanged", reason: describeChanges(count, filter) };
}

function describeChanges(count: number, { paths, ignorePaths }: PathFilter): string {
  if (count === 0) return "no file differs from the live commit";
  const isOne = count === 1;
  const files = `${count} ${isOne ? "file differs" : "files differ"} from the live commit`;
  if (paths.length === 0) return `${files}, but ${isOne ? "it matches" : "all match"} ignore_paths`;
  if (ignorePaths.length === 0) return `${files}, but ${isOne ? "it does not match" : "none matches"} paths`;
  return `${files}, but paths and ignore_paths ${isOne ? "do not select it" : "select none of them"}`;
}

/** The globs as git's pathspecs (gitglossary(7)): from the top, `*` within a directory and `**` across them. */
function pathspecsOf({ paths, ignorePaths }: PathFilter): readonly string[] {
  const selected = paths.length === 0 ? [":(top)"] : paths.map((glob) => `:(top,glob)${glob}`);
  return [...selected, ...ignorePaths.map((glob) => `:(top,exclude,glob)${glob}`)];
}

/** How many files differ between two commits. A renamed file counts twice. */
async function countChanges(
  git: Git,
  commits: readonly [string, string],
  pathspecs: readonly string[],
  { signal }: ProcessIo,
): Promise<number> {
  let lines = 0;
  const onLine = () => {
    lines += 1;
  };
  const args = ["diff-tree", "-r", "--name-only", "--no-renames", ...commits, "--", ...pathspecs];
  await git.run(args, { onLine, signal });
  // The first line is the command itself.
  return lines - 1;
}
