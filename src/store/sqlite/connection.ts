import { chmodSync, closeSync, mkdirSync, openSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { AppError } from "../../lib/errors.ts";
import { openSqlite, type SqliteDatabase } from "../../runtime/index.ts";
import { describeOpenError, isBusy, toAppError } from "./errors.ts";

/** An open SQLite database. */
export interface Connection extends Pick<SqliteDatabase, "prepare" | "execute"> {
  readonly file: string;
  /**
   * Runs `act` in one immediate transaction: committed and on disk when this returns, rolled back when it
   * throws. `act` must be synchronous, or the transaction would end at its first await.
   */
  transact<Result>(act: () => Result): Result;
  /**
   * Runs one synchronous act of the store, at once. Rejects with an AppError `unavailable` where the disk refused it
   * or the connection is closed; other errors are faults of ours and pass as they are.
   */
  attempt<Result>(act: () => Result): Promise<Result>;
  /** Moves the log into the file and closes it; a second call does nothing. */
  close(): void;
}

const PRAGMAS = `
  PRAGMA busy_timeout = 10000;
  -- Counts only before the first table: lets space be given back in steps.
  PRAGMA auto_vacuum = INCREMENTAL;
  PRAGMA journal_mode = WAL;
  -- NORMAL could lose the last commits at a power loss, and a 2xx means kept.
  PRAGMA synchronous = FULL;
  PRAGMA foreign_keys = ON;
  PRAGMA trusted_schema = OFF;
  PRAGMA journal_size_limit = 67108864;
  PRAGMA temp_store = MEMORY;
  -- 64 MB at most: the index of what came before stays in memory up to some two million deliveries.
  PRAGMA cache_size = -64000;
`;

/**
 * Opens a database file, or makes it, readable by its owner alone. Throws a Fault `failed` that names the file
 * and says what to do when it is damaged, not ours, or not to be written.
 */
export function openDatabase(file: string): Connection {
  let database: SqliteDatabase | null = null;
  try {
    makePrivate(file);
    database = openSqlite(file);
    database.execute(PRAGMAS);
    return connect(database, file);
  } catch (error) {
    database?.close();
    throw describeOpenError(error, file);
  }
}

/**
 * Holds a lock on a file, which is made where it is not there, until the returned function is called or this
 * process ends. Null when another connection holds it, this process's own included.
 */
export function holdLock(file: string): (() => void) | null {
  makePrivate(file);
  const database = openSqlite(file);
  try {
    // Nothing is ever written, on purpose: no journal stays behind, and it works on a full disk too.
    database.execute("PRAGMA journal_mode = MEMORY; BEGIN IMMEDIATE");
    return () => database.close();
  } catch (error) {
    database.close();
    if (isBusy(error)) return null;
    throw error;
  }
}

/**
 * Makes the file before SQLite does: its log and its shared memory then take the same mode, whatever the umask.
 * One that is there is not opened, for closing it would drop every lock this process has on it (fcntl(2)).
 */
function makePrivate(file: string): void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const there = statSync(file, { throwIfNoEntry: false });
  if (there === undefined) closeSync(openSync(file, "a", 0o600));
  if (there === undefined || there.isFile()) chmodSync(file, 0o600);
}

function connect(database: SqliteDatabase, file: string): Connection {
  const begin = database.prepare("BEGIN IMMEDIATE");
  const commit = database.prepare("COMMIT");
  const rollback = database.prepare("ROLLBACK");
  let closed = false;
  return {
    file,
    prepare: database.prepare,
    execute: database.execute,
    transact(act) {
      begin.run({});
      try {
        const result = act();
        commit.run({});
        return result;
      } catch (error) {
        // A full disk has already rolled it back by itself.
        if (database.inTransaction) rollback.run({});
        throw error;
      }
    },
    async attempt(act) {
      if (closed) throw new AppError("unavailable", "the store is closed");
      try {
        return act();
      } catch (error) {
        throw toAppError(error, file);
      }
    },
    close() {
      if (closed) return;
      closed = true;
      try {
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)");
      } catch {
        // A full disk, say. Nothing is lost: the log stays beside the file, and the next start reads it.
      } finally {
        database.close();
      }
    },
  };
}
