import type { Stats } from "node:fs";
import { cp, lstat, mkdir, rename, rm, symlink } from "node:fs/promises";
import { basename, dirname, isAbsolute, join, normalize, relative, sep } from "node:path";
import { DeploymentError } from "../../domain/deployment-error.ts";

/** The directories of a shared path and its link. Both absolute and real, since the link is relative. */
export interface SharedPaths {
  readonly release: string;
  readonly shared: string;
}

/**
 * Replaces `path` in a release with a link to `<shared>/<path>`. Where that does not exist yet, it starts as a copy of
 * what the repository has at the path, or else as a directory.
 */
export async function linkShared({ release, shared }: SharedPaths, path: string): Promise<void> {
  const parts = partsOf(path);
  const name = join(...parts);
  await makeParents(release, parts.slice(0, -1), path);
  const inRelease = join(release, name);
  const inShared = join(shared, name);
  if ((await inspect(inShared)) === null) await seed(inShared, inRelease);
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
    const found = await inspect(at);
    if (found === null) await mkdir(at);
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
async function seed(place: string, from: string): Promise<void> {
  await mkdir(dirname(place), { recursive: true });
  const found = await inspect(from);
  if (found === null || found.isSymbolicLink()) {
    await mkdir(place);
    return;
  }
  const copy = join(dirname(place), `.${basename(place)}.seed`);
  await rm(copy, { recursive: true, force: true });
  await cp(from, copy, { recursive: true, verbatimSymlinks: true });
  await rename(copy, place);
}

/** What is at a path, without following links; null when nothing is. */
async function inspect(path: string): Promise<Stats | null> {
  return lstat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return null;
    throw error;
  });
}
