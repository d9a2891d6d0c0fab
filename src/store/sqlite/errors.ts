import { AppError } from "../../lib/errors.ts";
import { sqliteErrorCode } from "../../runtime/index.ts";

/** Result codes that say "not now", in plain words (https://www.sqlite.org/rescode.html). */
const UNAVAILABLE: Readonly<Record<number, string>> = {
  5: "another process holds it locked", // SQLITE_BUSY
  7: "the memory is used up", // SQLITE_NOMEM
  8: "the file or its disk is read-only", // SQLITE_READONLY
  10: "the disk reports an error", // SQLITE_IOERR
  13: "the disk is full", // SQLITE_FULL
  14: "the file, or one beside it, cannot be opened", // SQLITE_CANTOPEN
  // Extended codes, where they tell more than the primary one in their low byte.
  1032: "the file was moved or removed while it was open; put it back, or start hooklatch again", // …READONLY_DBMOVED
  4874: "the disk is full, or its -shm file cannot grow for another reason", // SQLITE_IOERR_SHMSIZE
};

const DAMAGED: readonly number[] = [
  11, // SQLITE_CORRUPT
  26, // SQLITE_NOTADB
];

/** What an error of an open store is to its caller: a Fault `unavailable`, or itself where the fault is ours. */
export function toAppError(error: unknown, file: string): unknown {
  if (DAMAGED.includes(primaryCode(error))) {
    const advice =
      "stop hooklatch, then restore a backup, or move it away together with its -wal and -shm files";
    return new AppError("unavailable", `the database ${file} is damaged: ${advice}`, error);
  }
  const why = whyUnavailable(error);
  return why === null ? error : new AppError("unavailable", `the store cannot be written now: ${why}`, error);
}

/** Why a database file could not be opened, and what to do, as a Fault `failed` that names the file. */
export function describeOpenError(error: unknown, file: string): unknown {
  if (DAMAGED.includes(primaryCode(error))) {
    const advice =
      "move it away together with its -wal and -shm files, then put back a backup or start empty";
    return new AppError("failed", `${file} is damaged or is no SQLite database: ${advice}`, error);
  }
  const why = whyUnavailable(error) ?? systemReason(error);
  if (why === null) return error;
  const remedy = why.startsWith("the disk is full")
    ? "free some space"
    : "make it and its directory writable";
  return new AppError("failed", `${file} cannot be opened: ${why}; ${remedy}`, error);
}

/** Whether another connection holds the file locked. */
export function isBusy(error: unknown): boolean {
  return primaryCode(error) === 5;
}

function whyUnavailable(error: unknown): string | null {
  return UNAVAILABLE[sqliteErrorCode(error) ?? -1] ?? UNAVAILABLE[primaryCode(error)] ?? null;
}

/** The low byte of SQLite's extended result code; -1 for an error that is not SQLite's. */
function primaryCode(error: unknown): number {
  const code = sqliteErrorCode(error);
  return code === null ? -1 : code & 0xff;
}

/** What the system says of a directory or file it does not give us; null for an error that is not the system's. */
function systemReason(error: unknown): string | null {
  return error instanceof Error && "syscall" in error ? error.message : null;
}
