import type { FetchedCommit, FetchRequest, LayoutContext, ProcessIo } from "../../domain/layout.ts";
import { isWatchedTag } from "../../domain/match.ts";
import type { Target, WatchedRepository, WatchedTag } from "../../domain/target.ts";
import { formatDuration } from "../../lib/duration.ts";
import { AppError } from "../../lib/errors.ts";
import { shortenCommit, toOneLine } from "../../lib/text.ts";
import { DeploymentError } from "../failure.ts";
import { type Commit, findCommitsByPrefix, type Git, hideCredentials, isObjectName } from "./git.ts";

/**
 * Milliseconds before each further fetch while the tip does not contain the pushed commit, a minute in all: the server
 * that is fetched from may lag behind the one that sent the push.
 */
const WAITS = [1_000, 2_000, 4_000, 8_000, 16_000, 29_000];

/** Characters of a subject and of an author's name. */
const MAX_SUMMARY = 200;

const FETCH = ["fetch", "--no-auto-gc", "--no-recurse-submodules", "--no-write-fetch-head"] as const;

/** The repository of a target. Throws an {@link AppError} `configuration` when it has none. */
export function repositoryOf(target: Target): WatchedRepository {
  if (target.repository !== null) return target.repository;
  throw new AppError("configuration", `target ${target.name} has no repository`);
}

/** The repository to fetch, and the full ref name that a fetched branch gets. */
interface TipRequest extends FetchRequest {
  readonly repository: WatchedRepository;
  readonly into: string;
}

/** Commits that are fetched beyond `depth` while the pushed commit, which may be older than the tip, is not found. */
const DEEPER = [100, 1_000];

/** The depth that stands for the whole history (git-fetch(1), --unshallow). */
const WHOLE = 2_147_483_647;

/** The option for the history to fetch. Without a depth the repository stays as it is: complete, or as a person cloned it. */
function depthOption(depth: number | null): readonly string[] {
  return depth === null ? [] : [`--depth=${Math.min(depth, WHOLE)}`];
}

/** A commit to deploy. `missing` says why the push has not arrived yet; null when it has. */
interface Tip {
  readonly ref: string;
  readonly commit: Commit;
  readonly missing: string | null;
}

/** The tags become the same as the remote's, deleted and moved ones too. */
const ALL_TAGS = "+refs/tags/*:refs/tags/*";

/**
 * Fetches and finds what to deploy: the chosen commit, the branch's tip, or the newest matching tag by version order.
 * Fetches again for up to a minute while the pushed commit is missing, then takes the tip as it is and says so in `note`.
 * The tags become the same as the remote's. Rejects with a {@link DeploymentError}.
 */
export async function fetchTip(
  git: Git,
  request: TipRequest,
  context: Pick<LayoutContext, "clock" | "onActivity">,
  io: ProcessIo,
): Promise<FetchedCommit> {
  const { ref, note, commit } = await findTip(git, request, context, io);
  const shorten = (text: string) => toOneLine(text, MAX_SUMMARY) || null;
  return {
    ref,
    note,
    commit: commit.name,
    subject: shorten(commit.subject),
    author: shorten(commit.author),
    message: commit.message,
  };
}

async function findTip(
  git: Git,
  request: TipRequest,
  { clock, onActivity }: Pick<LayoutContext, "clock" | "onActivity">,
  io: ProcessIo,
): Promise<Pick<FetchedCommit, "ref" | "note"> & { readonly commit: Commit }> {
  const { repository, pushedCommit, chosenCommit } = request;
  const { depth } = repository;
  if (chosenCommit !== null) {
    const tip = await fetchOnce(git, request, { pushed: null, depth }, io);
    const commit = await findChosen(git, request, chosenCommit.toLowerCase(), io);
    const { ref } = repository;
    const name = ref.kind === "branch" ? tip.ref : await findTagAt(git, commit.name, ref, io);
    return { ref: name, commit, note: null };
  }
  const pushed = pushedCommit !== null && isObjectName(pushedCommit) ? pushedCommit : null;
  // The first of these needs no wait: the commit may be there, beyond the depth.
  const waits = depth === null ? WAITS : [0, ...WAITS];
  for (let attempt = 0; ; attempt += 1) {
    const deeper = attempt === 0 ? 0 : (DEEPER[attempt - 1] ?? DEEPER.at(-1) ?? 0);
    const wanted = { pushed, depth: depth === null ? null : depth + deeper };
    const { missing, ...tip } = await fetchOnce(git, request, wanted, io);
    const wait = waits[attempt];
    if (missing !== null && wait === undefined) io.onLine(`${missing}; continuing without it`);
    if (missing === null || wait === undefined || io.signal.aborted) return { ...tip, note: missing };
    onActivity("waiting for the pushed commit");
    if (wait === 0) {
      io.onLine(`${missing}; fetching more of the history`);
      continue;
    }
    io.onLine(`${missing}; fetching again in ${formatDuration(wait)}`);
    await clock.sleep(wait, io.signal);
  }
}

/** Finds the commit that a person chose, or fetches it by its name: it may no longer be on any branch. */
async function findChosen(git: Git, request: TipRequest, chosen: string, io: ProcessIo): Promise<Commit> {
  const { cloneUrl, depth } = request.repository;
  let [found, ...others] = await findCommitsByPrefix(git, chosen, io.signal);
  if (found === undefined && depth !== null && !isObjectName(chosen)) {
    await fetchOnce(git, request, { pushed: null, depth: WHOLE }, io);
    [found, ...others] = await findCommitsByPrefix(git, chosen, io.signal);
  }
  if (others.length > 0) {
    throw new DeploymentError(
      "commit_ambiguous",
      `more than one commit begins with ${chosen}; give more digits of it`,
    );
  }
  const known = found === undefined ? null : await git.readCommit(found, io.signal);
  if (known !== null) return known;
  const place = hideCredentials(cloneUrl);
  if (!isObjectName(chosen)) {
    throw new DeploymentError(
      "commit_missing",
      `commit ${chosen} is not in what was fetched from ${place}; give its full name`,
    );
  }
  const outcome = await git.attempt([...FETCH, ...depthOption(depth), "--", cloneUrl, chosen], io);
  if (outcome.kind === "failed" && !/not our ref|unadvertised object|remote ref/.test(outcome.reason)) {
    throw new DeploymentError(outcome.code ?? "fetch_failed", `git fetch ${outcome.reason}`);
  }
  const commit = outcome.kind === "failed" ? null : await git.readCommit(chosen, io.signal);
  if (commit !== null) return commit;
  throw new DeploymentError("commit_missing", `commit ${chosen} is not in ${place}`);
}

/** The newest matching tag at a commit, or the commit itself. */
async function findTagAt(git: Git, commit: string, watched: WatchedTag, io: ProcessIo): Promise<string> {
  const tags = await listTags(git, watched, io.signal);
  return tags.find(({ objects }) => objects.includes(commit))?.name ?? commit;
}

interface Wanted {
  /** The commit that should have arrived; null for none. */
  readonly pushed: string | null;
  readonly depth: number | null;
}

function fetchOnce(git: Git, request: TipRequest, wanted: Wanted, io: ProcessIo): Promise<Tip> {
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

/** Whether `pushed` is an ancestor of `tip`. False when the repository does not have the object. */
async function contains(git: Git, tip: string, pushed: string, signal: AbortSignal): Promise<boolean> {
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

interface Tag {
  readonly name: string;
  /** The object that it names and, if that is a tag object, the one that this names. */
  readonly objects: readonly [string, ...string[]];
}

/** The matching tags, the newest version first. */
async function listTags(git: Git, watched: WatchedTag, signal: AbortSignal): Promise<readonly Tag[]> {
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
