import { Database } from "bun:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { chmod, mkdir, open, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { openDatabase } from "../../../src/store/sqlite/open.ts";
import { openSqlite } from "../../../src/store/sqlite/store.ts";
import { makeDirectory } from "../directory.ts";
import { delivery, keep } from "../sample.ts";

let directory: Awaited<ReturnType<typeof makeDirectory>>;
let file: string;

beforeEach(async () => {
  directory = await makeDirectory();
  file = join(directory.path, "hooklatch.db");
});
afterEach(() => directory.remove());

async function modeOf(path: string): Promise<string> {
  return ((await stat(path)).mode & 0o777).toString(8);
}

describe("opening a store", () => {
  test.each(["000", "022", "077"])("makes files for their owner alone under umask %s", async (umask) => {
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
  });

  test("takes a file that others could read away from them", async () => {
    await (await openSqlite(directory.path)).close();
    await chmod(file, 0o644);
    await (await openSqlite(directory.path)).close();
    expect(await modeOf(file)).toBe("600");
  });

  test("leaves everything in one file, beside an empty lock, when it is closed, and may be closed twice", async () => {
    const store = await openSqlite(directory.path);
    const { delivery: id } = await keep(store, delivery());
    await store.close();
    await store.close();
    expect((await readdir(directory.path)).sort()).toEqual(["hooklatch.db", "hooklatch.lock"]);
    expect((await stat(join(directory.path, "hooklatch.lock"))).size).toBe(0);
    using raw = new Database(file, { readonly: true });
    expect(raw.query("SELECT id FROM delivery").all()).toEqual([{ id }]);
  });

  test("flushes every commit to disk, waits for locks, checks references and distrusts the schema", () => {
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

describe("refusing to open", () => {
  test("names a file that is no database and leaves it as it was", async () => {
    const garbage = "this is no database ".repeat(1000);
    await writeFile(file, garbage);
    await expect(openSqlite(directory.path)).rejects.toMatchObject({
      code: "failed",
      message: expect.stringContaining(`${file} is damaged`),
    });
    expect(await readFile(file, "utf8")).toBe(garbage);
  });

  test("names a database whose first page is damaged and says what to do", async () => {
    await (await openSqlite(directory.path)).close();
    const handle = await open(file, "r+");
    await handle.write(Buffer.alloc(3000, 0xff), 0, 3000, 100);
    await handle.close();
    await expect(openSqlite(directory.path)).rejects.toMatchObject({
      code: "failed",
      message: expect.stringMatching(/hooklatch\.db is damaged .* put back a backup/),
    });
  });

  test("names a data directory that cannot be made", async () => {
    const blocked = join(directory.path, "a-file", "data");
    await writeFile(join(directory.path, "a-file"), "");
    await expect(openSqlite(blocked)).rejects.toMatchObject({
      code: "failed",
      message: expect.stringContaining(`${blocked} cannot be opened: ENOTDIR`),
    });
  });

  test("names a database that is a directory", async () => {
    await mkdir(file);
    await expect(openSqlite(directory.path)).rejects.toMatchObject({
      code: "failed",
      message: expect.stringContaining(`${file} cannot be opened`),
    });
  });

  test("adds nothing to another program's database", async () => {
    using theirs = new Database(file);
    theirs.run("CREATE TABLE theirs (a)");
    await expect(openSqlite(directory.path)).rejects.toMatchObject({
      code: "failed",
      message: expect.stringContaining(`${file} is another program's database`),
    });
    expect(theirs.query("SELECT name FROM sqlite_schema").all()).toEqual([{ name: "theirs" }]);
  });
});
