import { afterEach, beforeEach, expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { words } from "../support/words.ts";
import { runHooklatch } from "./command-line.ts";

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "hooklatch-store-"));
});
afterEach(() => rmSync(root, { recursive: true }));

test("store copy needs [store] url, and says where to; it creates nothing", async () => {
  writeFileSync(join(root, "hooklatch.toml"), "");
  const outputs: string[] = [];
  for (const line of ["store copy --to postgres", "store copy", "store copy --to mysql"]) {
    const { exitCode, stdout, stderr } = await runHooklatch(line, { cwd: root });
    expect([exitCode, stdout]).toEqual([2, ""]);
    outputs.push(stderr);
  }
  expect(existsSync(join(root, "hooklatch-data"))).toBe(false);
  expect(words(outputs.join(""))).toMatchSnapshot();
});

test("store copy reports a database that cannot be reached, without the password", async () => {
  writeFileSync(join(root, "hooklatch.toml"), '[store]\nurl = "env:DATABASE_URL"');
  const env = {
    DATABASE_URL: "postgres://hooklatch:database-password@127.0.0.1:1/hooklatch",
    HOOKLATCH_ADMIN_TOKEN: "0123456789abcdef0123",
    GITHUB_WEBHOOK_SECRET: "0123456789abcdef4567",
    WEBHOOK_VERIFY_TOKEN: "0123456789abcdef89ab",
  };
  const { exitCode, stdout, stderr } = await runHooklatch("store copy --to postgres", { cwd: root, env });
  expect([exitCode, stdout]).toEqual([1, ""]);
  expect(stderr).not.toContain("database-password");
  expect(words(stderr)).toMatchSnapshot();
});

test("backup refuses with [store] url, also where a SQLite file of earlier is left", async () => {
  writeFileSync(join(root, "hooklatch.toml"), '[store]\nurl = "env:DATABASE_URL"');
  mkdirSync(join(root, "hooklatch-data"), { mode: 0o700 });
  writeFileSync(join(root, "hooklatch-data/hooklatch.db"), "");
  const { exitCode, stdout, stderr } = await runHooklatch("backup copy.db", { cwd: root });
  expect([exitCode, stdout, existsSync(join(root, "copy.db"))]).toEqual([2, "", false]);
  expect(words(stderr)).toMatchSnapshot();
});
