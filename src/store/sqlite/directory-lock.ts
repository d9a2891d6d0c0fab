import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { AppError, systemErrorCode } from "../../lib/errors.ts";
import { holdLock } from "./connection.ts";
import { describeOpenError } from "./errors.ts";

/** A data directory that is ours alone. */
export interface DirectoryLock {
  /** Lets others have it; a second call does nothing. */
  release(): void;
}

/**
 * Takes a data directory for this process, and makes it where it is not there. The lock is the system's, which
 * lets it go when the process ends, however that happens; the file with the process id is for people alone.
 * Rejects with a Fault `failed` that names the process which has it.
 */
export async function lockDirectory(dataDirectory: string): Promise<DirectoryLock> {
  const pidFile = join(dataDirectory, "hooklatch.pid");
  const letGo = hold(dataDirectory);
  if (letGo === null) {
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
      letGo();
    },
  };
}

function hold(dataDirectory: string): (() => void) | null {
  try {
    return holdLock(join(dataDirectory, "hooklatch.lock"));
  } catch (error) {
    throw describeOpenError(error, dataDirectory);
  }
}

function writePid(file: string): void {
  try {
    // One that was killed left a file that may be somebody else's: this one is new, with our mode.
    rmSync(file, { force: true });
    writeFileSync(file, `${process.pid}\n`, { mode: 0o600 });
  } catch {
    // A full disk, say. It costs the next one who wants the directory our number in its message.
  }
}

/**
 * The process that has the lock. Where both were started at the same moment its file is not there yet, or is
 * still that of one which was killed: then it is looked at again, for half a second.
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
    // It is there, but another user's.
    return systemErrorCode(error) === "EPERM";
  }
}
