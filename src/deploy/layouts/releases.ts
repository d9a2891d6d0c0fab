import { existsSync } from "node:fs";
import { mkdir, rename } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import type {
  Layout,
  LayoutContext,
  PlacedRelease,
  ProcessIo,
  RevertResult,
  Workspace,
} from "../../domain/layout.ts";
import { findRelease, isReleaseName, isReleaseOf, nameRelease } from "../../domain/release.ts";
import type { Target } from "../../domain/target.ts";
import { realpath, rm } from "../../lib/files.ts";
import { DeploymentError } from "../failure.ts";
import { completeCheckout } from "../git/checkout.ts";
import { fetchTip, repositoryOf } from "../git/fetch.ts";
import { createCheckoutGit, createGit, findCommitsByPrefix, SILENT_IO, withoutOutput } from "../git/git.ts";
import { findSkipReason } from "../git/path-filter.ts";
import { createReleaseRepository, shareLfsFiles } from "../git/release-repository.ts";
import { makeBare } from "../git/repair.ts";
import { assertSigned } from "../git/signature.ts";
import { removeTrees, syncFileSystem } from "./file-system.ts";
import { ReleasesDirectory } from "./releases-directory.ts";
import { linkShared } from "./shared-paths.ts";

/** The ref of the fetched tip, which no branch name collides with. */
const TIP = "refs/hooklatch/tip";

/** The refs of the releases' commits, by the name of the release. */
const RELEASES = "refs/hooklatch/releases/";

/** Each commit in its own directory; `current` is a link that is replaced in one step. */
export const releases: Layout = {
  name: "releases",
  summary: "each commit in a directory of its own under releases/; current is a link to the live one",
  releasesOf: (directory) => new ReleasesDirectory(directory).completeNames(),
  createWorkspace,
};

function createWorkspace(target: Target, context: LayoutContext): Workspace {
  const { directory } = target;
  const repository = join(directory, "repo");
  const releasesDir = new ReleasesDirectory(directory);
  const openGit = (path: string) => createGit({ kind: "repository", path, from: path }, context);
  const git = openGit(repository);
  /** What `current` pointed to before this deployment. */
  let previous: string | null = null;
  /** The release that this deployment activates; null until `checkout` or `takeRelease`. */
  let release: string | null = null;
  /** Whether this deployment creates that release. */
  let isNew = false;
  /** Whether the live release is from a deployment that was killed before it succeeded. */
  let isFromCrashedRun = false;

  /** Creates the directories, and repairs what a killed deployment left. */
  async function prepare(io: ProcessIo): Promise<void> {
    // Rejects when `current` is not a link, before anything changes.
    await releasesDir.current();
    for (const path of [repository, releasesDir.path, join(directory, "shared")]) {
      await mkdir(path, { recursive: true });
    }
    await releasesDir.removeNextLink();
    isFromCrashedRun = await releasesDir.isIncomplete(await releasesDir.live());
    await releasesDir.discardIncomplete();
    const refs = await openRepository(io.onLine);
    const swept = await sweep(io.signal, refs);
    if (swept.kind === "failed") io.onLine(swept.reason);
  }

  /** Creates the repository, or opens it. Replaces one that cannot be repaired. Resolves with the names of its refs. */
  async function openRepository(onLine: (line: string) => void): Promise<readonly string[]> {
    const outcome = await makeBare(repository, git);
    if (outcome.kind === "succeeded") return outcome.refs;
    // The old one stays until a new one works: the cause may be git itself, or its settings.
    const next = await releasesDir.begin("repo");
    await rm(next, { recursive: true, force: true });
    await mkdir(next);
    const created = await makeBare(next, openGit(next));
    if (created.kind === "failed") throw new DeploymentError("git_failed", outcome.reason);
    onLine(
      `${repository} cannot be repaired (${outcome.reason}): creating a new one and fetching everything again`,
    );
    await releasesDir.discard(repository);
    await rename(next, repository);
    return created.refs;
  }

  /** What `current` pointed to before this deployment and before killed ones; null when nothing was live. */
  async function findPrevious(live: string | null): Promise<string | null> {
    if (!isFromCrashedRun) return releasesDir.current();
    return live === null ? null : findLinkTo(live);
  }

  /** What `current` points to, or the link to another release of the `live` commit. */
  async function findLinkTo(live: string | null): Promise<string | null> {
    const current = await releasesDir.current();
    if (current === null || live === null || isReleaseOf(basename(current), live)) return current;
    const found = (await releasesDir.completeNames()).find((name) => isReleaseOf(name, live));
    return found === undefined ? current : linkTo(found);
  }

  /**
   * Removes files that are not needed, and the mirror's refs of removed releases. Resolves as `removeTrees`.
   *
   * @param refs the mirror's refs, where they are known.
   */
  async function sweep(signal: AbortSignal, refs: readonly string[] | null = null) {
    const outcome = await removeTrees(await releasesDir.leftovers(), context, signal);
    // Version 0.1.0 created releases as linked working trees of the mirror.
    if (existsSync(join(repository, "worktrees"))) {
      await git.run(["worktree", "prune", "--expire=now"], SILENT_IO);
    }
    const placed = await releasesDir.names();
    const known = refs ?? (await git.read(["for-each-ref", "--format=%(refname)", RELEASES])) ?? [];
    for (const ref of known) {
      if (!ref.startsWith(RELEASES) || placed.includes(ref.slice(RELEASES.length))) continue;
      await git.run(["update-ref", "-d", ref], SILENT_IO);
    }
    return outcome;
  }

  async function goBack(): Promise<RevertResult> {
    const current = await releasesDir.current();
    const isOurs = isFromCrashedRun || (release !== null && current === linkTo(release));
    const wasLive = isOurs && current !== previous;
    if (wasLive) await releasesDir.replaceCurrent(previous);
    if (isNew || isFromCrashedRun) {
      await releasesDir.discardIncomplete();
      // Files that could not be removed do not affect what is live. The next deployment removes them.
      await sweep(SILENT_IO.signal);
    }
    if (!wasLive) return { kind: "untouched" };
    if (previous === null) return { kind: "taken down" };
    return { kind: "reverted", placed: await describeRelease(previous) };
  }

  /** Describes what a link leads to. The commit's full name comes from the repository, and is null without it. */
  async function describeRelease(link: string): Promise<PlacedRelease> {
    const name = basename(link);
    const ref = target.repository?.ref;
    // Not in the repository, which may be missing.
    const outside = createGit({ kind: "repository", path: repository, from: directory }, context);
    // A build may have moved the release's HEAD, so only its name is certain.
    const digits = isReleaseName(name) ? name.slice(name.indexOf("-") + 1) : null;
    const commits = digits === null ? [] : await findCommitsByPrefix(outside, digits);
    return {
      directory: resolve(directory, link),
      release: digits === null ? null : name,
      ref: ref?.kind === "branch" ? ref.name : null,
      commit: commits.find((commit) => commit.startsWith(String(digits))) ?? null,
    };
  }

  return {
    async fetch(request, io) {
      await prepare(io);
      return fetchTip(git, { ...request, repository: repositoryOf(target), into: TIP }, context, io);
    },
    reasonToSkip: (fetched, live, io) => findSkipReason(git, target, fetched, live, io),
    verify: ({ commit }, io) => assertSigned(git, commit, target.allowedSigners, io),
    async checkout({ commit }, live, io) {
      previous = await findPrevious(live);
      const name = nameRelease(commit, context.clock.now(), await releasesDir.names());
      release = name;
      isNew = true;
      const checkout = await releasesDir.begin(name);
      const path = join(await realpath(releasesDir.path), name);
      const { cloneUrl } = repositoryOf(target);
      const outcomes = await Promise.allSettled([
        // The next deployments compare with this commit, which may leave the branch.
        git.run(["update-ref", `${RELEASES}${name}`, commit], SILENT_IO),
        createReleaseRepository(checkout, { path: repository, git, cloneUrl }, commit, context, io),
      ]);
      for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
      await releasesDir.place(name);
      await shareLfsFiles(repository, join(path, ".git"), io.signal);
      await completeCheckout(await createCheckoutGit(path, context), cloneUrl, io);
      await shareLfsFiles(join(path, ".git"), repository, io.signal);
      const shared = join(await realpath(directory), "shared");
      for (const each of target.shared) await linkShared(path, shared, each);
      return { directory: join(releasesDir.path, name), release: name };
    },
    async takeRelease({ name, history, liveBefore }) {
      await releasesDir.removeNextLink();
      await releasesDir.discardIncomplete();
      const live = await releasesDir.live();
      // It is rolled back, and a later rollback may return to it.
      if (await releasesDir.isIncomplete(live)) await releasesDir.complete(live);
      const before = await findLinkTo(liveBefore);
      const complete = await releasesDir.completeNames();
      const found = findRelease(name, { complete, history, live: before === null ? null : basename(before) });
      if (found.kind === "absent") throw new DeploymentError("release_missing", found.reason);
      previous = before;
      release = found.release;
      return describeRelease(linkTo(found.release));
    },
    async activate(io) {
      if (release === null) return;
      // Rejects when `current` is not a link: a rename would silently replace a file.
      await releasesDir.current();
      if (isNew) await syncFileSystem(join(releasesDir.path, release), context, io);
      io.signal.throwIfAborted();
      await releasesDir.replaceCurrent(linkTo(release));
    },
    revert: async () => (release === null ? { kind: "untouched" } : goBack()),
    async restore(live) {
      isFromCrashedRun = await releasesDir.isIncomplete(await releasesDir.live());
      if (!isFromCrashedRun) return { kind: "untouched" };
      previous = await findPrevious(live);
      return goBack();
    },
    async cleanup(io) {
      if (release !== null) await releasesDir.complete(release);
      if (isFromCrashedRun) await releasesDir.discardIncomplete();
      const needed = [await releasesDir.live(), basename(previous ?? "")];
      const old = (await releasesDir.names()).toSorted().reverse().slice(target.keepReleases);
      for (const name of old.filter((each) => !needed.includes(each))) {
        await releasesDir.discard(join(releasesDir.path, name));
      }
      const swept = await sweep(io.signal);
      if (swept.kind === "failed") throw new DeploymentError("directory_unusable", swept.reason);
      await git.run(["gc", "--auto", "--quiet"], withoutOutput(io));
    },
  };
}

/** Relative, so that the whole directory can be moved. */
function linkTo(release: string): string {
  return `releases/${release}`;
}
