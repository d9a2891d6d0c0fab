import manifest from "../../../package.json" with { type: "json" };
import { AppError } from "../../lib/errors.ts";
import type { Connection } from "./connection.ts";
import first from "./migrations/0001-first.sql" with { type: "text" };
import operator from "./migrations/0002-operator.sql" with { type: "text" };
import notDeployed from "./migrations/0003-not-deployed.sql" with { type: "text" };
import { addCodes } from "./migrations/0004-codes.ts";
import queueAll from "./migrations/0005-queue-all.sql" with { type: "text" };
import commits from "./migrations/0006-commits.sql" with { type: "text" };
import ci from "./migrations/0007-ci.sql" with { type: "text" };
import blocks from "./migrations/0008-blocks.sql" with { type: "text" };

/** Upgrades a database from one version to the next: SQL, or a function where SQL is not sufficient. */
export type Migration = string | ((connection: Connection) => void);

/** The n-th upgrades a file from version n-1 to n. Never changed once released. */
const MIGRATIONS: readonly Migration[] = [
  first,
  operator,
  notDeployed,
  addCodes,
  queueAll,
  commits,
  ci,
  blocks,
];

/** The first migration sets it. */
const APPLICATION_ID = 0x686f6f6b;

/**
 * Upgrades a database to this program's schema, in one transaction: the version that wrote the file can still open it
 * after a failed or interrupted upgrade. Throws an {@link AppError} `failed` that names the file when another program, or
 * a newer hooklatch, wrote it.
 */
export function migrate(connection: Connection, migrations: readonly Migration[] = MIGRATIONS): void {
  assertOwn(connection);
  if (readVersion(connection) < migrations.length) apply(connection, migrations);
  rejectNewer(connection, connection.file, migrations.length);
}

/**
 * Throws an {@link AppError} `failed` when a newer hooklatch wrote the database.
 *
 * @param schema the newest schema that this program supports.
 */
export function rejectNewer(
  database: Pick<Connection, "prepare">,
  file: string,
  schema = MIGRATIONS.length,
): void {
  const found = readVersion(database);
  if (found <= schema) return;
  const writer = readWriter(database, found);
  const [name, remedy] =
    writer === null
      ? ["a newer hooklatch", "that version"]
      : [`hooklatch ${writer}`, `hooklatch ${writer} or a newer version`];
  throw new AppError(
    "failed",
    `${file} was written by ${name} with schema ${found}, and this is hooklatch ${manifest.version} with schema ${schema}: install ${remedy}, or restore a backup from before the upgrade; nothing was changed`,
  );
}

function readVersion({ prepare }: Pick<Connection, "prepare">): number {
  return prepare<{ user_version: number }>("PRAGMA user_version").get({})?.user_version ?? 0;
}

/** The version of hooklatch that first wrote a schema to the file; null for a file from before versions were stored. */
function readWriter({ prepare }: Pick<Connection, "prepare">, schema: number): string | null {
  if (prepare("SELECT 1 FROM sqlite_schema WHERE name = 'upgrade'").get({}) === null) return null;
  const select = prepare<{ hooklatch: string }, { schema: number }>(
    "SELECT hooklatch FROM upgrade WHERE schema = $schema",
  );
  return select.get({ schema })?.hooklatch ?? null;
}

/** The version of hooklatch for each schema, for the message of an older version. No migration may change the table. */
const CREATE_UPGRADE = `
  CREATE TABLE IF NOT EXISTS upgrade (schema INTEGER PRIMARY KEY, hooklatch TEXT NOT NULL) STRICT`;

/**
 * Applies the pending migrations. Foreign keys are off meanwhile, which a transaction cannot change: dropping a table
 * that is rebuilt would delete what refers to it (https://www.sqlite.org/lang_altertable.html#otheralter).
 */
function apply(connection: Connection, migrations: readonly Migration[]): void {
  connection.execute("PRAGMA foreign_keys = OFF");
  const findViolation = connection.prepare<{ table: string; parent: string }>("PRAGMA foreign_key_check");
  try {
    connection.transact(() => {
      // Inside the transaction, because another process may migrate the same file.
      for (const [index, migration] of migrations.entries()) {
        if (readVersion(connection) > index) continue;
        if (typeof migration === "string") connection.execute(migration);
        else migration(connection);
        const violation = findViolation.get({});
        if (violation !== null) {
          throw new Error(
            `migration ${index + 1}: ${violation.table} refers to a missing ${violation.parent}`,
          );
        }
        connection.execute(`PRAGMA user_version = ${index + 1}`);
      }
      connection.execute(CREATE_UPGRADE);
      connection
        .prepare<never, { schema: number; hooklatch: string }>(
          "INSERT OR IGNORE INTO upgrade VALUES ($schema, $hooklatch)",
        )
        .run({ schema: migrations.length, hooklatch: manifest.version });
    });
  } finally {
    connection.execute("PRAGMA foreign_keys = ON");
  }
}

/** Rejects another program's database. */
function assertOwn(connection: Connection): void {
  const id = connection.prepare<{ application_id: number }>("PRAGMA application_id").get({})?.application_id;
  const tables = connection.prepare<{ count: number }>("SELECT count(*) AS count FROM sqlite_schema").get({});
  if (id === APPLICATION_ID || tables?.count === 0) return;
  throw new AppError(
    "failed",
    `${connection.file} is another program's database: move it away, or choose another data_dir`,
  );
}
