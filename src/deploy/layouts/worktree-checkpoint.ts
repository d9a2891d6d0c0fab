import { type Git, isObjectName, SILENT_IO } from "../git/git.ts";

const HEADS = "refs/heads/";

/**
 * The repository's setting that holds, while a deployment runs, the commit to go back to, or {@link NONE}. After a kill,
 * HEAD names what the killed deployment checked out, which may not work.
 */
const SETTING = "hooklatch.before";
const NONE = "nothing";

/** What was checked out before a deployment. */
export interface WorktreeState {
  readonly commit: string;
  /** Null when HEAD was detached. */
  readonly branch: string | null;
}

/** The state to go back to. */
export interface WorktreeCheckpoint {
  /** Null when nothing was checked out before. */
  readonly before: WorktreeState | null;
  /** Whether a killed deployment checked out the present files. */
  readonly isFromCrashedRun: boolean;
}

/** Records what was checked out before this deployment, unless a killed one has recorded it already. */
export async function writeCheckpoint(
  git: Git,
  live: string | null,
  branch: string | null,
): Promise<WorktreeCheckpoint> {
  const recorded = await readCheckpoint(git);
  if (recorded === NONE) return { before: null, isFromCrashedRun: true };
  const commit = recorded === null ? null : await git.findCommit(recorded);
  if (commit !== null) return { before: { commit, branch }, isFromCrashedRun: true };
  const before = (await readState(git)) ?? (await findLive(git, live, branch));
  await git.run(["config", "--replace-all", "--", SETTING, before?.commit ?? NONE], SILENT_IO);
  return { before, isFromCrashedRun: false };
}

/** A commit or {@link NONE}; null when no deployment was killed. */
export async function readCheckpoint(git: Git): Promise<string | null> {
  // Warnings are on the same stream as the answer.
  const lines = await git.read(["config", "--local", "--get", SETTING]);
  return lines?.find((line) => line === NONE || isObjectName(line)) ?? null;
}

/** Called when the deployment is over. */
export async function removeCheckpoint(git: Git): Promise<void> {
  await git.read(["config", "--local", "--unset-all", SETTING]);
}

async function readState(git: Git): Promise<WorktreeState | null> {
  const [commit, lines] = await Promise.all([
    git.findCommit("HEAD"),
    git.read(["symbolic-ref", "--quiet", "HEAD"]),
  ]);
  const ref = lines?.find((line) => line.startsWith(HEADS));
  return commit === null ? null : { commit, branch: ref?.slice(HEADS.length) ?? null };
}

/** For a checkout that lost its HEAD in a power failure: its files are those of the live commit. */
async function findLive(git: Git, live: string | null, branch: string | null): Promise<WorktreeState | null> {
  const commit = live === null ? null : await git.findCommit(live);
  return commit === null ? null : { commit, branch };
}
