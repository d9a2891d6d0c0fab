import { lstatSync } from "node:fs";
import { cp, mkdir, rename, rm, symlink } from "node:fs/promises";
import { basename, dirname, isAbsolute, join, normalize, relative, sep } from "node:path";
import { DeploymentError } from "../failure.ts";

/**
 * Replaces `path` in a release with a link to `<shared>/<path>`. When that does not exist yet, it starts as a copy of
 * what the repository has at the path, or else as a directory. `release` and `shared` are absolute paths without symbolic
 * links, since the link is relative.
 */
export async function linkShared(release: string, shared: string, path: string): Promise<void> {
  const parts = partsOf(path);
  await makeParents(release, parts.slice(0, -1), path);
  const inRelease = join(release, ...parts);
  const inShared = join(shared, ...parts);
  if (inspect(inShared) === undefined) await seed(inShared, inRelease);
  await rm(inRelease, { recursive: true, force: true });
  await symlink(relative(dirname(inRelease), inShared), inRelease);
}

function partsOf(path: string): readonly string[] {
  const parts = normalize(path)
    .split(sep)
    .filter((part) => part !== "");
  if (isAbsolute(path) || parts.length === 0 || parts.some((part) => [".", "..", ".git"].includes(part))) {
    throw new DeploymentError("shared_path_unusable", `shared path ${path} is not a path inside a release`);
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
      throw new DeploymentError(
        "shared_path_unusable",
        `shared path ${path}: ${relative(release, at)} is ${what} in the repository`,
      );
    }
  }
}

/** Copies next to the final path and moves the copy there, so that an interrupted copy is never used. */
async function seed(path: string, from: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const found = inspect(from);
  if (found === undefined || found.isSymbolicLink()) {
    await mkdir(path);
    return;
  }
  const copy = join(dirname(path), `.${basename(path)}.seed`);
  await rm(copy, { recursive: true, force: true });
  await cp(from, copy, { recursive: true, verbatimSymlinks: true });
  await rename(copy, path);
}

/** Follows no links. Undefined when nothing exists at the path. */
function inspect(path: string) {
  return lstatSync(path, { throwIfNoEntry: false });
}
