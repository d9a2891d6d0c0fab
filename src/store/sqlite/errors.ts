import { AppError } from "../../lib/errors.ts";
import { sqliteErrorCode } from "../../runtime/index.ts";

/** Why something cannot be done now, and what to do. */
interface Cause {
  readonly reason: string;
  readonly remedy: string;
}

const FREE_SPACE = "free some space";
const MAKE_WRITABLE = "make it and its directory writable";

/** Result codes for "not now" (https://www.sqlite.org/rescode.html). */
const UNAVAILABLE: Readonly<Record<number, Cause>> = {
  5: { reason: "another process holds it locked", remedy: MAKE_WRITABLE }, // SQLITE_BUSY
  7: { reason: "there is not enough memory", remedy: MAKE_WRITABLE }, // SQLITE_NOMEM
  8: { reason: "the file or its disk is read-only", remedy: MAKE_WRITABLE }, // SQLITE_READONLY
  10: { reason: "the disk reports an error", remedy: MAKE_WRITABLE }, // SQLITE_IOERR
  13: { reason: "the disk is full", remedy: FREE_SPACE }, // SQLITE_FULL
  14: { reason: "the file, or one beside it, cannot be opened", remedy: MAKE_WRITABLE }, // SQLITE_CANTOPEN
  // Extended codes that say more than the primary one in their low byte.
  1032: {
    // SQLITE_READONLY_DBMOVED
    reason: "the file was moved or removed while it was open; put it back, or start hooklatch again",
    remedy: MAKE_WRITABLE,
  },
  4874: {
    // SQLITE_IOERR_SHMSIZE
    reason: "the disk is full, or its -shm file cannot grow for another reason",
    remedy: FREE_SPACE,
  },
};

const DAMAGED: readonly number[] = [
  11, // SQLITE_CORRUPT
  26, // SQLITE_NOTADB
];

/** An error of an open store for its caller: an {@link AppError} `unavailable`, or itself where it is a bug. */
export function toAppError(error: unknown, file: string): unknown {
  if (DAMAGED.includes(primaryCode(error))) {
    const advice =
      "stop hooklatch, then restore a backup, or move it away together with its -wal and -shm files";
    return new AppError("unavailable", `the database ${file} is damaged: ${advice}`, error);
  }
  const reason = findCause(error)?.reason;
  if (reason === undefined) return error;
  return new AppError("unavailable", `the store cannot be written now: ${reason}`, error);
}

/** Why a database file could not be opened, and what to do, as an {@link AppError} `failed` that names the file. */
export function describeOpenError(error: unknown, file: string): unknown {
  if (DAMAGED.includes(primaryCode(error))) {
    const advice =
      "move it away together with its -wal and -shm files, then restore a backup or start with an empty one";
    return new AppError("failed", `${file} is damaged or is no SQLite database: ${advice}`, error);
  }
  const cause = findCause(error) ?? findSystemCause(error);
  if (cause === null) return error;
  return new AppError("failed", `${file} cannot be opened: ${cause.reason}; ${cause.remedy}`, error);
}

/** Whether another connection holds the file locked. */
export function isBusy(error: unknown): boolean {
  return primaryCode(error) === 5;
}

function findCause(error: unknown): Cause | null {
  return UNAVAILABLE[sqliteErrorCode(error) ?? -1] ?? UNAVAILABLE[primaryCode(error)] ?? null;
}

/** The low byte of SQLite's extended result code; -1 for another error than SQLite's. */
function primaryCode(error: unknown): number {
  const code = sqliteErrorCode(error);
  return code === null ? -1 : code & 0xff;
}

/** What the system says of a directory or file that cannot be opened; null for another error than the system's. */
function findSystemCause(error: unknown): Cause | null {
  if (!(error instanceof Error) || !("syscall" in error)) return null;
  return { reason: error.message, remedy: MAKE_WRITABLE };
}
