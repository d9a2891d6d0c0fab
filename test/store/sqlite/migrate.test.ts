import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { join } from "node:path";
import program from "../../../package.json";
import { createStore } from "../../../src/store/group.ts";
import { type Connection, openDatabase } from "../../../src/store/sqlite/connection.ts";
import { assembleEngine } from "../../../src/store/sqlite/index.ts";
import { migrate } from "../../../src/store/sqlite/migrate.ts";
import first from "../../../src/store/sqlite/migrations/0001-first.sql" with { type: "text" };
import { numbersIn, words } from "../../support/words.ts";
import { makeDirectory } from "../directory.ts";

let directory: Awaited<ReturnType<typeof makeDirectory>>;
let connection: Connection;

beforeEach(async () => {
  directory = await makeDirectory();
  connection = openDatabase(join(directory.path, "hooklatch.db"));
});
afterEach(async () => {
  connection.close();
  await directory.remove();
});

const all = <Row>(sql: string) => connection.prepare<Row>(sql).all({});
const version = () => all<{ user_version: number }>("PRAGMA user_version")[0]?.user_version;
const tables = () =>
  all<{ name: string; strict: number }>(
    "SELECT name, strict FROM pragma_table_list WHERE schema = 'main' AND name NOT LIKE 'sqlite%'",
  );

const SET_APPLICATION_ID = "PRAGMA application_id = 0x686f6f6b";

/** One row for each table of version 1, and two where their order matters. */
const ROWS_OF_VERSION_1 = `
  INSERT INTO client VALUES ('webhook', '192.0.2.1', 5, 9), ('webhook', '192.0.2.2', 4, 8);
  INSERT INTO decision_set VALUES (7, zeroblob(32), 9, 'plain', CAST('{"decisions":[],"reason":null}' AS BLOB));
  INSERT INTO delivery VALUES
    (5, 'github', 'push', 'ok', 1, '192.0.2.1', 1, 'id', 'hook', NULL, NULL, '{}', 7, zeroblob(32), 'plain', x'7b7d');
  INSERT INTO seen VALUES (1, 5);
  INSERT INTO seen_lately VALUES (1, '2,5');
  INSERT INTO deployment VALUES
    (3, 'blog', 'succeeded', NULL, 'push', 5, 'abc', 1, 'main', 'abc', NULL, 'release', 1, 2, 3);
  INSERT INTO step VALUES (3, 0, 'true', 0, NULL, 4);
  INSERT INTO live VALUES ('blog', 'abc', 'release', 3, 3);
  INSERT INTO output VALUES (3, 0, 'line');
  INSERT INTO output_extent VALUES (3, 1, 5, 1, 0, 1)`;

describe("migrating", () => {
  test("creates a file with the application id and only STRICT tables", () => {
    migrate(connection);
    expect(version()).toBe(8);
    expect(all<{ application_id: number }>("PRAGMA application_id")).toEqual([
      { application_id: 0x686f6f6b },
    ]);
    expect(tables().map(({ name }) => name)).toContain("delivery");
    expect(tables().filter(({ strict }) => strict !== 1)).toEqual([]);
    expect(all("PRAGMA integrity_check")).toEqual([{ integrity_check: "ok" }]);
  });

  test("does not change a file that is up to date", () => {
    migrate(connection);
    connection.execute("INSERT INTO client VALUES (7, 'webhook', '192.0.2.1', 1, 2)");
    migrate(connection);
    expect(version()).toBe(8);
    expect(all("SELECT source FROM client")).toEqual([{ source: "webhook" }]);
  });

  test("runs only the pending migrations of a file", () => {
    const first = `${SET_APPLICATION_ID}; CREATE TABLE one (a INTEGER) STRICT`;
    migrate(connection, [first]);
    connection.execute("INSERT INTO one VALUES (1)");
    migrate(connection, [
      first,
      "CREATE TABLE two (b INTEGER) STRICT; INSERT INTO two SELECT a + 1 FROM one",
    ]);
    expect(version()).toBe(2);
    expect(all("SELECT b FROM two")).toEqual([{ b: 2 }]);
  });

  test("rolls back all migrations when one fails", () => {
    const first = `${SET_APPLICATION_ID}; CREATE TABLE one (a INTEGER) STRICT`;
    const broken = "CREATE TABLE two (b INTEGER) STRICT; INSERT INTO nowhere VALUES (1)";
    expect(() => migrate(connection, [first, broken])).toThrow("nowhere");
    expect(version()).toBe(0);
    expect(tables()).toEqual([]);
  });

  test("migrates a database from version 1 to version 8 without losing data", async () => {
    migrate(connection, [first]);
    connection.execute(ROWS_OF_VERSION_1);
    const tablesBefore = tables().map(({ name }) => name);
    const rowsOf = (table: string) => all<object>(`SELECT * FROM ${table}`);
    // Version 4 moves the decisions into the deliveries.
    const withoutSet = ({ decision_set: _, ...row }: { decision_set?: number }) => row;
    const before = tablesBefore
      .filter((table) => !["decision_set", "upgrade"].includes(table))
      .map((table) => [table, rowsOf(table).map(withoutSet)] as const);
    migrate(connection);
    expect(version()).toBe(8);
    for (const [table, rows] of before) {
      expect(rows).not.toEqual([]);
      expect(rowsOf(table)).toHaveLength(rows.length);
      expect(rowsOf(table)).toEqual(expect.arrayContaining(rows.map((row) => expect.objectContaining(row))));
    }
    expect(all("SELECT id, address FROM client ORDER BY id")).toEqual([
      { id: 1, address: "192.0.2.2" },
      { id: 2, address: "192.0.2.1" },
    ]);
    expect(all("PRAGMA integrity_check")).toEqual([{ integrity_check: "ok" }]);
    expect(all("PRAGMA foreign_key_check")).toEqual([]);

    const store = createStore(assembleEngine(connection, () => {}));
    expect(await store.readDeployment(3)).toMatchObject({ delivery: 5, state: "succeeded", choice: null });
    expect((await store.readDelivery(5))?.decisions).toEqual([]);
    const { items } = await store.listDeliveries(
      { source: "github", status: "ok", target: null },
      { limit: 50, before: null },
    );
    expect(items.map(({ id }) => id)).toEqual([5]);
    expect(
      await store.queueDeployment(
        { target: "blog", trigger: "manual", commit: null, choice: null },
        new Date(),
      ),
    ).toMatchObject({ deployment: { id: 4 } });
  });

  test("rejects a file of a newer version and does not change it", () => {
    migrate(connection);
    connection.execute("PRAGMA user_version = 9; INSERT INTO upgrade VALUES (9, '9.9.9')");
    expect(() => migrate(connection)).toThrow(expect.objectContaining({ code: "failed" }));
    const message = messageOf(() => migrate(connection));
    expect(message).toContain(connection.file);
    const text = words(message, { [connection.file]: "<database>", [program.version]: "<version>" });
    expect(text).toContain("hooklatch 9.9.9");
    expect(numbersIn(text.replaceAll("9.9.9", ""))).toEqual([9, 8]);
    expect(text).toMatchSnapshot();
    expect(version()).toBe(9);
  });
});

/** The message of the error that a function throws. */
function messageOf(act: () => void): string {
  try {
    act();
    return "";
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

const explain = (sql: string) =>
  all<{ detail: string }>(`EXPLAIN QUERY PLAN ${sql}`)
    .map(({ detail }) => detail)
    .join("; ");

describe("the schema", () => {
  test("rejects a second running deployment of a target", () => {
    migrate(connection);
    const insert = (target: string) =>
      connection.execute(
        `INSERT INTO deployment (target, state, trigger, created_at) VALUES ('${target}', 'running', 'push', 1)`,
      );
    insert("blog");
    insert("docs");
    expect(() => insert("blog")).toThrow("UNIQUE");
  });

  test("has indexes for queued and running deployments and for those of a delivery", () => {
    migrate(connection);
    const plan = (where: string) => explain(`SELECT id FROM deployment WHERE ${where}`);
    expect(plan("state = 'queued'")).toContain("deployment_queued");
    expect(plan("target = 'blog' AND state = 'queued' AND id < 9")).toContain("deployment_queued");
    expect(plan("target = 'blog' AND state = 'running'")).toContain("deployment_running");
    expect(plan("state = 'running'")).toContain("deployment_running");
    expect(plan("delivery = 1")).toContain("deployment_delivery");
    const newest = plan("target = 'blog' AND state <> 'superseded' ORDER BY id DESC LIMIT 1");
    expect(newest).toContain("deployment_target");
    expect(newest).not.toContain("TEMP B-TREE");
  });

  test("has indexes for lists, notifications and pruning that make sorting unnecessary", () => {
    migrate(connection);
    for (const [sql, index] of [
      ["SELECT * FROM deployment WHERE id < 9 AND state = 'failed' ORDER BY id DESC", "deployment_state "],
      [
        "SELECT * FROM deployment WHERE id < 9 AND target = 'blog' AND state = 'failed' ORDER BY id DESC",
        "deployment_target_state ",
      ],
      [
        `SELECT id FROM deployment WHERE target = 'blog' AND "commit" IS NOT NULL AND choice IS NULL ORDER BY id DESC`,
        "deployment_tip ",
      ],
      ["SELECT * FROM not_deployed WHERE delivery = 5", "not_deployed_delivery "],
      [
        "SELECT id FROM delivery WHERE source = 'github' AND status = 'ok' AND id < 9 ORDER BY id DESC",
        "delivery_source_status ",
      ],
      [
        "SELECT ci FROM delivery WHERE ci_commit = 'a' AND source = 'github' ORDER BY id",
        "delivery_ci_commit ",
      ],
      ["SELECT min(due_at) FROM notification", "notification_due_at"],
      ["SELECT 1 FROM lock WHERE delivery = 5", "lock_delivery "],
      ["SELECT id FROM deployment WHERE retry_of = 5", "deployment_retry_of "],
    ] as const) {
      expect(explain(sql)).toContain(`INDEX ${index}`);
      expect(explain(sql)).not.toContain("TEMP B-TREE");
    }
    expect(
      explain(
        "SELECT delivery FROM not_deployed WHERE target = 'blog' AND delivery < 9 ORDER BY delivery DESC",
      ),
    ).toBe("SEARCH not_deployed USING PRIMARY KEY (target=? AND delivery<?)");
  });
});
