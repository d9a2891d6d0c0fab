import type { Dirent } from "node:fs";
import { join } from "node:path";
import { systemErrorCode } from "../../lib/errors.ts";
import { open, readdir, rm } from "../../lib/files.ts";

/**
 * Removes what a failed or killed git leaves in its directory: lock files, which would stop every later git, and partial
 * objects and packs, which fill the disk; those of its submodules and of git-lfs too. No other process may use the
 * directory. No ref ends in `.lock` (git-check-ref-format(1)), so every such file is a lock.
 */
export async function removeLeftovers(gitDirectory: string): Promise<void> {
  await removeIn(gitDirectory, isLeftover);
}

function isLeftover({ parentPath, name }: Dirent): boolean {
  if (name.endsWith(".lock")) return true;
  if (/\/objects(?:\/|$)/.test(parentPath)) return isPartial(name);
  // Git writes `shallow` by way of such a file; git-lfs has directories of its own (git-lfs, docs/man).
  return /\/lfs\/(?:tmp|incomplete)(?:\/|$)/.test(parentPath) || /^shallow_\w{6}$/.test(name);
}

/** Whether a file among the objects is one that git had not finished. */
export function isPartial(name: string): boolean {
  return /^\.?tmp[-_]/.test(name);
}

/**
 * Removes files that a power failure left empty because they were renamed before their content was on disk: HEAD, index
 * and refs. Git rejects empty ones, and creates or fetches missing ones.
 */
export async function removeBlankFiles(gitDirectory: string): Promise<void> {
  for (const path of ["HEAD", "index"].map((name) => join(gitDirectory, name))) {
    if (await isBlank(path)) await rm(path);
  }
  await removeIn(join(gitDirectory, "refs"), ({ parentPath, name }) => isBlank(join(parentPath, name)));
}

async function removeIn(
  directory: string,
  isUnwanted: (entry: Dirent) => boolean | Promise<boolean>,
): Promise<void> {
  for (const entry of await entriesOf(directory)) {
    const path = join(directory, entry.name);
    // A link counts as a file here, so nothing is removed behind one.
    if (entry.isDirectory()) await removeIn(path, isUnwanted);
    else if (await isUnwanted(entry)) await rm(path, { force: true });
  }
}

/** Whether a file exists and is empty, or begins with zeros. */
async function isBlank(path: string): Promise<boolean> {
  const file = await open(path).catch(nullIfAbsent);
  if (file === null) return false;
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(4), 0, 4, 0);
    return buffer.subarray(0, bytesRead).every((byte) => byte === 0);
  } finally {
    await file.close();
  }
}

/** A directory's entries; none when it does not exist or is no directory. */
export async function entriesOf(directory: string): Promise<readonly Dirent[]> {
  return (await readdir(directory, { withFileTypes: true }).catch(nullIfAbsent)) ?? [];
}

function nullIfAbsent(error: unknown): null {
  if (["ENOENT", "ENOTDIR"].includes(systemErrorCode(error) ?? "")) return null;
  throw error;
}
