import { statSync } from "node:fs";
import { dirname, join } from "node:path";
import { createFileWith } from "../../lib/atomic-file.ts";
import { AppError, describeFileError, systemErrorCode } from "../../lib/errors.ts";
import { openSqlite, type SqliteDatabase } from "../../runtime/index.ts";
import { describeOpenError } from "./errors.ts";

/**
 * Copies the database of a data directory to a new file of mode 0600, also while a server uses it: the copy is that of one
 * moment, and the server does not wait. Returns the size of the copy in bytes. Throws an {@link AppError} `failed` when
 * there is no database, or when the file exists or cannot be written.
 */
export function backUpSqlite(dataDirectory: string, file: string): number {
  const source = join(dataDirectory, "hooklatch.db");
  if (!exists(source)) {
    throw new AppError(
      "failed",
      `there is no database ${source}: has the server run with this configuration?`,
    );
  }
  const isNew = createCopy(source, file);
  if (!isNew) throw new AppError("failed", `${file} exists: choose another name, or move it away`);
  return statSync(file).size;
}

function exists(file: string): boolean {
  try {
    return statSync(file, { throwIfNoEntry: false }) !== undefined;
  } catch (error) {
    throw describeOpenError(error, file);
  }
}

/** @param copy an empty file. */
function copyDatabase(source: string, copy: string): void {
  const database = open(source);
  try {
    database.execute("PRAGMA busy_timeout = 10000");
    // https://www.sqlite.org/lang_vacuum.html#vacuuminto
    database.prepare<never, { copy: string }>("VACUUM INTO $copy").run({ copy });
  } finally {
    database.close();
  }
}

function open(file: string): SqliteDatabase {
  try {
    return openSqlite(file);
  } catch (error) {
    throw describeOpenError(error, file);
  }
}

/** Returns false when the file exists. */
function createCopy(source: string, file: string): boolean {
  try {
    return createFileWith(file, 0o600, (draft) => copyDatabase(source, draft));
  } catch (error) {
    if (error instanceof AppError) throw error;
    const reason =
      systemErrorCode(error) === "ENOENT"
        ? `the directory ${dirname(file)} does not exist`
        : describeFileError(error);
    throw new AppError("failed", `cannot copy ${source} to ${file}: ${reason}`, error);
  }
}
