import { accessSync, constants, existsSync, readdirSync, type Stats, statSync } from "node:fs";
import { dirname } from "node:path";
import { systemErrorCode } from "../lib/errors.ts";
import { userName } from "../lib/os-user.ts";
import { type CheckResult, fail, ok } from "./check-result.ts";

const FIX_OWNER = "change its owner, or run the check as the service's user";

/** Checks that a directory is writable, or that it can be created. */
export function checkDirectory(label: string, directory: string): CheckResult {
  const text = `${label} ${directory}`;
  if (!existsSync(directory)) {
    const parent = nearestExisting(directory);
    if (isWritable(parent)) return ok(`${text} will be created`);
    return isReadOnly(parent)
      ? fail(`${text} cannot be created: ${describeReadOnly(directory)}`)
      : fail(`${text} cannot be created: ${parent} is not writable; create it for the service's user`);
  }
  if (isNotDirectory(directory)) return fail(`${text} is not a directory: move it away, or set another path`);
  if (isWritable(directory)) return ok(text);
  return isReadOnly(directory)
    ? fail(`${text} is not writable: ${describeReadOnly(directory)}`)
    : fail(`${text} is not writable: ${FIX_OWNER}`);
}

/** The user of the service sees other file systems than this shell when its unit has ProtectSystem=. */
function describeReadOnly(directory: string): string {
  return `its file system is read-only here; if the service's unit has ProtectSystem=, add ReadWritePaths=${directory} to it`;
}

/** Whether the path is on a file system that is mounted read-only. */
function isReadOnly(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return false;
  } catch (error) {
    return systemErrorCode(error) === "EROFS";
  }
}

/** Checks that a file is readable. `remedy` completes the error for a missing one. */
export function checkFile(label: string, file: string, remedy: string): CheckResult {
  const text = `${label} ${file}`;
  const stats = readStats(file);
  if (stats === null) return fail(`${text} does not exist: ${remedy}`);
  if (!stats.isFile()) return fail(`${text} is not a regular file`);
  return isAccessible(file, constants.R_OK) ? ok(text) : fail(`${text} is not readable: ${FIX_OWNER}`);
}

/** Whether the path exists and is not a directory. */
export function isNotDirectory(path: string): boolean {
  return readStats(path)?.isDirectory() === false;
}

/** Whether a directory is readable and empty. */
export function isEmpty(directory: string): boolean {
  try {
    return readdirSync(directory).length === 0;
  } catch {
    return false;
  }
}

/** Whether the path exists and grants its group or other users any access. */
export function isOpenToOthers(path: string): boolean {
  return (modeOf(path) & 0o077) !== 0;
}

/** Whether the path exists and grants users outside its group any access. */
export function isOpenToAll(path: string): boolean {
  return (modeOf(path) & 0o007) !== 0;
}

/** The uid of the owner; null for a missing path, and on Windows. */
export function ownerOf(path: string): number | null {
  return HAS_OWNERS ? (readStats(path)?.uid ?? null) : null;
}

/** Windows reports owners and modes that its files do not have. */
const HAS_OWNERS = process.platform !== "win32";

function modeOf(path: string): number {
  return HAS_OWNERS ? (readStats(path)?.mode ?? 0) : 0;
}

/** The name of a user, or `#` and the uid if it has none. `sudo -u` accepts both. */
export function nameUser(uid: number): string {
  return userName(uid) ?? `#${uid}`;
}

/** Whether a directory of a PATH has the program. */
export function isInPath(program: string, path: string): boolean {
  return path.split(":").some((directory) => isProgram(`${directory || "."}/${program}`));
}

/** Whether this user may execute the file. */
export function isProgram(file: string): boolean {
  return readStats(file)?.isFile() === true && isAccessible(file, constants.X_OK);
}

/** The path itself, or its nearest existing ancestor. */
export function nearestExisting(path: string): string {
  return existsSync(path) ? path : nearestExisting(dirname(path));
}

/** Whether this user may create files in the directory. */
export function isWritable(path: string): boolean {
  return isAccessible(path, constants.W_OK | constants.X_OK);
}

/** Null for a path that does not exist or cannot be looked up. */
function readStats(path: string): Stats | null {
  try {
    return statSync(path);
  } catch {
    return null;
  }
}

function isAccessible(path: string, mode: number): boolean {
  try {
    accessSync(path, mode);
    return true;
  } catch {
    return false;
  }
}
