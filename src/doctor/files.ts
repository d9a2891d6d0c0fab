import { accessSync, constants, existsSync, readdirSync, type Stats, statSync } from "node:fs";
import { dirname } from "node:path";
import { userName } from "../lib/os-user.ts";
import { type CheckResult, fail, ok } from "./index.ts";

/** A directory that is there and can be written to, or that can be made. */
export function checkDirectory(what: string, directory: string): CheckResult {
  if (!existsSync(directory)) {
    const parent = nearestExisting(directory);
    return isWritable(parent)
      ? ok(`${what} ${directory} will be made`)
      : fail(
          `${what} ${directory} cannot be made: ${parent} is not writable for this user; make it, and give it to the service's user`,
        );
  }
  if (isOther(directory))
    return fail(`${what} ${directory} is not a directory: move it away, or name another`);
  return isWritable(directory)
    ? ok(`${what} ${directory}`)
    : fail(
        `${what} ${directory} is not writable for this user; change its owner, or run as the service's user`,
      );
}

/** Whether something else than a directory is there. */
export function isOther(path: string): boolean {
  return find(path)?.isDirectory() === false;
}

/** A file that is there and can be read; `remedy` is where one comes from. */
export function checkFile(what: string, file: string, remedy: string): CheckResult {
  const found = find(file);
  if (found === null) return fail(`${what} ${file} does not exist: ${remedy}, or name another`);
  if (!found.isFile()) return fail(`${what} ${file} is not a regular file: name one`);
  return isAccessible(file, constants.R_OK)
    ? ok(`${what} ${file}`)
    : fail(`${what} ${file} cannot be read by this user; change its owner, or run as the service's user`);
}

/** Whether nothing is in a directory; one that cannot be looked into counts as full. */
export function isEmpty(directory: string): boolean {
  try {
    return readdirSync(directory).length === 0;
  } catch {
    return false;
  }
}

/** Whether others on this machine, be it only its group, may do anything with it. What is not there is not open. */
export function isOpenToOthers(path: string): boolean {
  return ((find(path)?.mode ?? 0) & 0o077) !== 0;
}

/** Whether everybody on this machine may do something with it. What is not there is not open. */
export function isOpenToAll(path: string): boolean {
  return ((find(path)?.mode ?? 0) & 0o007) !== 0;
}

/** Whether it belongs to the user we run as. */
export function isOurs(path: string): boolean {
  return ownerOf(path) === process.getuid?.();
}

/** The number of the user whom it belongs to; null for what is not there. */
export function ownerOf(path: string): number | null {
  return find(path)?.uid ?? null;
}

/** When it was last written, in Unix milliseconds; null for what is not there. */
export function writtenAt(path: string): number | null {
  return find(path)?.mtimeMs ?? null;
}

/** A user's name, or `#` and the number where the system's list of users has none: `sudo -u` takes both. */
export function nameUser(uid: number): string {
  return userName(uid) ?? `#${uid}`;
}

/** Whether a program is in one of the directories of a `PATH`. */
export function isInPath(program: string, path: string): boolean {
  return path.split(":").some((directory) => isProgram(`${directory || "."}/${program}`));
}

/** Whether it is a file that this user may run. */
export function isProgram(file: string): boolean {
  return find(file)?.isFile() === true && isAccessible(file, constants.X_OK);
}

/** The path itself, or the nearest directory above it that is there. */
export function nearestExisting(path: string): string {
  return existsSync(path) ? path : nearestExisting(dirname(path));
}

/** Null for what is not there, or cannot be looked at. */
function find(path: string): Stats | null {
  try {
    return statSync(path);
  } catch {
    return null;
  }
}

/** Whether it is there and this user may make files in it. */
export function isWritable(path: string): boolean {
  return isAccessible(path, constants.W_OK | constants.X_OK);
}

function isAccessible(path: string, mode: number): boolean {
  try {
    accessSync(path, mode);
    return true;
  } catch {
    return false;
  }
}
