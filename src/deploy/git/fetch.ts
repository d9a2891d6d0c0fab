import type { FetchedCommit, LayoutContext, ProcessIo } from "../../domain/layout.ts";
import type { Target, WatchedRepository } from "../../domain/target.ts";
import { formatDuration } from "../../lib/duration.ts";
import { AppError } from "../../lib/errors.ts";
import { toOneLine } from "../../lib/text.ts";
import { DeploymentError } from "../failure.ts";
import {
  depthOption,
  FETCH,
  type FoundCommit,
  fetchOnce,
  findTagAt,
  type TipRequest,
  WHOLE,
} from "./fetch-ref.ts";
import { type Commit, findCommitsByPrefix, type Git, hideCredentials, isObjectName } from "./git.ts";
import { findPassed } from "./passed-commit.ts";

/**
 * Milliseconds before each further fetch while the tip does not contain the pushed commit, a minute in all: the server
 * that is fetched from may lag behind the one that sent the push.
 */
const WAITS = [1_000, 2_000, 4_000, 8_000, 16_000, 29_000];

/** Characters of a subject and of an author's name. */
const MAX_SUMMARY = 200;

/** The repository of a target. Throws an {@link AppError} `configuration` when it has none. */
export function repositoryOf(target: Target): WatchedRepository {
  if (target.repository !== null) return target.repository;
  throw new AppError("configuration", `target ${target.name} has no repository`);
}

/** Commits that are fetched beyond `depth` while the pushed commit, which may be older than the tip, is not found. */
const DEEPER = [100, 1_000];

/**
 * Fetches and finds what to deploy: the chosen commit, the branch's tip, the newest matching tag by version order, or the commit
 * whose CI succeeded.
 * Fetches again for up to a minute while the pushed commit is missing, then takes the tip as it is and says so in `note`.
 * The tags become the same as the remote's. Rejects with a {@link DeploymentError}.
 */
export async function fetchTip(
  git: Git,
  request: TipRequest,
  context: Pick<LayoutContext, "clock" | "onActivity">,
  io: ProcessIo,
): Promise<FetchedCommit> {
  const { commit, ...found } = await findTip(git, request, context, io);
  const shorten = (text: string) => toOneLine(text, MAX_SUMMARY) || null;
  return {
    ...found,
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
): Promise<FoundCommit> {
  const { repository, pushedCommit, chosenCommit, passed = null } = request;
  const { depth } = repository;
  if (passed !== null) return findPassed(git, request, passed, { clock, onActivity }, io);
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
      `commit ${chosen} is not in what was fetched from ${place}; give its full id`,
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
