import { DeploymentError } from "../../domain/deployment-error.ts";
import type { FetchedCommit, FetchRequest, ProcessIo } from "../../domain/layout.ts";
import { tagMatches } from "../../domain/match.ts";
import type { Target, WatchedRepository } from "../../domain/target.ts";
import type { Clock } from "../../lib/clock.ts";
import { AppError } from "../../lib/errors.ts";
import { shortenCommit } from "../../lib/text.ts";
import { type Git, hideCredentials, isObjectName } from "./git.ts";

/**
 * Milliseconds before each further fetch while the tip does not contain the pushed commit, a minute in all: a replica may
 * lag behind the forge that sent the push.
 */
const WAITS = [1_000, 2_000, 4_000, 8_000, 16_000, 29_000];

const FETCH = ["fetch", "--no-auto-gc", "--no-recurse-submodules", "--no-write-fetch-head"] as const;

/** What a fetch found to deploy. `missing` says why the push has not arrived yet; null when it has. */
interface Tip {
  readonly ref: string;
  readonly commit: string;
  readonly missing: string | null;
}

/** What a target follows. Throws an {@link AppError} `configuration` for a target without a repository. */
export function repositoryOf(target: Target): WatchedRepository {
  if (target.repository !== null) return target.repository;
  throw new AppError("configuration", `target ${target.name} has no repository, so it has no layout`);
}

/**
 * Fetches what the target follows and finds what to deploy: the chosen commit, the branch's tip, or the newest matching
 * tag by version order. Fetches again for up to a minute while that does not contain the pushed commit, then deploys what
 * there is and says so in `note`; it does not wait for a chosen commit. A branch is fetched into the full ref name
 * `into`; the tags become the same as the remote's. Rejects with a {@link DeploymentError}.
 */
export async function fetchTip(
  git: Git,
  {
    watch,
    into,
    pushedCommit,
    chosenCommit,
  }: FetchRequest & { readonly watch: WatchedRepository; readonly into: string },
  { clock, onActivity }: { readonly clock: Clock; readonly onActivity: (what: string) => void },
  io: ProcessIo,
): Promise<FetchedCommit> {
  if (chosenCommit !== null) {
    const tip = await fetchOnce(git, watch, into, null, io);
    const commit = await fetchChosen(git, watch, chosenCommit.toLowerCase(), io);
    const ref = watch.ref.kind === "branch" ? tip.ref : await tagAt(git, commit, watch.ref.pattern, io);
    return { ref, commit, note: null };
  }
  const pushed = pushedCommit !== null && isObjectName(pushedCommit) ? pushedCommit : null;
  for (let attempt = 0; ; attempt += 1) {
    const { ref, commit, missing } = await fetchOnce(git, watch, into, pushed, io);
    const wait = WAITS[attempt];
    if (missing === null || io.signal.aborted) return { ref, commit, note: missing };
    if (wait === undefined) {
      io.onLine(`${missing}; continuing without it`);
      return { ref, commit, note: missing };
    }
    onActivity("waiting for the pushed commit");
    io.onLine(`${missing}; fetching again in ${wait / 1_000} s`);
    await clock.sleep(wait, io.signal);
  }
}

/** Finds the commit that a person chose, or asks the remote for it: it may be on no branch any more. */
async function fetchChosen(
  git: Git,
  { cloneUrl }: WatchedRepository,
  chosen: string,
  io: ProcessIo,
): Promise<string> {
  const here = await commitsNamed(git, chosen, io.signal);
  if (here.length > 1) {
    throw new DeploymentError(
      "commit_ambiguous",
      `${chosen} is the beginning of more than one commit; give more digits of it`,
    );
  }
  const [found] = here;
  if (found !== undefined) return found;
  const place = hideCredentials(cloneUrl);
  if (!isObjectName(chosen)) {
    throw new DeploymentError(
      "commit_missing",
      `commit ${chosen} is not in what was fetched from ${place}; give its full name`,
    );
  }
  const reason = await git.attempt([...FETCH, "--", cloneUrl, chosen], io);
  const commit = reason === null ? await git.findCommit(chosen, io.signal) : null;
  if (commit !== null) return commit;
  if (reason === null || /not our ref|unadvertised object|remote ref/.test(reason)) {
    throw new DeploymentError("commit_missing", `commit ${chosen} is not in ${place}`);
  }
  throw new DeploymentError("fetch_failed", `git fetch ${reason}`);
}

/** The commits whose names begin like this. Branches and tags of that name are ignored. */
async function commitsNamed(git: Git, start: string, signal: AbortSignal): Promise<readonly string[]> {
  const objects = (await git.ask(["rev-parse", `--disambiguate=${start}`], signal)) ?? [];
  const commits = await Promise.all(
    objects.filter(isObjectName).map((object) => git.findCommit(object, signal)),
  );
  return [...new Set(commits.filter((commit) => commit !== null))];
}

/** The newest matching tag at a commit; the commit itself where there is none. */
async function tagAt(git: Git, commit: string, pattern: string, io: ProcessIo): Promise<string> {
  const tags = await listTags(git, io.signal);
  return (
    tags.find(({ name, objects }) => tagMatches(name, pattern) && objects.includes(commit))?.name ?? commit
  );
}

function fetchOnce(
  git: Git,
  watch: WatchedRepository,
  into: string,
  pushed: string | null,
  io: ProcessIo,
): Promise<Tip> {
  const { ref, cloneUrl } = watch;
  return ref.kind === "branch"
    ? fetchBranch(git, { url: cloneUrl, branch: ref.name, into, pushed }, io)
    : fetchTags(git, { url: cloneUrl, pattern: ref.pattern, pushed }, io);
}

async function fetchBranch(
  git: Git,
  { url, branch, into, pushed }: { url: string; branch: string; into: string; pushed: string | null },
  io: ProcessIo,
): Promise<Tip> {
  const reason = await git.attempt([...FETCH, "--", url, `+refs/heads/${branch}:${into}`], io);
  if (reason?.includes("couldn't find remote ref")) {
    throw new DeploymentError("ref_missing", `branch ${branch} does not exist in ${hideCredentials(url)}`);
  }
  if (reason !== null) throw new DeploymentError("fetch_failed", `git fetch ${reason}`);
  const commit = await git.findCommit(into, io.signal);
  if (commit === null)
    throw new DeploymentError("ref_missing", `branch ${branch} of ${hideCredentials(url)} has no commit`);
  if (pushed === null || pushed === commit || (await contains(git, commit, pushed, io.signal))) {
    return { ref: branch, commit, missing: null };
  }
  const missing = `the tip ${shortenCommit(commit)} does not contain the pushed commit ${shortenCommit(pushed)}`;
  return { ref: branch, commit, missing };
}

/** Whether `pushed` is `tip` or one of its ancestors. False when the object is not in the repository. */
async function contains(git: Git, tip: string, pushed: string, signal: AbortSignal): Promise<boolean> {
  const args = ["merge-base", "--is-ancestor", "--end-of-options", `${pushed}^{commit}`, tip];
  return (await git.ask(args, signal)) !== null;
}

async function fetchTags(
  git: Git,
  { url, pattern, pushed }: { url: string; pattern: string; pushed: string | null },
  io: ProcessIo,
): Promise<Tip> {
  await git.act([...FETCH, "--prune", "--", url, "+refs/tags/*:refs/tags/*"], io);
  const tags = (await listTags(git, io.signal)).filter(({ name }) => tagMatches(name, pattern));
  for (const { name, objects } of tags) {
    const commit = await git.findCommit(objects[0], io.signal);
    // A tag may also name a file or a tree, which cannot be deployed.
    if (commit === null) continue;
    // An older version may have been pushed: it has arrived when any tag is at it.
    const arrived = pushed === null || tags.some((tag) => tag.objects.includes(pushed));
    return {
      ref: name,
      commit,
      missing: arrived ? null : `no tag is at the pushed commit ${shortenCommit(pushed)}`,
    };
  }
  throw new DeploymentError("ref_missing", `no tag in ${hideCredentials(url)} matches ${pattern}`);
}

interface Tag {
  readonly name: string;
  /** The object that it names and, where that is a tag object, the one that this names. */
  readonly objects: readonly [string, ...string[]];
}

/** Every tag in the repository, the newest version first. */
async function listTags(git: Git, signal: AbortSignal): Promise<readonly Tag[]> {
  const format = "%(objectname) %(*objectname) %(refname)";
  const args = ["for-each-ref", "--sort=-version:refname", `--format=${format}`, "refs/tags/"];
  const lines = (await git.ask(args, signal)) ?? [];
  return lines.flatMap((line) => {
    const [, object, peeled, name] =
      /^([0-9a-f]{40,64}) ([0-9a-f]{40,64})? refs\/tags\/(.+)$/.exec(line) ?? [];
    if (object === undefined || name === undefined) return [];
    return [{ name, objects: peeled === undefined ? [object] : [object, peeled] } satisfies Tag];
  });
}
