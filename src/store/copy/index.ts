import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { AppError } from "../../lib/errors.ts";
import { requireAddress } from "../../lib/postgres-url.ts";
import { type Database, openDatabase as openPostgres, type Query } from "../postgres/connection.ts";
import { describeOpenError } from "../postgres/errors.ts";
import type { PostgresPlace } from "../postgres/index.ts";
import { LEASE_END } from "../postgres/lease.ts";
import { migrate as migratePostgres } from "../postgres/migrate.ts";
import { type Connection, openDatabase as openSqlite } from "../sqlite/connection.ts";
import { lockDirectory } from "../sqlite/directory-lock.ts";
import { migrate as migrateSqlite } from "../sqlite/migrate.ts";
import { createPostgresCopy } from "./postgres.ts";
import { createSqliteCopy } from "./sqlite.ts";
import { copyTables, type Summary, summarise } from "./tables.ts";

/** Between what is copied. */
export interface CopyPlaces {
  readonly dataDirectory: string;
  readonly postgres: PostgresPlace;
  readonly to: "postgres" | "sqlite";
}

/**
 * Copies the database of a data directory to Postgres, or back: what belongs to the place's host. No server may use either,
 * and the one that is written must be empty. Resolves with the number of rows by table, after both were compared. Rejects with
 * an {@link AppError} `failed`, and keeps nothing of what it wrote.
 */
export async function copyStore({
  dataDirectory,
  postgres,
  to,
}: CopyPlaces): Promise<ReadonlyMap<string, number>> {
  const unlock = await lockDirectory(dataDirectory);
  const database = openPostgres(requireAddress(postgres.url), "hooklatch store copy");
  const sqlite = openSqlite(join(dataDirectory, "hooklatch.db"));
  try {
    migrateSqlite(sqlite);
    await migratePostgres(database);
    const copied = await transactInBoth(sqlite, database, (query) =>
      copyIn(sqlite, query, postgres.host, to),
    );
    return new Map([...copied].map(([name, { rows }]) => [name, rows]));
  } catch (error) {
    throw describeOpenError(error instanceof AppError && error.code === "unavailable" ? error.cause : error);
  } finally {
    sqlite.close();
    await database.close();
    unlock();
  }
}

async function transactInBoth<Result>(
  sqlite: Connection,
  database: Database,
  act: (query: Query) => Promise<Result>,
): Promise<Result> {
  sqlite.execute("BEGIN IMMEDIATE");
  try {
    const result = await database.write(act);
    sqlite.execute("COMMIT");
    return result;
  } catch (error) {
    sqlite.execute("ROLLBACK");
    throw error;
  }
}

async function copyIn(
  sqlite: Connection,
  query: Query,
  host: string,
  to: CopyPlaces["to"],
): Promise<ReadonlyMap<string, Summary>> {
  const [up] = await query<{ name: string }>(
    `SELECT name FROM host WHERE worker IS NOT NULL AND seen_at > ${LEASE_END} LIMIT 1`,
  );
  if (up !== undefined) {
    throw new AppError("failed", `hooklatch runs on host ${up.name}: stop it on every host first`);
  }
  const places = { sqlite: createSqliteCopy(sqlite), postgres: createPostgresCopy(query, host) };
  const target = places[to];
  const source = places[to === "postgres" ? "sqlite" : "postgres"];
  const filled = [...(await summarise(target))].filter(([, { rows }]) => rows > 0);
  if (filled.length > 0) {
    const tables = filled.map(([name, { rows }]) => `${name}: ${rows}`).join(", ");
    const where = to === "postgres" ? "the database of [store] url" : "the database in data_dir";
    throw new AppError("failed", `${where} is not empty (${tables}): copy to an empty one`);
  }
  const read = await copyTables(source, target);
  const written = await summarise(target);
  for (const [name, summary] of read) {
    if (!isDeepStrictEqual(summary, written.get(name))) {
      throw new Error(`table ${name} differs after the copy: ${summary.rows} rows were read`);
    }
  }
  return read;
}
