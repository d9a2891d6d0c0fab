import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runHooklatch } from "./command-line.ts";

let cwd: string;

beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), "hooklatch-test-"));
});

afterEach(() => rmSync(cwd, { recursive: true }));

/** Starts a server that stops at once, and returns the entries of its log. */
async function readLog(env: Record<string, string>): Promise<readonly unknown[]> {
  const terminal = { cwd, env, untilStopped: () => Promise.resolve() };
  const { exitCode, stderr } = await runHooklatch("serve", terminal);
  expect(exitCode).toBe(0);
  return stderr
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
}

test("the log of serve begins with the configuration file", async () => {
  writeFileSync(join(cwd, "hooklatch.toml"), "[server]\nport = 0\n[admin]\nport = 0\n");
  expect((await readLog({}))[0]).toMatchObject({ level: "info", file: join(cwd, "hooklatch.toml") });
});

test("the log of serve says that there is no configuration file", async () => {
  expect((await readLog({ PORT: "0" }))[0]).toMatchObject({
    level: "info",
    msg: "no configuration file found; using the defaults",
  });
});

test("the log of serve says that a configuration without sources leads to the default ones", async () => {
  writeFileSync(join(cwd, "hooklatch.toml"), "# Nothing yet.\n");
  const log = await readLog({ PORT: "0" });
  expect(log[1]).toMatchObject({
    level: "info",
    msg: "the configuration has no [[source]]; using the default sources",
  });
});
