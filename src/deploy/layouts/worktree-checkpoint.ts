import { type Git, isObjectName, SILENT_IO } from "../git/git.ts";

const HEADS = "refs/heads/";

/**
 * The repository's setting that holds, while a deployment runs, the commit to go back to, or {@link NONE}. After a kill,
 * HEAD names what the killed deployment checked out, which is not proven.
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
  /** Whether a killed deployment checked out what is there now. */
  readonly isUnproven: boolean;
}

/** Finds where the checkout was before this deployment, or before a killed one, and records it. */
export async function writeCheckpoint(
  git: Git,
  live: string | null,
  branch: string | null,
): Promise<WorktreeCheckpoint> {
  const recorded = await readCheckpoint(git);
  if (recorded === NONE) return { before: null, isUnproven: true };
  const commit = recorded === null ? null : await git.findCommit(recorded);
  if (commit !== null) return { before: { commit, branch }, isUnproven: true };
  const before = (await findPresent(git)) ?? (await findExpected(git, live, branch));
  await git.act(["config", "--replace-all", "--", BEFORE, before?.commit ?? NONE], SILENT_IO);
  return { before, isUnproven: false };
}

/** A commit or {@link NONE}; null where no deployment was killed. */
export async function readCheckpoint(git: Git): Promise<string | null> {
  // Warnings are on the same stream as the answer.
  const lines = await git.ask(["config", "--local", "--get", BEFORE]);
  return lines?.find((line) => line === NONE || isObjectName(line)) ?? null;
}

/** Removes the checkpoint: the deployment is over, and what is checked out counts. */
export function removeCheckpoint(git: Git): Promise<unknown> {
  return git.ask(["config", "--local", "--unset-all", BEFORE]);
}

async function findPresent(git: Git): Promise<WorktreeState | null> {
  const [commit, lines] = await Promise.all([
    git.findCommit("HEAD"),
    git.ask(["symbolic-ref", "--quiet", "HEAD"]),
  ]);
  if (commit === null) return null;
  const full = lines?.find((line) => line.startsWith(HEADS));
  return { commit, branch: full === undefined ? null : full.slice(HEADS.length) };
}

/** For a checkout that lost its HEAD in a power failure: its files are those of the live commit. */
async function findExpected(
  git: Git,
  live: string | null,
  branch: string | null,
): Promise<WorktreeState | null> {
  const commit = live === null ? null : await git.findCommit(live);
  return commit === null ? null : { commit, branch };
}
