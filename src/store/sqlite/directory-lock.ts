import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { AppError, systemErrorCode } from "../../lib/errors.ts";
import { lockFile } from "./connection.ts";
import { describeOpenError } from "./errors.ts";

/**
 * Locks a data directory for this process, creates it where it is missing, and returns the function that unlocks it; a
 * second call does nothing. The operating system releases the lock when the process ends for any reason; the file with
 * the process id is only for messages. Rejects with an {@link AppError} `failed` that names the process that has the
 * lock.
 */
export async function lockDirectory(dataDirectory: string): Promise<() => void> {
  const pidFile = join(dataDirectory, "hooklatch.pid");
  const unlock = tryToLock(dataDirectory);
  if (unlock === null) {
    const pid = await findHolder(pidFile);
    const who = pid === null ? "another hooklatch" : `another hooklatch (process ${pid})`;
    throw new AppError("failed", `${who} uses ${dataDirectory}; stop it, or choose another data_dir`);
  }
  writePid(pidFile);
  let released = false;
  return () => {
    if (released) return;
    released = true;
    rmSync(pidFile, { force: true });
    unlock();
  };
}

function tryToLock(dataDirectory: string): (() => void) | null {
  try {
    return lockFile(join(dataDirectory, "hooklatch.lock"));
  } catch (error) {
    throw describeOpenError(error, dataDirectory);
  }
}

function writePid(file: string): void {
  try {
    // A killed process may have left a file with another owner or mode.
    rmSync(file, { force: true });
    writeFileSync(file, `${process.pid}\n`, { mode: 0o600 });
  } catch {
    // Such as a full disk. The message to the next process then does not name this one.
  }
}

/**
 * The process that has the lock. When both started at the same moment, its file is missing or that of a killed process:
 * it is read again for half a second.
 */
async function findHolder(pidFile: string): Promise<number | null> {
  for (let attempt = 0; attempt < 20; attempt += 1) {
    const pid = readPid(pidFile);
    if (pid !== null && isAlive(pid)) return pid;
    await sleep(25);
  }
  // The processes of another container are not visible here.
  return readPid(pidFile);
}

function readPid(file: string): number | null {
  try {
    const pid = Number(readFileSync(file, "utf8"));
    return Number.isSafeInteger(pid) && pid > 0 ? pid : null;
  } catch {
    return null;
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    // EPERM: it exists, but belongs to another user.
    return systemErrorCode(error) === "EPERM";
  }
}
