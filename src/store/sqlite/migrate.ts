import { AppError } from "../../lib/errors.ts";
import type { Connection } from "./connection.ts";
import first from "./migrations/0001-first.sql" with { type: "text" };
import steering from "./migrations/0002-steering.sql" with { type: "text" };
import undeployed from "./migrations/0003-undeployed.sql" with { type: "text" };

/** In order, never edited once released: the n-th brings a file from version n-1 to n. */
const MIGRATIONS: readonly string[] = [first, steering, undeployed];

/**
 * Brings a database up to this program's schema, each migration in one transaction of its own. Throws a Fault
 * `failed` that names the file when another program, or a newer hooklatch, wrote it.
 */
export function migrate(connection: Connection, migrations: readonly string[] = MIGRATIONS): void {
  const version = connection.prepare<{ user_version: number }>("PRAGMA user_version");
  const readVersion = () => version.get({})?.user_version ?? 0;
  refuseForeign(connection);
  for (const [index, sql] of migrations.entries()) {
    connection.transact(() => {
      // Read inside the transaction: another process may be at the same work.
      if (readVersion() > index) return;
      connection.execute(sql);
      connection.execute(`PRAGMA user_version = ${index + 1}`);
    });
  }
  if (readVersion() > migrations.length) {
    throw new AppError(
      "failed",
      `${connection.file} was written by a newer hooklatch (schema ${readVersion()}, this one knows ${migrations.length}): install that version again, or put back a backup from before it`,
    );
  }
}

/** Somebody else's tables are not ours to add to. */
function refuseForeign(connection: Connection): void {
  const id = connection.prepare<{ application_id: number }>("PRAGMA application_id").get({})?.application_id;
  const tables = connection.prepare<{ count: number }>("SELECT count(*) AS count FROM sqlite_schema").get({});
  if (id === APPLICATION_ID || tables?.count === 0) return;
  throw new AppError(
    "failed",
    `${connection.file} is another program's database: move it away, or choose another data_dir`,
  );
}

/** As the first migration sets it. */
const APPLICATION_ID = 0x686f6f6b;
