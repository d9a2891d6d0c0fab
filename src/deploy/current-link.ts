import { open, readlink, rename, rm, symlink } from "node:fs/promises";
import { join } from "node:path";
import { codeOf, Fault } from "../domain/fault.ts";

/** Where the next link is made before it takes the place of `current`. */
const NEXT = ".current-next";

/** What `<directory>/current` points to, as written; null when there is none. */
export async function readCurrent(directory: string): Promise<string | null> {
  const path = join(directory, "current");
  try {
    return await readlink(path);
  } catch (error) {
    const code = codeOf(error);
    if (code === "ENOENT") return null;
    if (code !== "EINVAL") throw error;
    throw new Fault("failed", `${path} is not a symbolic link; move it away, or choose another directory`);
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
    if (codeOf(error) !== "EINVAL") throw error;
  } finally {
    await handle.close();
  }
}

/** Removes the link that a deployment which was killed had ready. */
export async function removeNextLink(directory: string): Promise<void> {
  await rm(join(directory, NEXT), { force: true });
}
