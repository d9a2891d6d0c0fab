import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { AppError, systemErrorCode } from "../../lib/errors.ts";
import { holdLock } from "./connection.ts";
import { describeOpenError } from "./errors.ts";

/** The exclusive use of a data directory. */
export interface DirectoryLock {
  /** Ends the exclusive use; a second call does nothing. */
  release(): void;
}

/**
 * Locks a data directory for this process, and creates it where it is missing. The operating system releases the lock
 * when the process ends, however that happens; the file with the process id is only for people. Rejects with an
 * {@link AppError} `failed` that names the process that has the lock.
 */
export async function lockDirectory(dataDirectory: string): Promise<DirectoryLock> {
  const pidFile = join(dataDirectory, "hooklatch.pid");
  const unlock = lockFile(dataDirectory);
  if (unlock === null) {
    const pid = await findHolder(pidFile);
    const who = pid === null ? "another hooklatch" : `another hooklatch (process ${pid})`;
    throw new AppError("failed", `${who} uses ${dataDirectory}; stop it, or choose another data_dir`);
  }
  writePid(pidFile);
  let released = false;
  return {
    release() {
      if (released) return;
      released = true;
      rmSync(pidFile, { force: true });
      unlock();
    },
  };
}

function lockFile(dataDirectory: string): (() => void) | null {
  try {
    return holdLock(join(dataDirectory, "hooklatch.lock"));
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
    // On a full disk, say. The next process that wants the directory then cannot name this one.
  }
}

/**
 * The process that has the lock. When both started at the same moment its file is missing, or still that of a killed
 * process: then it is read again for half a second.
 */
async function findHolder(pidFile: string): Promise<number | null> {
  for (let attempt = 0; attempt < 20; attempt += 1) {
    const pid = readPid(pidFile);
    if (pid !== null && isAlive(pid)) return pid;
    await sleep(25);
  }
  // Another container's processes cannot be seen from here.
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
    // It exists, but belongs to another user.
    return systemErrorCode(error) === "EPERM";
  }
}
