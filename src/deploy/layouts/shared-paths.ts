import type { Stats } from "node:fs";
import { cp, lstat, mkdir, rename, rm, symlink } from "node:fs/promises";
import { basename, dirname, isAbsolute, join, normalize, relative, sep } from "node:path";
import { AppError } from "../../lib/errors.ts";

/** The directories that a shared path is linked between; both absolute and real, since links between them are relative. */
export interface SharedPaths {
  readonly release: string;
  readonly shared: string;
}

/**
 * Puts a link to `<shared>/<path>` in the place of `path` in a release. What is shared and not there yet begins as
 * what the repository has at that path, or else as a directory.
 */
export async function linkShared({ release, shared }: SharedPaths, path: string): Promise<void> {
  const parts = partsOf(path);
  const name = join(...parts);
  await makeParents(release, parts.slice(0, -1), path);
  const inRelease = join(release, name);
  const inShared = join(shared, name);
  if ((await look(inShared)) === null) await seed(inShared, inRelease);
  await rm(inRelease, { recursive: true, force: true });
  await symlink(relative(dirname(inRelease), inShared), inRelease);
}

function partsOf(path: string): readonly string[] {
  const parts = normalize(path)
    .split(sep)
    .filter((part) => part !== "");
  if (isAbsolute(path) || parts.length === 0 || parts.some((part) => [".", "..", ".git"].includes(part))) {
    throw new AppError("failed", `shared path ${path} is not a path inside a release`);
  }
  return parts;
}

/**
 * Makes the directories above a shared path. One that the repository has as a link is refused: what we make
 * below it would be made wherever the repository's author wants.
 */
async function makeParents(release: string, parents: readonly string[], path: string): Promise<void> {
  let at = release;
  for (const part of parents) {
    at = join(at, part);
    const found = await look(at);
    if (found === null) await mkdir(at);
    else if (!found.isDirectory()) {
      const what = found.isSymbolicLink() ? "a symbolic link" : "a file";
      throw new AppError(
        "failed",
        `shared path ${path}: ${relative(release, at)} is ${what} in the repository`,
      );
    }
  }
}

/** Copies beside its place and moves it there, so that a copy which was cut short is never taken for the whole. */
async function seed(place: string, from: string): Promise<void> {
  await mkdir(dirname(place), { recursive: true });
  const found = await look(from);
  if (found === null || found.isSymbolicLink()) {
    await mkdir(place);
    return;
  }
  const copy = join(dirname(place), `.${basename(place)}.seed`);
  await rm(copy, { recursive: true, force: true });
  await cp(from, copy, { recursive: true, verbatimSymlinks: true });
  await rename(copy, place);
}

/** What is at a path itself, links not followed; null when there is nothing. */
async function look(path: string): Promise<Stats | null> {
  return lstat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return null;
    throw error;
  });
}
