import { mkdir, realpath, rename, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { DeploymentError } from "../../domain/deployment-error.ts";
import type {
  Checkout,
  FetchedCommit,
  FetchRequest,
  Layout,
  LayoutContext,
  PlacedRelease,
  ProcessIo,
  RevertResult,
  RollbackRequest,
  SkipReason,
  Workspace,
} from "../../domain/layout.ts";
import { findRelease, isReleaseOf, nameRelease } from "../../domain/release.ts";
import type { Target } from "../../domain/target.ts";
import { fetchTip, repositoryOf } from "../git/fetch.ts";
import { createCheckoutGit, createGit, type Git, SILENT_IO, withoutOutput } from "../git/git.ts";
import { findSkipReason } from "../git/path-filter.ts";
import { entriesOf, makeBare } from "../git/repair.ts";
import { assertSigned } from "../git/signature.ts";
import { completeCheckout } from "../git/submodules.ts";
import { describeRelease } from "./describe-release.ts";
import { ReleasesDirectory, readCurrent, removeNextLink, replaceCurrent } from "./releases-directory.ts";
import { removeTrees } from "./remove-trees.ts";
import { linkShared } from "./shared-paths.ts";
import { syncFileSystem } from "./syncfs.ts";

/** The ref of the fetched tip, which cannot collide with any branch name. */
const TIP = "refs/hooklatch/tip";

/** Each commit in its own directory; `current` is a link that is replaced in one step. */
export const releases: Layout = {
  name: "releases",
  summary: "each commit in a directory of its own under releases/; current is a link to the live one",
  releasesOf: (directory) => releasesIn(directory).completeNames(),
  createWorkspace: (target, context) => new ReleasesWorkspace(target, context),
};

class ReleasesWorkspace implements Workspace {
  readonly #repository: string;
  readonly #releases: ReleasesDirectory;
  readonly #git: Git;
  /** What `current` pointed to before this deployment. */
  #previous: string | null = null;
  /** The release that this deployment makes live; null until `checkout` or `takeRelease`. */
  #release: string | null = null;
  /** Whether this deployment creates it. */
  #isNew = false;
  /** Whether a deployment made what is live and was killed before it succeeded. */
  #isUnproven = false;

  constructor(
    readonly target: Target,
    readonly context: LayoutContext,
  ) {
    this.#repository = join(target.directory, "repo");
    this.#releases = releasesIn(target.directory);
    this.#git = this.#openGit(this.#repository);
  }

  async fetch({ pushedCommit, chosenCommit }: FetchRequest, io: ProcessIo): Promise<FetchedCommit> {
    const watch = repositoryOf(this.target);
    await this.#prepare(io);
    return fetchTip(this.#git, { watch, into: TIP, pushedCommit, chosenCommit }, this.context, io);
  }

  async reasonToSkip(
    { commit }: FetchedCommit,
    live: string | null,
    io: ProcessIo,
  ): Promise<SkipReason | null> {
    return findSkipReason(this.#git, this.target, { tip: commit, live }, io);
  }

  async verify({ commit }: FetchedCommit, io: ProcessIo): Promise<void> {
    const { allowedSigners } = this.target;
    if (allowedSigners !== null) await assertSigned(this.#git, commit, allowedSigners, io);
  }

  async checkout({ commit }: FetchedCommit, live: string | null, io: ProcessIo): Promise<Checkout> {
    this.#previous = await this.#provenBefore(live);
    const name = nameRelease(commit, this.context.clock.now(), await this.#releases.names());
    this.#release = name;
    this.#isNew = true;
    const checkout = await this.#releases.begin(name);
    const release = join(await realpath(this.#releases.path), name);
    await this.#git.act(["worktree", "add", "--detach", "--", checkout, commit], io);
    await this.#releases.place(name);
    // Git records the path of each working tree, and would prune one that is missing.
    await this.#git.act(["worktree", "repair", "--", release], SILENT_IO);
    await completeCheckout(
      await createCheckoutGit(release, this.context),
      repositoryOf(this.target).cloneUrl,
      io,
    );
    const shared = join(await realpath(this.target.directory), "shared");
    for (const path of this.target.shared) await linkShared({ release, shared }, path);
    return { directory: join(this.#releases.path, name), release: name };
  }

  async takeRelease({ name, history, liveBefore }: RollbackRequest): Promise<PlacedRelease> {
    await removeNextLink(this.target.directory);
    await this.#discardIncomplete();
    const live = await this.#live();
    // It is rolled back, and a later rollback may return to it.
    if (await this.#releases.isComing(live)) await this.#releases.complete(live);
    const before = await this.#currentBefore(liveBefore);
    const complete = await this.#releases.completeNames();
    const found = findRelease(name, {
      complete,
      history,
      live: before === null ? null : basename(before),
    });
    if (found.kind === "absent") throw new DeploymentError("release_missing", found.reason);
    this.#previous = before;
    this.#release = found.release;
    return describeRelease(linkTo(found.release), this.target, this.context);
  }

  async activate(io: ProcessIo): Promise<void> {
    if (this.#release === null) return;
    // Rejects what is no link: a rename would replace a file silently.
    await readCurrent(this.target.directory);
    if (this.#isNew) await syncFileSystem(join(this.#releases.path, this.#release), this.context, io);
    io.signal.throwIfAborted();
    await replaceCurrent(this.target.directory, linkTo(this.#release));
  }

  async revert(): Promise<RevertResult> {
    return this.#release === null ? { kind: "untouched" } : this.#goBack();
  }

  async restore(live: string | null): Promise<RevertResult> {
    await this.#lookForUnproven();
    if (!this.#isUnproven) return { kind: "untouched" };
    this.#previous = await this.#provenBefore(live);
    return this.#goBack();
  }

  async cleanup(io: ProcessIo): Promise<void> {
    if (this.#release !== null) await this.#releases.complete(this.#release);
    if (this.#isUnproven) await this.#discardIncomplete();
    const needed = [await this.#live(), basename(this.#previous ?? "")];
    const old = (await this.#releases.names()).toSorted().reverse().slice(this.target.keepReleases);
    for (const name of old.filter((each) => !needed.includes(each))) {
      await this.#releases.discard(join(this.#releases.path, name));
    }
    const problem = await this.#sweep(io);
    if (problem !== null) throw new DeploymentError("directory_unusable", problem);
    await this.#git.act(["gc", "--auto", "--quiet"], withoutOutput(io));
  }

  async #goBack(): Promise<RevertResult> {
    const current = await readCurrent(this.target.directory);
    // What a killed deployment made live is no more proven than what this one did.
    const isUnproven = this.#isUnproven || (this.#release !== null && current === linkTo(this.#release));
    const wentLive = isUnproven && current !== this.#previous;
    if (wentLive) await replaceCurrent(this.target.directory, this.#previous);
    if (this.#isNew || this.#isUnproven) {
      await this.#discardIncomplete();
      // Files that could not be removed do not affect what is live. The next deployment removes them.
      await this.#sweep(SILENT_IO);
    }
    if (!wentLive) return { kind: "untouched" };
    if (this.#previous === null) return { kind: "taken down" };
    return { kind: "put back", placed: await describeRelease(this.#previous, this.target, this.context) };
  }

  /** Creates the directories, and repairs what a killed deployment left. */
  async #prepare(io: ProcessIo): Promise<void> {
    const { directory } = this.target;
    await readCurrent(directory);
    for (const path of [this.#repository, this.#releases.path, join(directory, "shared")]) {
      await mkdir(path, { recursive: true });
    }
    await removeNextLink(directory);
    await this.#lookForUnproven();
    await this.#discardIncomplete();
    await this.#openRepository(io);
    const problem = await this.#sweep(io);
    if (problem !== null) io.onLine(problem);
  }

  async #lookForUnproven(): Promise<void> {
    this.#isUnproven = await this.#releases.isComing(await this.#live());
  }

  /** Creates the repository, or opens it. Replaces one that cannot be repaired. */
  async #openRepository(io: ProcessIo): Promise<void> {
    const problem = await makeBare(this.#repository, this.#git);
    if (problem === null) return;
    // The old one stays until a new one works: the cause may be git itself, or its settings.
    const next = await this.#releases.begin("repo");
    await rm(next, { recursive: true, force: true });
    await mkdir(next);
    if ((await makeBare(next, this.#openGit(next))) !== null)
      throw new DeploymentError("git_failed", problem);
    io.onLine(
      `${this.#repository} cannot be repaired (${problem}): creating a new one and fetching everything again`,
    );
    await this.#releases.discard(this.#repository);
    await rename(next, this.#repository);
  }

  #openGit(repository: string): Git {
    return createGit(repository, { GIT_DIR: repository }, this.context);
  }

  /** The name of the release that `current` points to, in whatever form. */
  async #live(): Promise<string> {
    return basename((await readCurrent(this.target.directory)) ?? "");
  }

  /** What `current` pointed to before this deployment and before killed ones; null where nothing was live. */
  async #provenBefore(live: string | null): Promise<string | null> {
    if (!this.#isUnproven) return readCurrent(this.target.directory);
    return live === null ? null : this.#currentBefore(live);
  }

  /** What `current` points to, or pointed to while the `live` commit was live, where that is given and still on disk. */
  async #currentBefore(live: string | null): Promise<string | null> {
    const current = await readCurrent(this.target.directory);
    if (current === null || live === null || isReleaseOf(basename(current), live)) return current;
    const release = (await this.#releases.completeNames()).find((name) => isReleaseOf(name, live));
    return release === undefined ? current : linkTo(release);
  }

  async #discardIncomplete(): Promise<void> {
    await this.#releases.discardIncomplete(await this.#live());
  }

  /** Removes files that are not needed, and git's records of removed working trees. Resolves as `removeTrees`. */
  async #sweep({ signal }: ProcessIo): Promise<string | null> {
    const problem = await removeTrees(
      await this.#releases.leftovers(await this.#live()),
      this.context,
      signal,
    );
    await this.#forgetTrees();
    return problem;
  }

  async #forgetTrees(): Promise<void> {
    const known = join(this.#repository, "worktrees");
    const names = (await entriesOf(known)).map(({ name }) => name);
    const placed = await this.#releases.names();
    // Git names a working tree after its directory. This is faster than asking git whether all exist.
    if (names.every((name) => placed.includes(name))) return;
    // A killed `worktree add` leaves its record locked. Nothing else here locks one.
    for (const name of names) await rm(join(known, name, "locked"), { force: true });
    await this.#git.act(["worktree", "prune", "--expire=now"], SILENT_IO);
  }
}

/** Relative, so that the whole directory can be moved. */
function linkTo(release: string): string {
  return `releases/${release}`;
}

function releasesIn(directory: string): ReleasesDirectory {
  return new ReleasesDirectory(join(directory, "releases"));
}
