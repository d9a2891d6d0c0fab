import { chmodSync, closeSync, existsSync, mkdirSync, openSync, rmSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { AppError } from "../../lib/errors.ts";
import {
  openSqlite,
  type SqliteDatabase,
  type SqliteStatement,
  type SqliteValues,
} from "../../runtime/index.ts";
import { describeOpenError, isBusy, toAppError } from "./errors.ts";

/** An open SQLite database. */
export interface Connection extends Pick<SqliteDatabase, "prepare" | "execute"> {
  readonly file: string;
  /**
   * Runs `act` in one immediate transaction: committed and on disk when this returns, rolled back when it throws. `act`
   * must be synchronous, because the transaction would end at its first await.
   */
  transact<Result>(act: () => Result): Result;
  /**
   * Runs one synchronous act of the store at once. Rejects with an AppError `unavailable` when the disk refuses it or
   * the connection is closed, and with other errors as they are.
   */
  attempt<Result>(act: () => Result): Promise<Result>;
  /** Runs one act of the store as {@link attempt} does, in one transaction. */
  attemptTransaction<Result>(act: () => Result): Promise<Result>;
  /** Moves the write-ahead log into the file and closes it. A second call does nothing. */
  close(): void;
}

const PRAGMAS = `
  PRAGMA busy_timeout = 10000;
  -- Takes effect only before the first table is created. Pruning returns space in steps.
  PRAGMA auto_vacuum = INCREMENTAL;
  PRAGMA journal_mode = WAL;
  -- NORMAL could lose the last commits at a power loss, and a 2xx response promises that a delivery is stored.
  PRAGMA synchronous = FULL;
  PRAGMA foreign_keys = ON;
  PRAGMA trusted_schema = OFF;
  PRAGMA journal_size_limit = 67108864;
  PRAGMA temp_store = MEMORY;
  -- At most 64 MB: the index of duplicates stays in memory up to about two million deliveries.
  PRAGMA cache_size = -64000;
`;

/**
 * Opens a database file, or creates it, with access for its owner only. Throws an {@link AppError} `failed` that names
 * the file when it is damaged, another program's or not writable.
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
 * Reads a database file before {@link openDatabase} changes anything of it, such as its mode and its write-ahead log.
 * Does nothing when there is no file.
 */
export function examineDatabase(
  file: string,
  examine: (database: Pick<Connection, "prepare">) => void,
): void {
  if ((statSync(file, { throwIfNoEntry: false })?.size ?? 0) === 0) return;
  // Created by any reader, and removed only by a writer.
  const beside = [`${file}-wal`, `${file}-shm`].filter((path) => !existsSync(path));
  const database = openSqlite(file, "read-only");
  try {
    examine(database);
  } finally {
    database.close();
    for (const path of beside) rmSync(path, { force: true });
  }
}

/**
 * Locks a file, and creates it where it is missing, until the returned function is called or this process ends. Null
 * when another connection has the lock, also one of this process.
 */
export function lockFile(file: string): (() => void) | null {
  makePrivate(file);
  const database = openSqlite(file);
  try {
    // Nothing is written: no journal is left behind, and it works on a full disk.
    database.execute("PRAGMA journal_mode = MEMORY; BEGIN IMMEDIATE");
    return () => database.close();
  } catch (error) {
    database.close();
    if (isBusy(error)) return null;
    throw error;
  }
}

/**
 * Creates the file before SQLite does, so that the files beside it get the same mode, whatever the umask. An existing
 * file is not opened: closing it would release every lock that this process has on it (fcntl(2)).
 */
function makePrivate(file: string): void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const stats = statSync(file, { throwIfNoEntry: false });
  if (stats === undefined) closeSync(openSync(file, "a", 0o600));
  if (stats === undefined || stats.isFile()) chmodSync(file, 0o600);
}

/** Prepares a statement when it is first used: there are about a hundred, and a start needs few of them. */
function prepareLazily<Row, Values extends SqliteValues>(
  database: SqliteDatabase,
  sql: string,
): SqliteStatement<Row, Values> {
  let prepared: SqliteStatement<Row, Values> | null = null;
  const statement = () => {
    prepared ??= database.prepare<Row, Values>(sql);
    return prepared;
  };
  return {
    get: (values) => statement().get(values),
    all: (values) => statement().all(values),
    iterate: (values) => statement().iterate(values),
    run: (values) => statement().run(values),
  };
}

function connect(database: SqliteDatabase, file: string): Connection {
  const begin = database.prepare("BEGIN IMMEDIATE");
  const commit = database.prepare("COMMIT");
  const rollback = database.prepare("ROLLBACK");
  let closed = false;

  function transact<Result>(act: () => Result): Result {
    begin.run({});
    try {
      const result = act();
      commit.run({});
      return result;
    } catch (error) {
      // On a full disk SQLite has already rolled back.
      if (database.inTransaction) rollback.run({});
      throw error;
    }
  }

  async function attempt<Result>(act: () => Result): Promise<Result> {
    if (closed) throw new AppError("unavailable", "the store is closed");
    try {
      return act();
    } catch (error) {
      throw toAppError(error, file);
    }
  }

  return {
    file,
    prepare: (sql) => prepareLazily(database, sql),
    execute: database.execute,
    transact,
    attempt,
    attemptTransaction: (act) => attempt(() => transact(act)),
    close() {
      if (closed) return;
      closed = true;
      try {
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)");
      } catch {
        // Such as a full disk. Nothing is lost: the log remains beside the file, and the next start reads it.
      } finally {
        database.close();
      }
    },
  };
}
