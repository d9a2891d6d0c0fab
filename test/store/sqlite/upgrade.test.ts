import { Database } from "bun:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { version } from "../../../package.json";
import { describeResult } from "../../../src/domain/deployment-result.ts";
import { openSqlite } from "../../../src/store/sqlite/index.ts";
import { readHistory, restoreHistory, SCHEMAS } from "../../support/history.ts";
import { isPossible, SmallDisk } from "../../support/small-disk.ts";
import { numbersIn, words } from "../../support/words.ts";
import { makeDirectory } from "../directory.ts";

const NEWEST = SCHEMAS.at(-1) ?? 0;

let directory: Awaited<ReturnType<typeof makeDirectory>>;
let file: string;

beforeEach(async () => {
  directory = await makeDirectory();
});
afterEach(() => directory.remove());

const restore = (schema: number) => {
  file = restoreHistory(schema, directory.path);
  return readHistory(file);
};

/** The schema and all rows of a database. */
function dump(path: string): unknown {
  using database = new Database(path, { readonly: true });
  const all = (sql: string) => database.query<Record<string, unknown>, []>(sql).all();
  const schema = all("SELECT type, name, sql FROM sqlite_schema ORDER BY name");
  const tables = schema.filter(({ type }) => type === "table").map(({ name }) => String(name));
  return [all("PRAGMA user_version"), schema, tables.map((name) => [name, all(`SELECT * FROM "${name}"`)])];
}

/** The content, mode and time of each file that holds data. */
const filesOf = () =>
  readdirSync(directory.path)
    .filter((name) => !/\.(?:lock|pid)$/.test(name))
    .sort()
    .map((name) => {
      const { mode, mtimeMs } = statSync(join(directory.path, name));
      return [name, mode, mtimeMs, readFileSync(join(directory.path, name), "base64")];
    });

describe("opening the database of a killed server of an earlier version", () => {
  test.each(SCHEMAS)("shows the history of schema %d", async (schema) => {
    const old = restore(schema);
    expect(old.schema).toBe(schema);
    expect(new Set(old.deployments.map(({ state }) => state)).size).toBe(7);
    const store = await openSqlite(directory.path);
    for (const { id, sha256, ...row } of old.deliveries) {
      const found = await store.readDelivery(id);
      expect(found).toMatchObject({
        ...{ source: row.source, event: row.event, status: row.status, client: row.client },
        ...{ receivedAt: new Date(row.received_at), redeliveryOf: row.redelivery_of },
        headers: JSON.parse(String(row.headers)),
        deployments: old.deployments.filter(({ delivery }) => delivery === id).map((each) => each.id),
      });
      expect(found?.identity?.id ?? null).toBe(row.provider_id as string | null);
      expect(
        createHash("sha256")
          .update(found?.body ?? "")
          .digest("hex"),
      ).toBe(sha256);
    }
    for (const { id, reason, state } of old.deployments) {
      const found = await store.readDeployment(id);
      expect(found?.state as string).toBe(state);
      // Until schema 3, the sentence was stored. The first version did not know why it had stopped.
      const words = schema > 3 ? found?.reason : found && describeResult(found);
      expect(words ?? null).toBe(reason?.replace("hooklatch stopped", "hooklatch was stopped") ?? null);
    }
    await store.close();
    const { schema: opened, deployments, ...same } = readHistory(file);
    expect(opened).toBe(NEWEST);
    const { schema: _, deployments: oldDeployments, ...before } = old;
    expect(same).toEqual(before);
    const withoutReason = (rows: typeof deployments) => rows.map(({ reason: _reason, ...row }) => row);
    expect(withoutReason(deployments)).toEqual(withoutReason(oldDeployments));
    for (const part of ["deliveries", "steps", "output", "clients", "live"] as const) {
      expect([part, before[part].length > 0]).toEqual([part, true]);
    }
    expect([before.locks.length > 0, before.notifications.length > 0]).toEqual([schema > 1, schema > 1]);
  });
});

/** Turns the database into that of a version to come, and leaves the last change in the write-ahead log. */
function makeNewer(writer: string | null): void {
  const { stdout, exitCode } = Bun.spawnSync([
    process.execPath,
    "-e",
    `import { Database } from "bun:sqlite";
     const database = new Database(${JSON.stringify(file)});
     database.run("PRAGMA journal_mode = WAL");
     database.run("CREATE TABLE to_come (a INTEGER) STRICT");
     ${writer === null ? "" : `database.run("INSERT INTO upgrade VALUES (${NEWEST + 1}, '${writer}')");`}
     database.run("PRAGMA user_version = ${NEWEST + 1}");
     process.kill(process.pid, "SIGKILL");`,
  ]);
  if (exitCode === 0) throw new Error(`the writer was not killed: ${stdout}`);
  rmSync(`${file}-shm`, { force: true });
}

describe("a database of a newer version", () => {
  test.each([
    ["0.9.7", "in a file"],
    ["0.9.7", "in the write-ahead log"],
    [null, "in the write-ahead log"],
  ] as const)("is refused and stays as it is, byte for byte: %p %s", async (writer, place) => {
    restore(7);
    await (await openSqlite(directory.path)).close();
    makeNewer(writer);
    if (place === "in a file") {
      using database = new Database(file);
      database.run("PRAGMA wal_checkpoint(TRUNCATE)");
      database.close();
    }
    const before = filesOf();
    expect(before.length).toBe(place === "in a file" ? 1 : 2);
    const error = await openSqlite(directory.path).then(
      () => null,
      (thrown) => thrown,
    );
    expect(error).toMatchObject({ code: "failed" });
    expect(filesOf()).toEqual(before);
    const text = words(error.message, { [file]: "<database>", [`hooklatch ${version}`]: "hooklatch <this>" });
    expect(numbersIn(text.replaceAll("0.9.7", ""))).toEqual([NEWEST + 1, NEWEST]);
    expect(text.includes("0.9.7")).toBe(writer !== null);
    expect(text).toMatchSnapshot();
  });

  test("stores the version that upgraded the file", async () => {
    restore(7);
    await (await openSqlite(directory.path)).close();
    using database = new Database(file);
    expect(database.query("SELECT schema, hooklatch FROM upgrade").values()).toEqual([[NEWEST, version]]);
  });
});

describe("an upgrade that is interrupted", () => {
  // The statements of an upgrade from 1 are about a dozen.
  test.each([1, 4, 8, 12])("by kill -9 before statement %d leaves the old database", async (statement) => {
    restore(1);
    const before = dump(file);
    const script = join(import.meta.dir, "kill-upgrade.ts");
    const child = Bun.spawnSync([process.execPath, script, file, String(statement)]);
    expect([child.signalCode as string, child.stderr.toString()]).toEqual(["SIGKILL", ""]);
    expect(dump(file)).toEqual(before);
    const store = await openSqlite(directory.path);
    expect((await store.readDeployment(1))?.target).toBe("blog");
    await store.close();
    expect(readHistory(file).schema).toBe(NEWEST);
  });

  test.skipIf(!isPossible.small)(
    "by a full disk leaves the old database (needs root that may mount)",
    async () => {
      const disk = new SmallDisk(4);
      try {
        const full = restoreHistory(1, disk.path);
        const before = dump(full);
        disk.fill();
        await expect(openSqlite(disk.path)).rejects.toMatchObject({ code: "failed" });
        expect(dump(full)).toEqual(before);
        disk.free();
        await (await openSqlite(disk.path)).close();
        expect(readHistory(full).schema).toBe(NEWEST);
      } finally {
        disk.unmount();
      }
    },
  );

  test("by a fault leaves the old database", async () => {
    restore(7);
    using database = new Database(file);
    // A migration creates a table of this name.
    database.run("CREATE TABLE body_block (a INTEGER) STRICT");
    database.run("PRAGMA wal_checkpoint(TRUNCATE)");
    const before = dump(file);
    await expect(openSqlite(directory.path)).rejects.toThrow("body_block");
    expect(dump(file)).toEqual(before);
  });
});

test("an empty file becomes a database", async () => {
  writeFileSync(join(directory.path, "hooklatch.db"), "");
  await (await openSqlite(directory.path)).close();
  expect(readHistory(join(directory.path, "hooklatch.db")).schema).toBe(NEWEST);
});
