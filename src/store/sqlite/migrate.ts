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
 * Upgrades a database to this program's schema, each migration in its own transaction. Throws an {@link AppError}
 * `failed` that names the file when another program, or a newer hooklatch, wrote it.
 */
export function migrate(connection: Connection, migrations: readonly Migration[] = MIGRATIONS): void {
  const version = connection.prepare<{ user_version: number }>("PRAGMA user_version");
  const readVersion = () => version.get({})?.user_version ?? 0;
  assertOwn(connection);
  if (readVersion() < migrations.length) apply(connection, migrations, readVersion);
  if (readVersion() > migrations.length) {
    throw new AppError(
      "failed",
      `${connection.file} was written by a newer hooklatch (schema ${readVersion()}, this version supports ${migrations.length}): install that version again, or restore a backup from before the upgrade`,
    );
  }
}

/**
 * Applies the pending migrations. Foreign keys are off meanwhile, which a transaction cannot change: dropping a table
 * that is rebuilt would delete what refers to it (https://www.sqlite.org/lang_altertable.html#otheralter).
 */
function apply(connection: Connection, migrations: readonly Migration[], readVersion: () => number): void {
  connection.execute("PRAGMA foreign_keys = OFF");
  const findViolation = connection.prepare<{ table: string; parent: string }>("PRAGMA foreign_key_check");
  try {
    for (const [index, migration] of migrations.entries()) {
      connection.transact(() => {
        // Inside the transaction, because another process may migrate the same file.
        if (readVersion() > index) return;
        if (typeof migration === "string") connection.execute(migration);
        else migration(connection);
        const violation = findViolation.get({});
        if (violation !== null) {
          throw new Error(
            `migration ${index + 1}: ${violation.table} refers to a missing ${violation.parent}`,
          );
        }
        connection.execute(`PRAGMA user_version = ${index + 1}`);
      });
    }
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
