import { DatabaseSync, type SQLInputValue } from "node:sqlite";
import type { SqliteDatabase, SqliteValues } from "../contract.ts";

export function openSqlite(file: string): SqliteDatabase {
  const database = new DatabaseSync(file);
  return {
    prepare<Row>(sql: string) {
      const statement = database.prepare(sql);
      // Like Bun: a statement may use some of the values that its caller has.
      statement.setAllowUnknownNamedParameters(true);
      return {
        get: (values: SqliteValues) => (statement.get(bind(values)) as Row | undefined) ?? null,
        all: (values: SqliteValues) => statement.all(bind(values)) as Row[],
        iterate: (values: SqliteValues) => statement.iterate(bind(values)) as Iterable<Row>,
        run(values: SqliteValues) {
          const { changes, lastInsertRowid } = statement.run(bind(values));
          return { changes: Number(changes), lastInsertRowid };
        },
      };
    },
    execute(sql) {
      database.exec(sql);
    },
    get inTransaction() {
      return database.isTransaction;
    },
    close() {
      if (database.isOpen) database.close();
    },
  };
}

/** node:sqlite binds every number as REAL, and `'deployment ' || $id` would be `deployment 5.0`. */
function bind(values: SqliteValues): Record<string, SQLInputValue> {
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [
      name,
      typeof value === "number" && Number.isInteger(value) ? BigInt(value) : value,
    ]),
  );
}

/** The messages of SQLite for the errors of `exec` and of opening, which have no code on Deno 2.9. */
const CODES: readonly (readonly [message: RegExp, code: number])[] = [
  [/^database is locked/, 5],
  [/^out of memory/, 7],
  [/^attempt to write a readonly database/, 8],
  [/^disk I\/O error/, 10],
  [/^database disk image is malformed/, 11],
  [/^database or disk is full/, 13],
  [/^unable to open database file/, 14],
  [/^file is not a database/, 26],
];

const SQLITE_ERROR = 1;

export function sqliteErrorCode(error: unknown): number | null {
  if (!(error instanceof Error) || !("code" in error) || error.code !== "ERR_SQLITE_ERROR") return null;
  if ("errcode" in error && typeof error.errcode === "number") return error.errcode;
  return CODES.find(([message]) => message.test(error.message))?.[1] ?? SQLITE_ERROR;
}
