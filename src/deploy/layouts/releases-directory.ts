import { mkdir, mkdtemp, open, readlink, realpath, rename, rm, rmdir, symlink } from "node:fs/promises";
import { join } from "node:path";
import { DeploymentError } from "../../domain/deployment-error.ts";
import { isReleaseName } from "../../domain/release.ts";
import { systemErrorCode } from "../../lib/errors.ts";
import { entriesOf } from "../git/repair.ts";

/** Where releases are created. One with an entry here is not complete, also when it has its final path already. */
const COMING = ".coming";

/** Where removed files wait. */
const GOING = ".going";

/**
 * `releases/` of a target. A release is created in `.coming/<name>/<name>` and moved to its final path for its steps,
 * since builds record their path. Its entry in `.coming` stays until the deployment has succeeded, so that a deployment
 * may be killed at any moment: the entry says what is not complete.
 */
export class ReleasesDirectory {
  constructor(readonly path: string) {}

  /** The names of all releases, complete or not. */
  async names(): Promise<readonly string[]> {
    return (await entriesOf(this.path)).map(({ name }) => name).filter(isReleaseName);
  }

  /** The names of the complete releases, newest first. */
  async completeNames(): Promise<readonly string[]> {
    const begun = await this.#begun();
    return (await this.names())
      .filter((name) => !begun.includes(name))
      .toSorted()
      .reverse();
  }

  /** Whether the deployment that created the release was killed, or still runs. */
  async isComing(name: string): Promise<boolean> {
    return (await this.#begun()).includes(name);
  }

  /** Creates the entry of a release. Resolves with the real path where it is to be created, which does not exist yet. */
  async begin(name: string): Promise<string> {
    const entry = join(this.path, COMING, name);
    await mkdir(entry, { recursive: true });
    return join(await realpath(entry), name);
  }

  /** Moves a release to its final path. */
  async place(name: string): Promise<void> {
    await rename(join(this.path, COMING, name, name), join(this.path, name));
  }

  /** Marks the release as complete. */
  async complete(name: string): Promise<void> {
    await rm(join(this.path, COMING, name), { recursive: true, force: true });
    // It may still contain something that could not be removed.
    await rmdir(join(this.path, COMING)).catch(() => {});
  }

  /** Removes every incomplete release but the `live` one, whose `run` steps succeeded at least. */
  async discardIncomplete(live: string): Promise<void> {
    const placed = await this.names();
    for (const name of await this.#begun()) {
      if (placed.includes(name) && name !== live) await this.discard(join(this.path, name));
    }
  }

  /** Moves something away in one step before its files are removed, so that nobody finds half of it. */
  async discard(path: string): Promise<void> {
    await mkdir(join(this.path, GOING), { recursive: true });
    await rename(path, join(await mkdtemp(join(this.path, GOING, "gone-")), "it"));
  }

  /** The paths of files that are no longer needed. The entry of the `live` release stays: it marks it as unproven. */
  async leftovers(live: string): Promise<readonly string[]> {
    const found = (await entriesOf(this.path)).filter(({ name }) => name === COMING || name === GOING);
    const begun = await this.#begun();
    return found.flatMap(({ name }) => {
      if (name === GOING || !begun.includes(live)) return [join(this.path, name)];
      return begun.filter((each) => each !== live).map((each) => join(this.path, COMING, each));
    });
  }

  async #begun(): Promise<readonly string[]> {
    return (await entriesOf(join(this.path, COMING))).map(({ name }) => name);
  }
}

/** The path of the next link before it replaces `current`. */
const NEXT = ".current-next";

/** The target of the link `<directory>/current`, as written; null when there is no link. */
export async function readCurrent(directory: string): Promise<string | null> {
  const path = join(directory, "current");
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

/**
 * Replaces `current` in one step: readers see the old link or the new one (rename(2)). The change is on disk when this
 * resolves, so that a power failure cannot undo what the store records as live.
 */
export async function replaceCurrent(directory: string, to: string | null): Promise<void> {
  if (to === null) await rm(join(directory, "current"), { force: true });
  else await replaceLink(directory, to);
  await flushEntries(directory);
}

async function replaceLink(directory: string, to: string): Promise<void> {
  const next = join(directory, NEXT);
  await rm(next, { force: true });
  await symlink(to, next);
  await rename(next, join(directory, "current"));
}

/** Flushes a directory's entries (fsync(2)), where its file system can do that. */
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

/** Removes the next link of a killed deployment. */
export async function removeNextLink(directory: string): Promise<void> {
  await rm(join(directory, NEXT), { force: true });
}
