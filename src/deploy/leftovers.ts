import type { Dirent } from "node:fs";
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";

/**
 * Removes what a git that was killed leaves in its directory: lock files, which would stop every later git, and
 * half-received packs. Only for a directory that nothing else works in: of one target one deployment runs.
 * No ref ends in `.lock` (git-check-ref-format(1)), so nothing that belongs there is taken for a lock.
 */
export async function removeGitLeftovers(gitDirectory: string): Promise<void> {
  await removeIn(gitDirectory, (entry) => entry.name.endsWith(".lock"));
  await removeIn(join(gitDirectory, "objects", "pack"), (entry) => /^\.?tmp[-_]/.test(entry.name));
}

async function removeIn(directory: string, isLeftover: (entry: Dirent) => boolean): Promise<void> {
  for (const entry of await entriesOf(directory)) {
    const path = join(directory, entry.name);
    // A link is not a directory here, so nothing is removed behind one.
    if (entry.isDirectory() && !isObjectDirectory(entry)) await removeIn(path, isLeftover);
    else if (isLeftover(entry)) await rm(path, { force: true });
  }
}

/** `objects/00` to `objects/ff`: up to 256 directories without any lock. */
function isObjectDirectory(entry: Dirent): boolean {
  return entry.parentPath.endsWith("/objects") && /^[0-9a-f]{2}$/.test(entry.name);
}

/** A directory's entries; none when it is not there or not a directory. */
export async function entriesOf(directory: string): Promise<readonly Dirent[]> {
  return readdir(directory, { withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT" || error.code === "ENOTDIR") return [];
    throw error;
  });
}
