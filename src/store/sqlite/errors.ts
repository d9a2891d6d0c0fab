import { AppError } from "../../lib/errors.ts";
import { sqliteErrorCode } from "../../runtime/index.ts";

/** Why an operation is not possible now, and what to do. */
interface Cause {
  readonly reason: string;
  readonly remedy: string;
}

const FREE_SPACE = "free some space";
const MAKE_WRITABLE = "make it and its directory writable";

const BUSY = 5;

/** Result codes of errors that may pass (https://www.sqlite.org/rescode.html). */
const UNAVAILABLE: Readonly<Record<number, Cause>> = {
  [BUSY]: { reason: "another process has locked it", remedy: "stop that process" },
  7: { reason: "there is not enough memory", remedy: "free some memory" }, // SQLITE_NOMEM
  8: { reason: "the file or its disk is read-only", remedy: MAKE_WRITABLE }, // SQLITE_READONLY
  10: { reason: "the disk reports an error", remedy: "check the disk" }, // SQLITE_IOERR
  13: { reason: "the disk is full", remedy: FREE_SPACE }, // SQLITE_FULL
  14: { reason: "the file, or one beside it, cannot be opened", remedy: MAKE_WRITABLE }, // SQLITE_CANTOPEN
  // Extended codes, which are more specific than the primary one in their low byte.
  1032: {
    // SQLITE_READONLY_DBMOVED
    reason: "the file was moved or removed while it was open",
    remedy: "put it back, or restart hooklatch",
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

/** Converts an error of an open store to an {@link AppError} `unavailable`. Returns any other error unchanged. */
export function toAppError(error: unknown, file: string): unknown {
  if (DAMAGED.includes(primaryCode(error))) {
    const advice =
      "stop hooklatch, then restore a backup, or move it away together with its -wal and -shm files";
    return new AppError("unavailable", `the database ${file} is damaged: ${advice}`, error);
  }
  const cause = findCause(error);
  if (cause === null) return error;
  return new AppError(
    "unavailable",
    `the store cannot be written now: ${cause.reason}; ${cause.remedy}`,
    error,
  );
}

/** Converts an error at opening to an {@link AppError} `failed`. Returns any other error unchanged. */
export function describeOpenError(error: unknown, file: string): unknown {
  if (DAMAGED.includes(primaryCode(error))) {
    const advice =
      "move it away together with its -wal and -shm files, then restore a backup or start with an empty one";
    return new AppError("failed", `${file} is damaged or is not a SQLite database: ${advice}`, error);
  }
  const cause = findCause(error) ?? findSystemCause(error);
  if (cause === null) return error;
  return new AppError("failed", `${file} cannot be opened: ${cause.reason}; ${cause.remedy}`, error);
}

/** Whether another connection has the file locked. */
export function isBusy(error: unknown): boolean {
  return primaryCode(error) === BUSY;
}

function findCause(error: unknown): Cause | null {
  return UNAVAILABLE[sqliteErrorCode(error) ?? -1] ?? UNAVAILABLE[primaryCode(error)] ?? null;
}

/** The low byte of SQLite's extended result code; -1 for another error. */
function primaryCode(error: unknown): number {
  const code = sqliteErrorCode(error);
  return code === null ? -1 : code & 0xff;
}

/** The message of a system error at a directory or file; null for another error. */
function findSystemCause(error: unknown): Cause | null {
  if (!(error instanceof Error) || !("syscall" in error)) return null;
  return { reason: error.message, remedy: MAKE_WRITABLE };
}
