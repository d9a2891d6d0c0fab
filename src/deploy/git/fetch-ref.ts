import type { FetchedCommit, FetchRequest, ProcessIo } from "../../domain/layout.ts";
import { isWatchedTag } from "../../domain/match.ts";
import type { WatchedRepository, WatchedTag } from "../../domain/target.ts";
import { shortenCommit } from "../../lib/text.ts";
import { DeploymentError } from "../failure.ts";
import { type Commit, type Git, hideCredentials } from "./git.ts";

/** The beginning of a fetch. */
export const FETCH = ["fetch", "--no-auto-gc", "--no-recurse-submodules", "--no-write-fetch-head"] as const;

/** The repository to fetch, and the full ref name that a fetched branch gets. */
export interface TipRequest extends FetchRequest {
  readonly repository: WatchedRepository;
  readonly into: string;
}

/** The depth with which git fetches the whole history (git-fetch(1), --unshallow). */
export const WHOLE = 2_147_483_647;

/** The option for the history to fetch. Without a depth the repository stays as it is: complete, or as a person cloned it. */
export function depthOption(depth: number | null): readonly string[] {
  return depth === null ? [] : [`--depth=${Math.min(depth, WHOLE)}`];
}

/** A commit to deploy. `missing` says why the push has not arrived yet; null when it has. */
export interface Tip {
  readonly ref: string;
  readonly commit: Commit;
  readonly missing: string | null;
}

/** The commit to deploy, or one that was found and is not deployed. */
export interface FoundCommit extends Pick<FetchedCommit, "ref" | "note" | "skip"> {
  readonly commit: Commit;
}

/** The tags become the same as the remote's, deleted and moved ones too. */
const ALL_TAGS = "+refs/tags/*:refs/tags/*";

/** The commits to fetch. */
export interface Wanted {
  /** The commit that should have arrived; null for none. */
  readonly pushed: string | null;
  readonly depth: number | null;
}

/** Fetches the branch or the tags once. Rejects with a {@link DeploymentError}. */
export function fetchOnce(git: Git, request: TipRequest, wanted: Wanted, io: ProcessIo): Promise<Tip> {
  const { ref } = request.repository;
  return ref.kind === "branch"
    ? fetchBranch(git, request, ref.name, wanted, io)
    : fetchTags(git, request, ref, wanted, io);
}

async function fetchBranch(
  git: Git,
  { repository: { cloneUrl }, into }: TipRequest,
  branch: string,
  { pushed, depth }: Wanted,
  io: ProcessIo,
): Promise<Tip> {
  const place = hideCredentials(cloneUrl);
  // With a depth git fetches only the tags of the commits that it fetches: each other one would bring its files.
  const refspecs = [`+refs/heads/${branch}:${into}`, ...(depth === null ? [ALL_TAGS] : [])];
  const args = [...FETCH, ...depthOption(depth), "--prune", "--", cloneUrl, ...refspecs];
  const outcome = await git.attempt(args, io);
  if (outcome.kind === "failed" && outcome.reason.includes("couldn't find remote ref")) {
    throw new DeploymentError("ref_missing", `branch ${branch} does not exist in ${place}`);
  }
  if (outcome.kind === "failed")
    throw new DeploymentError(outcome.code ?? "fetch_failed", `git fetch ${outcome.reason}`);
  const commit = await git.readCommit(into, io.signal);
  if (commit === null) throw new DeploymentError("ref_missing", `branch ${branch} of ${place} has no commit`);
  const { name } = commit;
  const hasArrived = pushed === null || pushed === name || (await contains(git, name, pushed, io.signal));
  return {
    ref: branch,
    commit,
    missing: hasArrived
      ? null
      : `the tip ${shortenCommit(name)} does not contain the pushed commit ${shortenCommit(pushed)}`,
  };
}

/** Whether `pushed` is `tip` or an ancestor of it. False when the repository does not have the object. */
export async function contains(git: Git, tip: string, pushed: string, signal: AbortSignal): Promise<boolean> {
  const args = ["merge-base", "--is-ancestor", "--end-of-options", `${pushed}^{commit}`, tip];
  return (await git.read(args, signal)) !== null;
}

async function fetchTags(
  git: Git,
  { repository: { cloneUrl } }: TipRequest,
  watched: WatchedTag,
  { pushed, depth }: Wanted,
  io: ProcessIo,
): Promise<Tip> {
  await git.run([...FETCH, ...depthOption(depth), "--prune", "--", cloneUrl, ALL_TAGS], io);
  const tags = await listTags(git, watched, io.signal);
  // An older version may have been pushed: it has arrived when any tag is at it.
  const hasArrived = pushed === null || tags.some((tag) => tag.objects.includes(pushed));
  const missing = hasArrived ? null : `no tag is at the pushed commit ${shortenCommit(pushed)}`;
  for (const { name, objects } of tags) {
    const commit = await git.readCommit(objects[0], io.signal);
    // A tag may also name a file or a tree, which cannot be deployed.
    if (commit !== null) return { ref: name, commit, missing };
  }
  throw new DeploymentError(
    "ref_missing",
    `no tag in ${hideCredentials(cloneUrl)} matches ${watched.pattern}`,
  );
}

/** A matching tag. */
export interface Tag {
  readonly name: string;
  /** The object that it names and, if that is a tag object, the one that this names. */
  readonly objects: readonly [string, ...string[]];
}

/** The matching tags, the newest version first. */
export async function listTags(git: Git, watched: WatchedTag, signal: AbortSignal): Promise<readonly Tag[]> {
  const format = "%(objectname) %(*objectname) %(refname)";
  const args = ["for-each-ref", "--sort=-version:refname", `--format=${format}`, "refs/tags/"];
  const lines = (await git.read(args, signal)) ?? [];
  return lines.flatMap((line) => {
    const [, object, peeled, name] =
      /^([0-9a-f]{40,64}) ([0-9a-f]{40,64})? refs\/tags\/(.+)$/.exec(line) ?? [];
    if (object === undefined || name === undefined || !isWatchedTag(name, watched)) return [];
    return [{ name, objects: peeled === undefined ? [object] : [object, peeled] } satisfies Tag];
  });
}

/** The newest matching tag at a commit, or the commit itself. */
export async function findTagAt(
  git: Git,
  commit: string,
  watched: WatchedTag,
  io: ProcessIo,
): Promise<string> {
  const tags = await listTags(git, watched, io.signal);
  return tags.find(({ objects }) => objects.includes(commit))?.name ?? commit;
}
