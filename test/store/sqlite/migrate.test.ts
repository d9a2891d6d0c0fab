import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { migrate } from "../../../src/store/sqlite/migrate.ts";
import { type Connection, openDatabase } from "../../../src/store/sqlite/open.ts";
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

const OURS = "PRAGMA application_id = 0x686f6f6b";

describe("migrating", () => {
  test("makes a file from nothing: ours by its application id, every table STRICT", () => {
    migrate(connection);
    expect(version()).toBe(1);
    expect(all<{ application_id: number }>("PRAGMA application_id")).toEqual([
      { application_id: 0x686f6f6b },
    ]);
    expect(tables().map(({ name }) => name)).toContain("delivery");
    expect(tables().filter(({ strict }) => strict !== 1)).toEqual([]);
    expect(all("PRAGMA integrity_check")).toEqual([{ integrity_check: "ok" }]);
  });

  test("does nothing to a file that is up to date", () => {
    migrate(connection);
    connection.execute("INSERT INTO client VALUES ('webhook', '192.0.2.1', 1, 2)");
    migrate(connection);
    expect(version()).toBe(1);
    expect(all("SELECT source FROM client")).toEqual([{ source: "webhook" }]);
  });

  test("runs only the migrations that a file has not seen", () => {
    const first = `${OURS}; CREATE TABLE one (a INTEGER) STRICT`;
    migrate(connection, [first]);
    connection.execute("INSERT INTO one VALUES (1)");
    migrate(connection, [
      first,
      "CREATE TABLE two (b INTEGER) STRICT; INSERT INTO two SELECT a + 1 FROM one",
    ]);
    expect(version()).toBe(2);
    expect(all("SELECT b FROM two")).toEqual([{ b: 2 }]);
  });

  test("keeps nothing of a migration that fails half-way, and those before it", () => {
    const first = `${OURS}; CREATE TABLE one (a INTEGER) STRICT`;
    const broken = "CREATE TABLE two (b INTEGER) STRICT; INSERT INTO nowhere VALUES (1)";
    expect(() => migrate(connection, [first, broken])).toThrow("nowhere");
    expect(version()).toBe(1);
    expect(tables().map(({ name }) => name)).toEqual(["one"]);
  });

  test("refuses a file of a newer hooklatch by its name, and changes nothing in it", () => {
    migrate(connection);
    connection.execute("PRAGMA user_version = 7");
    expect(() => migrate(connection)).toThrow(
      expect.objectContaining({
        code: "failed",
        message: `${connection.file} was written by a newer hooklatch (schema 7, this one knows 1): install that version again, or put back a backup from before it`,
      }),
    );
    expect(version()).toBe(7);
  });
});

describe("the schema", () => {
  test("refuses a second running deployment of a target, whoever writes it", () => {
    migrate(connection);
    const insert = (target: string) =>
      connection.execute(
        `INSERT INTO deployment (target, state, trigger, created_at) VALUES ('${target}', 'running', 'push', 1)`,
      );
    insert("blog");
    insert("docs");
    expect(() => insert("blog")).toThrow("UNIQUE");
  });

  test("finds waiting, running and asked-for deployments by an index", () => {
    migrate(connection);
    const plan = (where: string) =>
      all<{ detail: string }>(`EXPLAIN QUERY PLAN SELECT id FROM deployment WHERE ${where}`)
        .map(({ detail }) => detail)
        .join("; ");
    expect(plan("state = 'queued'")).toContain("deployment_queued");
    expect(plan("target = 'blog' AND state = 'queued' AND id < 9")).toContain("deployment_queued");
    expect(plan("target = 'blog' AND state = 'running'")).toContain("deployment_running");
    expect(plan("state = 'running'")).toContain("deployment_running");
    expect(plan("delivery = 1")).toContain("deployment_delivery");
    const newest = plan("target = 'blog' AND state <> 'superseded' ORDER BY id DESC LIMIT 1");
    expect(newest).toContain("deployment_target");
    expect(newest).not.toContain("TEMP B-TREE");
  });
});
