import type { Dirent } from "node:fs";
import { open, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { systemErrorCode } from "../../lib/errors.ts";
import { type Git, type GitOutcome, SILENT_IO } from "./git.ts";

/**
 * Removes what a killed git leaves in its directory: lock files, which would stop every later git, and partial packs.
 * No other process may use the directory. No ref ends in `.lock` (git-check-ref-format(1)), so every such file is a lock.
 */
export async function removeStaleLocks(gitDirectory: string): Promise<void> {
  await removeIn(gitDirectory, ({ name }) => name.endsWith(".lock"));
  await removeIn(join(gitDirectory, "objects", "pack"), ({ name }) => isPartial(name));
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
  isLeftover: (entry: Dirent) => boolean | Promise<boolean>,
): Promise<void> {
  for (const entry of await entriesOf(directory)) {
    const path = join(directory, entry.name);
    // A link counts as a file here, so nothing is removed behind one.
    if (entry.isDirectory() && !isObjectDirectory(entry)) await removeIn(path, isLeftover);
    else if (await isLeftover(entry)) await rm(path, { force: true });
  }
}

/** `objects/00` to `objects/ff`: up to 256 directories that never have locks. */
function isObjectDirectory(entry: Dirent): boolean {
  return entry.parentPath.endsWith("/objects") && /^[0-9a-f]{2}$/.test(entry.name);
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

/** Creates a bare repository in `directory`, or repairs what a killed git or a power failure left there. */
export async function makeBare(directory: string, git: Git): Promise<GitOutcome> {
  await removeStaleLocks(directory);
  const outcome = await initialise(git);
  if (outcome.kind === "succeeded") return outcome;
  await removeBlankFiles(directory);
  return initialise(git);
}

/** In an existing repository, `git init` only adds what is missing (git-init(1)). */
async function initialise(git: Git): Promise<GitOutcome> {
  const outcome = await git.attempt(["init", "--quiet", "--bare", "--template="], SILENT_IO);
  if (outcome.kind === "failed") return { kind: "failed", reason: `git init ${outcome.reason}` };
  return (await isSound(git)) ? outcome : { kind: "failed", reason: "git cannot read the repository" };
}

/** Whether git can open the repository, and every ref names an existing object. */
export async function isSound(git: Git): Promise<boolean> {
  const lines = await git.read(["for-each-ref"]);
  return lines !== null && !lines.some((line) => line.startsWith("warning: ignoring broken ref"));
}
