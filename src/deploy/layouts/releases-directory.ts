import { constants } from "node:fs";
import { chmod, lstat, mkdir, mkdtemp, readlink, rename, rmdir, symlink } from "node:fs/promises";
import { basename, join } from "node:path";
import { isReleaseName } from "../../domain/release.ts";
import { systemErrorCode } from "../../lib/errors.ts";
import { open, realpath, rm } from "../../lib/files.ts";
import { DeploymentError } from "../failure.ts";
import { entriesOf } from "../git/leftovers.ts";

/** Where releases are created. A release with an entry here is incomplete, also at its final path. */
const INCOMPLETE = ".coming";

/** Where files wait to be removed. */
const REMOVED = ".going";

/** The next link before it replaces `current`. */
const NEXT = ".current-next";

/**
 * `releases/` and `current` in a target's directory. A release is created in `.coming/<name>/<name>` and moved to its
 * final path for its steps, since builds record their path. Its entry in `.coming` stays until the deployment has
 * succeeded: a deployment may be killed at any moment, and the entry shows which release is incomplete.
 */
export class ReleasesDirectory {
  readonly path: string;

  constructor(readonly directory: string) {
    this.path = join(directory, "releases");
  }

  /** The names of all releases, complete or not. */
  async names(): Promise<readonly string[]> {
    return (await entriesOf(this.path)).map(({ name }) => name).filter(isReleaseName);
  }

  /** The names of the complete releases, newest first. */
  async completeNames(): Promise<readonly string[]> {
    const incomplete = await this.#incompleteNames();
    const complete = (await this.names()).filter((name) => !incomplete.includes(name));
    return complete.toSorted().reverse();
  }

  /** Whether the deployment that created the release was killed, or still runs. */
  async isIncomplete(name: string): Promise<boolean> {
    return (await this.#incompleteNames()).includes(name);
  }

  /** Creates the entry of a release. Resolves with the real path where it is to be created, which does not exist yet. */
  async begin(name: string): Promise<string> {
    const entry = join(this.path, INCOMPLETE, name);
    await mkdir(entry, { recursive: true });
    return join(await realpath(entry), name);
  }

  /** Moves a release to its final path. */
  async place(name: string): Promise<void> {
    await rename(join(this.path, INCOMPLETE, name, name), join(this.path, name));
  }

  /** Marks the release as complete. */
  async complete(name: string): Promise<void> {
    await rm(join(this.path, INCOMPLETE, name), { recursive: true, force: true });
    // It may still contain something that could not be removed.
    await rmdir(join(this.path, INCOMPLETE)).catch(() => {});
  }

  /** Discards every incomplete release but the live one, whose `run` steps succeeded at least. */
  async discardIncomplete(): Promise<void> {
    const [live, placed] = [await this.live(), await this.names()];
    for (const name of await this.#incompleteNames()) {
      if (placed.includes(name) && name !== live) await this.discard(join(this.path, name));
    }
  }

  /** Moves a file or directory away in one step. A part of it is never visible at its path; it is removed later. */
  async discard(path: string): Promise<void> {
    try {
      await mkdir(join(this.path, REMOVED), { recursive: true });
      // A directory can be moved only by who may write to it, because of its `..` (rename(2)).
      const { mode } = await lstat(path);
      if (mode & constants.S_IFDIR && !(mode & constants.S_IWUSR)) await chmod(path, mode | 0o700);
      await rename(path, join(await mkdtemp(join(this.path, REMOVED, "gone-")), "it"));
    } catch (error) {
      // A full disk may have no room for another directory.
      if (!["ENOSPC", "EDQUOT"].includes(systemErrorCode(error) ?? "")) throw error;
      await rm(path, { recursive: true, force: true });
    }
  }

  /** The paths that can be removed. The entry of a live release that is incomplete stays. */
  async leftovers(): Promise<readonly string[]> {
    const live = await this.live();
    const found = (await entriesOf(this.path)).filter(({ name }) => name === INCOMPLETE || name === REMOVED);
    const incomplete = await this.#incompleteNames();
    return found.flatMap(({ name }) => {
      if (name === REMOVED || !incomplete.includes(live)) return [join(this.path, name)];
      return incomplete.filter((each) => each !== live).map((each) => join(this.path, INCOMPLETE, each));
    });
  }

  /** The target of the link `current`, as written; null when there is no link. */
  async current(): Promise<string | null> {
    const path = join(this.directory, "current");
    try {
      return await readlink(path);
    } catch (error) {
      const code = systemErrorCode(error);
      if (code === "ENOENT") return null;
      if (code !== "EINVAL") throw error;
      throw new DeploymentError(
        "directory_unusable",
        `${path} is not a symbolic link; move it away, or choose another directory`,
      );
    }
  }

  /** The name of the release that `current` points to. Empty when there is none. */
  async live(): Promise<string> {
    return basename((await this.current()) ?? "");
  }

  /**
   * Replaces `current` in one step: readers see the old link or the new one (rename(2)). The change is on disk when this
   * resolves, so that a power failure cannot undo what the store records as live.
   */
  async replaceCurrent(to: string | null): Promise<void> {
    const current = join(this.directory, "current");
    if (to === null) {
      await rm(current, { force: true });
    } else {
      await this.removeNextLink();
      await symlink(to, join(this.directory, NEXT));
      await rename(join(this.directory, NEXT), current);
    }
    await flushEntries(this.directory);
  }

  /** Removes the next link of a killed deployment. */
  async removeNextLink(): Promise<void> {
    await rm(join(this.directory, NEXT), { force: true });
  }

  async #incompleteNames(): Promise<readonly string[]> {
    return (await entriesOf(join(this.path, INCOMPLETE))).map(({ name }) => name);
  }
}

/** Flushes a directory's entries (fsync(2)), where its file system supports that. */
async function flushEntries(directory: string): Promise<void> {
  const handle = await open(directory);
  try {
    await handle.sync();
  } catch (error) {
    if (systemErrorCode(error) !== "EINVAL") throw error;
  } finally {
    await handle.close();
  }
}
