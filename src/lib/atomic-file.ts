import { randomBytes } from "node:crypto";
import { closeSync, fsyncSync, linkSync, openSync, rmSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { systemErrorCode } from "./errors.ts";

/**
 * Makes a file that has its name only when it is whole and on the disk: half a one, left by a crash, would be taken for
 * all of it. Gives false, and changes nothing, where the name is taken, also by somebody who took it meanwhile. `mode` is
 * what the umask leaves of it.
 */
export function createFileAtomically(file: string, text: string, mode: number): boolean {
  const draft = `${file}.${randomBytes(6).toString("hex")}.new`;
  try {
    writeFlushed(draft, text, mode);
    // Unlike a rename this never replaces what is there.
    linkSync(draft, file);
  } catch (error) {
    if (systemErrorCode(error) !== "EEXIST") throw error;
    return false;
  } finally {
    rmSync(draft, { force: true });
  }
  flushEntries(dirname(file));
  return true;
}

function writeFlushed(file: string, text: string, mode: number): void {
  const descriptor = openSync(file, "wx", mode);
  try {
    writeSync(descriptor, text);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** Without this a new file's name may be lost with the power, though its content is on disk (fsync(2)). */
function flushEntries(directory: string): void {
  const descriptor = openSync(directory, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
