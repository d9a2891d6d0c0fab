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

/** Starts a server that stops at once, and returns the first entry of its log. */
async function firstEntry(env: Record<string, string>): Promise<unknown> {
  const terminal = { cwd, env, untilStopped: () => Promise.resolve() };
  const { exitCode, stderr } = await runHooklatch("serve", terminal);
  expect(exitCode).toBe(0);
  return JSON.parse(stderr.split("\n")[0] ?? "");
}

test("the log of serve begins with the configuration file", async () => {
  writeFileSync(join(cwd, "hooklatch.toml"), "[server]\nport = 0\n[admin]\nport = 0\n");
  expect(await firstEntry({})).toMatchObject({ level: "info", file: join(cwd, "hooklatch.toml") });
});

test("the log of serve says that there is no configuration file", async () => {
  expect(await firstEntry({ PORT: "0" })).toMatchObject({
    level: "info",
    msg: "no configuration file found; using the defaults",
  });
});
