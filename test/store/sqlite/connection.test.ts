import { Database } from "bun:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { chmod, mkdir, open, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { openDatabase } from "../../../src/store/sqlite/connection.ts";
import { openSqlite } from "../../../src/store/sqlite/index.ts";
import { words } from "../../support/words.ts";
import { makeDirectory } from "../directory.ts";
import { delivery, keep, rejection } from "../sample.ts";

let directory: Awaited<ReturnType<typeof makeDirectory>>;
let file: string;

beforeEach(async () => {
  directory = await makeDirectory();
  file = join(directory.path, "hooklatch.db");
});
afterEach(() => directory.remove());

/** Asserts that opening fails with an error that names the path. Returns its message for a snapshot. */
async function readFailure(dataDirectory: string, path: string): Promise<string> {
  const error = await rejection(openSqlite(dataDirectory));
  expect(error).toMatchObject({ code: "failed" });
  expect(error.message).toContain(path);
  return words(error.message, { [directory.path]: "<data_dir>" });
}

async function modeOf(path: string): Promise<string> {
  return ((await stat(path)).mode & 0o777).toString(8);
}

describe("opening a store", () => {
  test.each(["000", "022", "077"])(
    "creates files that only their owner can read under umask %s",
    async (umask) => {
      const data = join(directory.path, "deep", "data");
      const before = process.umask(Number.parseInt(umask, 8));
      try {
        const store = await openSqlite(data);
        await keep(store, delivery());
        expect(await modeOf(data)).toBe("700");
        const names = (await readdir(data)).sort();
        expect(names).toEqual([
          "hooklatch.db",
          "hooklatch.db-shm",
          "hooklatch.db-wal",
          "hooklatch.lock",
          "hooklatch.pid",
        ]);
        for (const name of names) expect(await modeOf(join(data, name))).toBe("600");
        await store.close();
      } finally {
        process.umask(before);
      }
    },
  );

  test("removes the permissions of other users from an existing file", async () => {
    await (await openSqlite(directory.path)).close();
    await chmod(file, 0o644);
    await (await openSqlite(directory.path)).close();
    expect(await modeOf(file)).toBe("600");
  });

  test("leaves one database file and an empty lock file when it is closed, and can be closed twice", async () => {
    const store = await openSqlite(directory.path);
    const { delivery: id } = await keep(store, delivery());
    await store.close();
    await store.close();
    expect((await readdir(directory.path)).sort()).toEqual(["hooklatch.db", "hooklatch.lock"]);
    expect((await stat(join(directory.path, "hooklatch.lock"))).size).toBe(0);
    using raw = new Database(file, { readonly: true });
    expect(raw.query("SELECT id FROM delivery").all()).toEqual([{ id }]);
  });

  test("configures durable commits, a busy timeout, foreign keys and an untrusted schema", () => {
    const connection = openDatabase(file);
    const read = (pragma: string) => Object.values(connection.prepare(`PRAGMA ${pragma}`).get({}) ?? {})[0];
    expect(read("journal_mode")).toBe("wal");
    expect(read("synchronous")).toBe(2);
    expect(read("busy_timeout")).toBe(10_000);
    expect(read("foreign_keys")).toBe(1);
    expect(read("trusted_schema")).toBe(0);
    expect(read("auto_vacuum")).toBe(2);
    connection.close();
  });
});

describe("failing to open a store", () => {
  test("reports a file that is not a database and does not change it", async () => {
    const garbage = "this is no database ".repeat(1000);
    await writeFile(file, garbage);
    expect(await readFailure(directory.path, file)).toMatchSnapshot();
    expect(await readFile(file, "utf8")).toBe(garbage);
  });

  test("reports a database with a damaged first page and a remedy", async () => {
    await (await openSqlite(directory.path)).close();
    const handle = await open(file, "r+");
    await handle.write(Buffer.alloc(3000, 0xff), 0, 3000, 100);
    await handle.close();
    expect(await readFailure(directory.path, file)).toMatchSnapshot();
  });

  test("reports a data directory that cannot be created", async () => {
    const blocked = join(directory.path, "a-file", "data");
    await writeFile(join(directory.path, "a-file"), "");
    const message = await readFailure(blocked, blocked);
    expect(message).toContain("ENOTDIR");
    expect(message).toMatchSnapshot();
  });

  test("reports a database path that is a directory", async () => {
    await mkdir(file);
    expect(await readFailure(directory.path, file)).toMatchSnapshot();
  });

  test("rejects the database of another program and does not change it", async () => {
    using other = new Database(file);
    other.run("CREATE TABLE other (a)");
    expect(await readFailure(directory.path, file)).toMatchSnapshot();
    expect(other.query("SELECT name FROM sqlite_schema").all()).toEqual([{ name: "other" }]);
  });
});
