import { Database } from "bun:sqlite";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { zstdDecompressSync } from "node:zlib";

const FIXTURES = join(import.meta.dir, "../fixtures/store");

/** The schema versions with a database that a killed server of that version left; see test/fixtures/store/README.md. */
export const SCHEMAS: readonly number[] = [1, 2, 3, 4, 5, 6, 7, 8];

/** Writes the database of a schema version to a data directory and returns its file. */
export function restoreHistory(schema: number, dataDirectory: string): string {
  mkdirSync(dataDirectory, { recursive: true, mode: 0o700 });
  const file = join(dataDirectory, "hooklatch.db");
  writeFileSync(file, zstdDecompressSync(readFileSync(join(FIXTURES, `v${schema}/history.db.zst`))));
  return file;
}

export interface OldDeployment {
  readonly id: number;
  readonly state: string;
  readonly reason: string | null;
  readonly [column: string]: unknown;
}

/** The columns that all versions have in common, read without the program. */
export function readHistory(file: string) {
  using database = new Database(file, { readonly: true });
  const all = <Row>(sql: string) => database.query<Row, []>(sql).all();
  const has = (table: string) =>
    database.query("SELECT 1 FROM sqlite_schema WHERE name = ?").get(table) !== null;
  const notifications = has("notice")
    ? "SELECT subscriber AS channel, news AS kind, deployment, attempts, due_at FROM notice"
    : has("notification")
      ? "SELECT channel, kind, deployment, attempts, due_at FROM notification"
      : "SELECT 1 WHERE 0";
  return {
    schema: all<{ user_version: number }>("PRAGMA user_version")[0]?.user_version,
    deliveries: all<{ id: number; sha256: string; received_at: number; [column: string]: unknown }>(
      `SELECT id, source, event, status, received_at, client, provider_id, redelivery_of, headers,
         lower(hex(body_sha256)) AS sha256 FROM delivery ORDER BY id`,
    ),
    deployments: all<OldDeployment>(
      `SELECT id, target, state, reason, trigger, delivery, pushed_commit, branch, "commit", previous_commit, release,
         attempt, created_at, started_at, ended_at FROM deployment ORDER BY id`,
    ),
    steps: all("SELECT * FROM step ORDER BY 1, 2"),
    output: all<{ deployment: number; text: string }>(
      "SELECT deployment, text FROM output ORDER BY deployment, line",
    ),
    clients: all<{ address: string; [column: string]: unknown }>(
      "SELECT source, address, authorised_at, expires_at FROM client ORDER BY address",
    ),
    live: all<{ target: string; commit: string; release: string }>(
      `SELECT target, "commit", release FROM live ORDER BY target`,
    ),
    locks: has("lock")
      ? all<{ target: string; reason: string; delivery: number | null }>(
          'SELECT target, reason, "by", since, delivery FROM lock',
        )
      : [],
    notifications: all(notifications),
  };
}
