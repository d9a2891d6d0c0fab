import { randomBytes } from "node:crypto";
import { closeSync, fsyncSync, linkSync, openSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { systemErrorCode } from "./errors.ts";

/**
 * Creates a file that appears under its name only when its whole text is on disk: after a crash no reader finds half
 * of it. Returns false and changes nothing when the name is taken, also when another process takes it meanwhile.
 * Throws the system's error when the file cannot be written.
 *
 * @param mode permission bits, from which the umask is subtracted.
 */
export function createFileAtomically(file: string, text: string, mode: number): boolean {
  return createFileWith(file, mode, (_draft, descriptor) => writeFileSync(descriptor, text));
}

/**
 * Creates a file as {@link createFileAtomically} does. `fill` writes the content to an empty file of another name, which
 * is open.
 */
export function createFileWith(
  file: string,
  mode: number,
  fill: (draft: string, descriptor: number) => void,
): boolean {
  try {
    // Unlike rename(2), link(2) never replaces an existing file.
    publish(file, mode, fill, linkSync);
    return true;
  } catch (error) {
    if (systemErrorCode(error) === "EEXIST") return false;
    throw error;
  }
}

/**
 * Creates or replaces a file: readers find the old text or the new one, never a mixture, and the new text is on disk
 * when this returns. Throws the system's error, and leaves the old file, when the new one cannot be written.
 *
 * @param mode permission bits, from which the umask is subtracted.
 */
export function replaceFileAtomically(file: string, text: string, mode: number): void {
  publish(file, mode, (_draft, descriptor) => writeFileSync(descriptor, text), renameSync);
}

function publish(
  file: string,
  mode: number,
  fill: (draft: string, descriptor: number) => void,
  moveIntoPlace: typeof renameSync,
): void {
  const draft = `${file}.${randomBytes(6).toString("hex")}.new`;
  try {
    writeToDisk(draft, mode, fill);
    moveIntoPlace(draft, file);
  } finally {
    rmSync(draft, { force: true });
  }
  flushDirectory(dirname(file));
}

function writeToDisk(file: string, mode: number, fill: (draft: string, descriptor: number) => void): void {
  const descriptor = openSync(file, "wx", mode);
  try {
    fill(file, descriptor);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/**
 * Without this a power failure may lose the new name, although the content is on disk (fsync(2)). Windows has no such call
 * for directories.
 */
function flushDirectory(directory: string): void {
  if (process.platform === "win32") return;
  const descriptor = openSync(directory, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
