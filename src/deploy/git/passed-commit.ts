import type { LayoutContext, PassedCommit, ProcessIo, SkipReason } from "../../domain/layout.ts";
import type { WatchedRef } from "../../domain/target.ts";
import { formatDuration } from "../../lib/duration.ts";
import { shortenCommit } from "../../lib/text.ts";
import {
  contains,
  type FoundCommit,
  fetchOnce,
  findTagAt,
  listTags,
  type Tip,
  type TipRequest,
  WHOLE,
} from "./fetch-ref.ts";
import type { Commit, Git } from "./git.ts";

/**
 * Milliseconds before each further fetch while the commit is missing. CI takes longer than the forge's servers lag behind
 * each other, and a commit that a forced push removed never arrives.
 */
const WAITS = [1_000, 2_000, 4_000];

/** Commits that are fetched beyond `depth` while the commit is not found. */
const DEEPER = [100, 1_000, WHOLE];

/**
 * Fetches a commit whose CI succeeded, and finds what is against deploying it: the branch does not contain it, or
 * something newer is live, was rolled back, or is queued. Rejects with a {@link DeploymentError}.
 */
export async function findPassed(
  git: Git,
  request: TipRequest,
  passed: PassedCommit,
  context: Pick<LayoutContext, "clock" | "onActivity">,
  io: ProcessIo,
): Promise<FoundCommit> {
  const { commit: wanted } = passed;
  const { ref } = request.repository;
  const tip = await fetchUntilFound(git, request, wanted, context, io);
  // It may be on another branch, or nowhere.
  const commit = (await git.readCommit(wanted, io.signal)) ?? describeUnknown(wanted);
  const found = { ref: tip.ref, commit, note: null };
  if (tip.missing !== null) return { ...found, skip: describeMissing(ref, wanted) };
  const name = ref.kind === "branch" ? ref.name : await findTagAt(git, wanted, ref, io);
  return { ...found, ref: name, skip: await findReason(git, request, passed, io) };
}

async function fetchUntilFound(
  git: Git,
  request: TipRequest,
  commit: string,
  { clock, onActivity }: Pick<LayoutContext, "clock" | "onActivity">,
  io: ProcessIo,
): Promise<Tip> {
  const { depth, ref } = request.repository;
  const fetchTo = (wanted: number | null) => fetchOnce(git, request, { pushed: commit, depth: wanted }, io);
  let tip = await fetchTo(depth);
  // A tag's commit is within any depth.
  for (const more of depth === null || ref.kind === "tag" ? [] : DEEPER) {
    if (tip.missing === null || io.signal.aborted) return tip;
    io.onLine(`${tip.missing}; fetching more of the history`);
    tip = await fetchTo(depth === null ? null : depth + more);
  }
  for (const wait of WAITS) {
    if (tip.missing === null || io.signal.aborted) return tip;
    onActivity("waiting for the commit whose CI succeeded");
    io.onLine(`${tip.missing}; fetching again in ${formatDuration(wait)}`);
    await clock.sleep(wait, io.signal);
    tip = await fetchTo(depth);
  }
  return tip;
}

/** A commit that the repository does not have. */
function describeUnknown(name: string): Commit {
  return { name, message: "", subject: "", author: "" };
}

function describeMissing(ref: WatchedRef, commit: string): SkipReason {
  const short = shortenCommit(commit);
  const reason =
    ref.kind === "branch"
      ? `branch ${ref.name} does not contain the commit ${short}, whose CI succeeded`
      : `no tag that matches ${ref.pattern} is at the commit ${short}, whose CI succeeded`;
  return { code: "not_in_branch", reason };
}

async function findReason(
  git: Git,
  request: TipRequest,
  { commit, live, isRepeated, rolledBack, queued }: PassedCommit,
  io: ProcessIo,
): Promise<SkipReason | null> {
  const short = shortenCommit(commit);
  if (commit === live) {
    return isRepeated ? null : { code: "already_live", reason: `the commit ${short} is live already` };
  }
  const isOlder = createComparison(git, request, commit, io);
  if (live !== null && (await isOlder(live))) {
    return {
      code: "older_than_live",
      reason: `the commit ${short} is older than the live one, ${shortenCommit(live)}`,
    };
  }
  for (const other of rolledBack) {
    if (other === commit) return { code: "rolled_back", reason: `the commit ${short} was rolled back` };
    if (!(await isOlder(other))) continue;
    const reason = `the commit ${short} is older than ${shortenCommit(other)}, which was rolled back`;
    return { code: "rolled_back", reason };
  }
  for (const other of queued) {
    if (!(await isOlder(other))) continue;
    return { code: "newer_queued", reason: `a newer commit, ${shortenCommit(other)}, is queued` };
  }
  return null;
}

/** Compares the commit with others: by their history, or by the versions of their tags. */
function createComparison(
  git: Git,
  request: TipRequest,
  commit: string,
  io: ProcessIo,
): (other: string) => Promise<boolean> {
  const { depth, ref } = request.repository;
  let isWhole = depth === null;
  return async (other) => {
    if (ref.kind === "tag") {
      const tags = await listTags(git, ref, io.signal);
      const [own, others] = [commit, other].map((each) =>
        tags.findIndex(({ objects }) => objects.includes(each)),
      );
      if (own !== undefined && others !== undefined && own >= 0 && others >= 0) return own > others;
    }
    if (await contains(git, other, commit, io.signal)) return true;
    // Beyond the depth, the history that connects the two may be missing.
    if (isWhole || (await contains(git, commit, other, io.signal))) return false;
    await fetchOnce(git, request, { pushed: null, depth: WHOLE }, io);
    isWhole = true;
    return contains(git, other, commit, io.signal);
  };
}
