import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { zstdDecompressSync } from "node:zlib";
import fc from "fast-check";
import * as bun from "../../src/runtime/bun/index.ts";
import type { Runtime } from "../../src/runtime/contract.ts";
import * as deno from "../../src/runtime/deno/index.ts";

setDefaultTimeout(120_000);

/** Bun has the modules of Node that the other one uses. */
const runtimes: Readonly<Record<string, Runtime>> = { bun, deno };
const COST = { memoryCost: 256, timeCost: 2 };

describe.each(Object.entries(runtimes))("the runtime of %s", (_name, runtime) => {
  test("hashes passwords so that each runtime verifies them", async () => {
    const hash = await runtime.hashArgon2id("correct horse", COST);
    expect(hash).toStartWith("$argon2id$v=19$m=256,t=2,p=1$");
    expect(await runtime.hashArgon2id("correct horse", COST)).not.toBe(hash);
    for (const { verifyArgon2id } of Object.values(runtimes)) {
      expect(await verifyArgon2id("correct horse", hash)).toBe(true);
      for (const wrong of ["correct horses", "", "correct"]) {
        expect(await verifyArgon2id(wrong, hash)).toBe(false);
      }
    }
    await expect(runtime.hashArgon2id("", COST)).rejects.toThrow();
  });

  test("compresses to one frame that names its length", () => {
    for (const size of [0, 1, 300, 100_000]) {
      const bytes = new Uint8Array(size).fill(7);
      const frame = runtime.compressZstd(bytes, 3);
      expect(new Uint8Array(zstdDecompressSync(frame))).toEqual(bytes);
      // Frame_Header_Descriptor: its length is there, or this is a single segment (RFC 8878, section 3.1.1.1.1).
      expect((frame[4] ?? 0) & 0b1110_0000).not.toBe(0);
    }
  });

  test("measures, cuts and breaks text by columns", () => {
    expect(["", "abc", "日本", "é", "👍🏽", "\u001b[31mred\u001b[0m"].map(runtime.stringWidth)).toEqual([
      0, 3, 4, 1, 2, 3,
    ]);
    const text = fc.string({ unit: fc.constantFrom("a", " ", "é", "日", "👍", "word"), maxLength: 30 });
    fc.assert(
      fc.property(text, fc.integer({ min: 2, max: 40 }), (written, columns) => {
        const cut = runtime.truncateColumns(written, columns);
        expect(runtime.stringWidth(cut)).toBeLessThanOrEqual(columns);
        if (runtime.stringWidth(written) <= columns) expect(cut).toBe(written);
        else expect(cut).toEndWith("…");
        for (const line of runtime.wrapColumns(written, columns)) {
          expect(runtime.stringWidth(line)).toBeLessThanOrEqual(columns);
        }
      }),
    );
    expect(runtime.wrapColumns("one two three", 7)).toEqual(["one two", "three"]);
  });

  test("stores whole numbers as integers and every value as it is", () => {
    const database = runtime.openSqlite(":memory:");
    const values = { id: 5, half: 0.5, none: null, text: "é", bytes: new Uint8Array([0, 255]), unused: "x" };
    const row = database
      .prepare<Record<string, unknown>, typeof values>(
        "SELECT 'n' || $id AS joined, $half AS half, $none AS none, $text AS text, $bytes AS bytes",
      )
      .get(values);
    expect({ ...row }).toEqual({ joined: "n5", half: 0.5, none: null, text: "é", bytes: values.bytes });
    database.close();
  });

  test("runs statements, reads row by row, and closes twice", () => {
    const database = runtime.openSqlite(":memory:");
    database.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, a); BEGIN");
    expect(database.inTransaction).toBe(true);
    const insert = database.prepare<never, { a: number }>("INSERT INTO t (a) VALUES ($a)");
    for (const a of [10, 20, 30]) expect(insert.run({ a })).toMatchObject({ changes: 1 });
    expect(Number(insert.run({ a: 40 }).lastInsertRowid)).toBe(4);
    const select = database.prepare<{ a: number }>("SELECT a FROM t ORDER BY id");
    for (const { a } of select.iterate({})) {
      expect(a).toBe(10);
      break;
    }
    database.execute("COMMIT");
    expect(database.inTransaction).toBe(false);
    expect(select.all({}).map(({ a }) => a)).toEqual([10, 20, 30, 40]);
    expect(database.prepare("SELECT a FROM t WHERE id = 9").get({})).toBeNull();
    database.close();
    database.close();
  });

  test("names SQLite's result codes, and those of no other error", () => {
    const directory = mkdtempSync(join(tmpdir(), "hooklatch-runtime-"));
    const codeOf = (act: () => unknown) => {
      try {
        act();
        return "no error";
      } catch (error) {
        return runtime.sqliteErrorCode(error);
      }
    };
    const file = join(directory, "db");
    const first = runtime.openSqlite(file);
    const second = runtime.openSqlite(file);
    first.execute("CREATE TABLE t (a UNIQUE); INSERT INTO t VALUES (1); BEGIN IMMEDIATE");
    expect(codeOf(() => second.execute("BEGIN IMMEDIATE"))).toBe(5);
    first.execute("COMMIT");
    expect(codeOf(() => first.prepare("INSERT INTO t VALUES (1)").run({}))).toBe(2067);
    expect(codeOf(() => first.execute("nonsense"))).toBe(1);
    expect(codeOf(() => runtime.openSqlite(join(directory, "missing/db")))).toBe(14);
    writeFileSync(join(directory, "text"), "no database, but long enough to be one ".repeat(100));
    expect(codeOf(() => runtime.openSqlite(join(directory, "text")).execute("PRAGMA user_version"))).toBe(26);
    expect(runtime.sqliteErrorCode(new Error("database is locked"))).toBeNull();
    for (const database of [first, second]) database.close();
    rmSync(directory, { recursive: true });
  });
});
