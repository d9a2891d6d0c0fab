import { type Git, isObjectName, SILENT_IO } from "../git/git.ts";

const HEADS = "refs/heads/";

/**
 * The setting of the repository's own that holds, while a deployment is under way, the commit to go back to, or
 * {@link NONE}: what a deployment that was killed checked out is not proven, and HEAD says nothing else any more.
 */
const BEFORE = "hooklatch.before";
const NONE = "nothing";

/** Where the checkout was before a deployment. */
export interface WorktreeState {
  readonly commit: string;
  /** Null when HEAD was detached. */
  readonly branch: string | null;
}

/** What to go back to. */
export interface WorktreeCheckpoint {
  /** Null where nothing was checked out before. */
  readonly before: WorktreeState | null;
  /** Whether what is checked out now is of a deployment that was killed amid its work. */
  readonly isUnproven: boolean;
}

/** Finds where the checkout was before this deployment, or before one that was killed, and notes it for the next. */
export async function writeCheckpoint(
  git: Git,
  live: string | null,
  branch: string | null,
): Promise<WorktreeCheckpoint> {
  const noted = await readCheckpoint(git);
  if (noted === NONE) return { before: null, isUnproven: true };
  const commit = noted === null ? null : await git.findCommit(noted);
  if (commit !== null) return { before: { commit, branch }, isUnproven: true };
  const before = (await whereIs(git)) ?? (await whereItShouldBe(git, live, branch));
  await git.act(["config", "--replace-all", "--", BEFORE, before?.commit ?? NONE], SILENT_IO);
  return { before, isUnproven: false };
}

/** A commit or {@link NONE}; null where no deployment was killed amid its work. */
export async function readCheckpoint(git: Git): Promise<string | null> {
  // Warnings share the stream with the answer.
  const lines = await git.ask(["config", "--local", "--get", BEFORE]);
  return lines?.find((line) => line === NONE || isObjectName(line)) ?? null;
}

/** Notes that the deployment is over: what is checked out now counts. */
export function removeCheckpoint(git: Git): Promise<unknown> {
  return git.ask(["config", "--local", "--unset-all", BEFORE]);
}

async function whereIs(git: Git): Promise<WorktreeState | null> {
  const [commit, lines] = await Promise.all([
    git.findCommit("HEAD"),
    git.ask(["symbolic-ref", "--quiet", "HEAD"]),
  ]);
  if (commit === null) return null;
  const full = lines?.find((line) => line.startsWith(HEADS));
  return { commit, branch: full === undefined ? null : full.slice(HEADS.length) };
}

/** For a checkout that lost its HEAD, as in a power failure: its files are of the commit that counts as live. */
async function whereItShouldBe(
  git: Git,
  live: string | null,
  branch: string | null,
): Promise<WorktreeState | null> {
  const commit = live === null ? null : await git.findCommit(live);
  return commit === null ? null : { commit, branch };
}
