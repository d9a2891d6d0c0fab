import { AppError } from "../../lib/errors.ts";
import type { Database, Query } from "./connection.ts";
import first from "./migrations/0001-first.sql" with { type: "text" };

/** The n-th upgrades the schema from version n-1 to n. Never changed once released. */
const MIGRATIONS: readonly string[] = [first];

/**
 * Creates the schema `hooklatch`, or upgrades it, in one transaction of the write lane: several processes may start at once.
 * Throws an {@link AppError} `failed` when a newer hooklatch wrote it.
 */
export async function migrate(database: Database, migrations: readonly string[] = MIGRATIONS): Promise<void> {
  const { query } = database;
  if ((await readVersion(query)) !== migrations.length) {
    await database.write(async (run) => {
      const version = await readVersion(run);
      if (version > migrations.length) throw tooNew(version, migrations.length);
      if (version === 0) await create(run);
      for (const statement of migrations.slice(version).flatMap(splitStatements)) await run(statement);
      await run("UPDATE schema_version SET version = $1", migrations.length);
    });
  }
}

/**
 * 0 for a database without the schema. It reads the catalog: to_regclass() may answer from a cache that is older than the
 * transaction of another process, which this one has just waited for.
 */
async function readVersion(query: Query): Promise<number> {
  const [found] = await query<{ exists: boolean }>(
    `SELECT EXISTS (
       SELECT FROM pg_catalog.pg_tables WHERE schemaname = 'hooklatch' AND tablename = 'schema_version') AS exists`,
  );
  if (found?.exists !== true) return 0;
  const [row] = await query<{ version: number }>("SELECT version FROM schema_version");
  return row?.version ?? 0;
}

/** A schema that an administrator created for this user needs no right to create one. */
async function create(query: Query): Promise<void> {
  const [found] = await query<{ exists: boolean }>(
    "SELECT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = 'hooklatch') AS exists",
  );
  if (found?.exists !== true) await query("CREATE SCHEMA hooklatch");
  await query("CREATE TABLE schema_version (version integer NOT NULL)");
  await query("INSERT INTO schema_version VALUES (0)");
}

/** No statement of a migration has a semicolon at the end of a line but its last. */
function splitStatements(text: string): readonly string[] {
  const statements = text.replaceAll(/--.*$/gm, "").split(/;\s*$/m);
  return statements.map((statement) => statement.trim()).filter((statement) => statement !== "");
}

function tooNew(version: number, known: number): AppError {
  return new AppError(
    "failed",
    `the database was written by a newer hooklatch (schema ${version}, this version supports ${known}): install that version on this host`,
  );
}
