import { mkdir, realpath, rename, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import type { CheckedOut, Fetched, Layout, LayoutTools, ProcessIo, Workplace } from "../domain/layout.ts";
import { isReleaseName, nameRelease } from "../domain/release.ts";
import type { Target } from "../domain/target.ts";
import { readCurrent, removeNextLink, replaceCurrent } from "./current-link.ts";
import { type Git, openGit, UNHEARD } from "./git.ts";
import { entriesOf, removeGitLeftovers } from "./leftovers.ts";
import { linkShared } from "./shared-paths.ts";
import { fetchTip, watchOf } from "./tip.ts";

/** In `releases/`: what is not complete yet, and what is being removed. A release's own name means a whole one. */
const COMING = ".coming";
const GOING = ".going";

/** Our own name for the branch's tip: one that no other branch name can stand in the way of. */
const TIP = "refs/hooklatch/tip";

/** Every commit in a directory of its own; `current` is a link that is replaced in one step. */
export const releases: Layout = {
  name: "releases",
  summary: "each commit in a directory of its own under releases/; current is a link to the live one",
  open: (target, tools) => new ReleasesPlace(target, tools),
};

class ReleasesPlace implements Workplace {
  readonly #repository: string;
  readonly #releases: string;
  readonly #git: Git;
  /** What `current` pointed to before this deployment. */
  #previous: string | null = null;
  /** The release that this deployment makes; null until `checkOut`. */
  #release: string | null = null;

  constructor(
    readonly target: Target,
    readonly tools: LayoutTools,
  ) {
    this.#repository = join(target.directory, "repo");
    this.#releases = join(target.directory, "releases");
    this.#git = openGit(this.#repository, { GIT_DIR: this.#repository }, tools);
  }

  async fetch(pushedCommit: string | null, io: ProcessIo): Promise<Fetched> {
    const watch = watchOf(this.target);
    await this.#prepare();
    return fetchTip(this.#git, { watch, into: TIP, pushedCommit }, this.tools.clock, io);
  }

  async checkOut({ commit }: Fetched, io: ProcessIo): Promise<CheckedOut> {
    this.#previous = await readCurrent(this.target.directory);
    const name = nameRelease(commit, this.tools.clock.now(), await this.#names());
    this.#release = name;
    const place = await realpath(this.#releases);
    const coming = join(place, COMING, name);
    const release = join(place, name);
    await this.#git.act(["worktree", "add", "--detach", "--", coming, commit], io);
    const shared = join(await realpath(this.target.directory), "shared");
    for (const path of this.target.shared) await linkShared({ checkout: coming, release, shared }, path);
    await rename(coming, release);
    // Git remembers where each of its working trees is, and would prune one that is not there.
    await this.#git.act(["worktree", "repair", "--", release], UNHEARD);
    return { directory: join(this.#releases, name), release: name };
  }

  async activate(): Promise<void> {
    if (this.#release === null) return;
    // Refuses what is no link: a rename would replace a file without a word.
    await readCurrent(this.target.directory);
    await replaceCurrent(this.target.directory, linkTo(this.#release));
  }

  async revert(): Promise<void> {
    if (this.#release === null) return;
    const current = await readCurrent(this.target.directory);
    if (current === linkTo(this.#release)) await replaceCurrent(this.target.directory, this.#previous);
    if ((await this.#names()).includes(this.#release)) await this.#remove(this.#release);
    await this.#clear();
  }

  async tidy(): Promise<void> {
    const current = await readCurrent(this.target.directory);
    const needed = [current, this.#previous].map((link) => basename(link ?? ""));
    const old = (await this.#names()).toSorted().reverse().slice(this.target.keepReleases);
    for (const name of old.filter((each) => !needed.includes(each))) await this.#remove(name);
    await this.#clear();
    await this.#git.act(["gc", "--auto", "--quiet"], UNHEARD);
  }

  /** Makes the directories and puts in order what a deployment that was killed left behind. */
  async #prepare(): Promise<void> {
    const { directory } = this.target;
    await readCurrent(directory);
    for (const path of [this.#repository, this.#releases, join(directory, "shared")]) {
      await mkdir(path, { recursive: true });
    }
    await removeNextLink(directory);
    await removeGitLeftovers(this.#repository);
    await this.#git.act(["init", "--quiet", "--bare", "--template="], UNHEARD);
    await this.#clear();
  }

  async #names(): Promise<readonly string[]> {
    return (await entriesOf(this.#releases)).map(({ name }) => name).filter(isReleaseName);
  }

  /** Takes a release out of sight in one step before its files go: nobody ever finds half of one. */
  async #remove(name: string): Promise<void> {
    await mkdir(join(this.#releases, GOING), { recursive: true });
    await rename(join(this.#releases, name), join(this.#releases, GOING, name));
  }

  /** Removes what is half-way, and what git knows of working trees that are no more. */
  async #clear(): Promise<void> {
    for (const name of [COMING, GOING]) {
      await rm(join(this.#releases, name), { recursive: true, force: true });
    }
    // A `worktree add` that was killed leaves its entry locked; we never lock one.
    const known = join(this.#repository, "worktrees");
    for (const { name } of await entriesOf(known)) await rm(join(known, name, "locked"), { force: true });
    await this.#git.act(["worktree", "prune", "--expire=now"], UNHEARD);
  }
}

/** Relative, so that the whole directory can be moved. */
function linkTo(release: string): string {
  return `releases/${release}`;
}
