import { mkdir, mkdtemp, open, readlink, realpath, rename, rm, rmdir, symlink } from "node:fs/promises";
import { join } from "node:path";
import { isReleaseName } from "../../domain/release.ts";
import { AppError, systemErrorCode } from "../../lib/errors.ts";
import { entriesOf } from "../git/repair.ts";

/** What is being made. What has an entry here is not whole, whatever else already has its name. */
const COMING = ".coming";

/** What is being removed. */
const GOING = ".going";

/**
 * `releases/` of a target. A release is made in `.coming/<name>/<name>` and moved to its own name for its steps,
 * since builds write down where they are; its entry in `.coming` stays until the deployment has succeeded. So
 * that one may be killed at any moment: what it had begun is known by the entry.
 */
export class ReleasesDirectory {
  constructor(readonly path: string) {}

  /** The names of all releases, also of one that is not whole. */
  async names(): Promise<readonly string[]> {
    return (await entriesOf(this.path)).map(({ name }) => name).filter(isReleaseName);
  }

  /** The names of those that are whole, newest first. */
  async completeNames(): Promise<readonly string[]> {
    const begun = await this.#begun();
    return (await this.names())
      .filter((name) => !begun.includes(name))
      .toSorted()
      .reverse();
  }

  /** Whether a deployment that made the release was killed, or is under way. */
  async isComing(name: string): Promise<boolean> {
    return (await this.#begun()).includes(name);
  }

  /** Makes the entry of what is coming. Resolves with the real path where it is to be made: nothing is there yet. */
  async begin(name: string): Promise<string> {
    const entry = join(this.path, COMING, name);
    await mkdir(entry, { recursive: true });
    return join(await realpath(entry), name);
  }

  /** Moves a release that was begun to its own name. */
  async place(name: string): Promise<void> {
    await rename(join(this.path, COMING, name, name), join(this.path, name));
  }

  /** The release is whole: from now on its name says so. */
  async complete(name: string): Promise<void> {
    await rm(join(this.path, COMING, name), { recursive: true, force: true });
    // Something that could not be removed may still be in it.
    await rmdir(join(this.path, COMING)).catch(() => {});
  }

  /** Removes every release that is not whole, but the one that is `live`: its `run` steps succeeded at least. */
  async discardIncomplete(live: string): Promise<void> {
    const placed = await this.names();
    for (const name of await this.#begun()) {
      if (placed.includes(name) && name !== live) await this.discard(join(this.path, name));
    }
  }

  /** Takes something out of sight in one step before its files go: nobody ever finds half of it. */
  async discard(path: string): Promise<void> {
    await mkdir(join(this.path, GOING), { recursive: true });
    await rename(path, join(await mkdtemp(join(this.path, GOING, "gone-")), "it"));
  }

  /** Where files lie that nobody needs any more. The entry of the `live` release stays: it says that it is unproven. */
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

/** Where the next link is made before it takes the place of `current`. */
const NEXT = ".current-next";

/** What `<directory>/current` points to, as written; null when there is none. */
export async function readCurrent(directory: string): Promise<string | null> {
  const path = join(directory, "current");
  try {
    return await readlink(path);
  } catch (error) {
    const code = systemErrorCode(error);
    if (code === "ENOENT") return null;
    if (code !== "EINVAL") throw error;
    throw new AppError("failed", `${path} is not a symbolic link; move it away, or choose another directory`);
  }
}

/**
 * Points `current` elsewhere in one step: whoever looks sees the old link or the new one (rename(2)). It is on the disk
 * when this resolves: the store must not say of what a power failure takes back that it is live.
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

/** Flushes a directory's own entries (fsync(2)), where its file system can do that. */
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

/** Removes the link that a deployment which was killed had ready. */
export async function removeNextLink(directory: string): Promise<void> {
  await rm(join(directory, NEXT), { force: true });
}
