import * as files from "node:fs/promises";
import { systemClock } from "./clock.ts";
import { systemErrorCode } from "./errors.ts";

/** Milliseconds between two attempts. */
const PAUSE = 50;

/** Milliseconds after which a shortage of descriptors counts as an error. */
const PATIENCE = 10_000;

/**
 * Repeats an operation that fails because the process has no file descriptor left: a burst of connections may take all,
 * until the server stops accepting. The operation must have no effect when it fails so.
 */
export async function retryWithoutDescriptors<T>(operation: () => T | Promise<T>): Promise<T> {
  for (const deadline = performance.now() + PATIENCE; ; await systemClock.sleep(PAUSE)) {
    try {
      return await operation();
    } catch (error) {
      if (!isOutOfDescriptors(error) || performance.now() >= deadline) throw error;
    }
  }
}

/** Whether the process, or the whole system, has no file descriptor left (open(2)). */
export function isOutOfDescriptors(error: unknown): boolean {
  return ["EMFILE", "ENFILE"].includes(systemErrorCode(error) ?? "");
}

function patient<Operation extends (...args: never[]) => Promise<unknown>>(operation: Operation): Operation {
  const repeated = (...args: Parameters<Operation>) => retryWithoutDescriptors(() => operation(...args));
  return repeated as Operation;
}

/** The operations of `node:fs/promises` that take a descriptor, repeated when there is none. */
export const { appendFile, copyFile, cp, open, readdir, readFile, realpath, rm, writeFile } = {
  appendFile: patient(files.appendFile),
  copyFile: patient(files.copyFile),
  cp: patient(files.cp),
  open: patient(files.open),
  readdir: patient(files.readdir),
  readFile: patient(files.readFile),
  realpath: patient(files.realpath),
  rm: patient(files.rm),
  writeFile: patient(files.writeFile),
};
