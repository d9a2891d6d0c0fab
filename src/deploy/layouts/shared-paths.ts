import { lstatSync } from "node:fs";
import { mkdir, rename, symlink } from "node:fs/promises";
import { basename, dirname, isAbsolute, join, normalize, relative, sep } from "node:path";
import { cp, rm } from "../../lib/files.ts";
import { DeploymentError } from "../failure.ts";

/**
 * Replaces `path` in a release with a link to `<shared>/<path>`. When that does not exist yet, it starts as a copy of
 * what the repository has at the path. Where the repository has nothing either, it is created as a directory, unless the
 * name says that a file is meant: a name with a dot and without a slash at its end. `release` and `shared` are absolute
 * paths without symbolic links, since the link is relative. Rejects with a {@link DeploymentError}.
 */
export async function linkShared(release: string, shared: string, path: string): Promise<void> {
  const parts = partsOf(path);
  await makeParents(release, parts.slice(0, -1), path);
  const inRelease = join(release, ...parts);
  const inShared = join(shared, ...parts);
  if (inspect(inShared) === undefined) await seed(inShared, inRelease, path);
  checkKind(inShared, path);
  await rm(inRelease, { recursive: true, force: true });
  await symlink(relative(dirname(inRelease), inShared), inRelease);
}

/** Whether the entry names a directory, whatever is there. */
function isDirectoryEntry(path: string): boolean {
  return path.endsWith("/");
}

function partsOf(path: string): readonly string[] {
  const parts = normalize(path)
    .split(sep)
    .filter((part) => part !== "");
  if (isAbsolute(path) || parts.length === 0 || parts.some((part) => [".", "..", ".git"].includes(part))) {
    throw unusable(path, "is not a path inside a release");
  }
  return parts;
}

/**
 * Creates the directories above a shared path. Rejects one that the repository has as a link: what is created below it
 * would be wherever the repository's author wants.
 */
async function makeParents(release: string, parents: readonly string[], path: string): Promise<void> {
  let at = release;
  for (const part of parents) {
    at = join(at, part);
    const found = inspect(at);
    if (found === undefined) await mkdir(at);
    else if (!found.isDirectory()) {
      const what = found.isSymbolicLink() ? "a symbolic link" : "a file";
      throw unusable(`${path}:`, `${relative(release, at)} is ${what} in the repository`);
    }
  }
}

/** Copies next to the final path and moves the copy there, so that an interrupted copy is never used. */
async function seed(target: string, from: string, path: string): Promise<void> {
  const found = inspect(from);
  // A link could lead anywhere.
  const hasOwn = found !== undefined && !found.isSymbolicLink();
  if (hasOwn && isDirectoryEntry(path) && !found.isDirectory()) {
    throw unusable(path, "is a file in the repository: remove the slash at its end, or the file");
  }
  if (!hasOwn && !isDirectoryEntry(path) && basename(target).includes(".")) {
    throw unusable(
      path,
      `is not in the repository, and ${target} does not exist: create that file, or write ${path}/ in \`shared\` for a directory`,
    );
  }
  await mkdir(dirname(target), { recursive: true });
  if (!hasOwn) {
    await mkdir(target);
    return;
  }
  const copy = join(dirname(target), `.${basename(target)}.seed`);
  await rm(copy, { recursive: true, force: true });
  await cp(from, copy, { recursive: true, verbatimSymlinks: true });
  await rename(copy, target);
}

/** A link in `shared` is the user's own, and may lead to a directory that is not mounted yet. */
function checkKind(target: string, path: string): void {
  const found = inspect(target);
  if (!isDirectoryEntry(path) || found?.isSymbolicLink() || found?.isDirectory()) return;
  throw unusable(path, `is a file: remove the slash at its end, or replace ${target} by a directory`);
}

/** Follows no links. Undefined when nothing exists at the path. */
function inspect(path: string) {
  return lstatSync(path, { throwIfNoEntry: false });
}

function unusable(path: string, problem: string): DeploymentError {
  return new DeploymentError("shared_path_unusable", `shared path ${path} ${problem}`);
}
