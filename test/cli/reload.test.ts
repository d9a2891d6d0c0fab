import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { words } from "../support/words.ts";
import { AdminServer, errorResponse } from "./admin-server.ts";
import { runHooklatch } from "./command-line.ts";

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "hooklatch-reload-"));
});

afterEach(() => rmSync(root, { recursive: true }));

const HINTS = ["SIGHUP", "systemctl reload hooklatch", "--admin-url"];

test("reload says how to reach a server whose configuration has another admin port or data_dir", async () => {
  const configure = (toml: string) => writeFileSync(join(root, "hooklatch.toml"), toml);
  const server = new AdminServer();
  const { port } = new URL(server.url);
  await server.close();
  configure(`[admin]\nport = ${port}\ntoken = "env:ADMIN"\n`);
  const otherPort = await runHooklatch("reload", { cwd: root, env: { ADMIN: "a".repeat(32) } });
  configure('data_dir = "other"\n');
  const otherDirectory = await runHooklatch("reload", { cwd: root });
  for (const { exitCode, stdout, stderr } of [otherPort, otherDirectory]) {
    expect([exitCode, stdout]).toEqual([1, ""]);
    for (const fact of HINTS) expect(stderr).toContain(fact);
  }
  const output = otherPort.stderr.replaceAll(port, "<port>") + otherDirectory.stderr;
  expect(words(output.replaceAll(root, "<tmp>"))).toMatchSnapshot();
});

test("reload gives no such hint when the server answers, or with --admin-url", async () => {
  const server = new AdminServer();
  try {
    server.respondWith({ "POST /api/reload": errorResponse(503, "unavailable") });
    const reload = () =>
      runHooklatch(["reload", "--admin-url", server.url], { cwd: root, env: { ...server.env } });
    const busy = await reload();
    await server.close();
    const gone = await reload();
    for (const { exitCode, stderr } of [busy, gone]) {
      expect(exitCode).toBe(1);
      expect(stderr).not.toContain("SIGHUP");
    }
  } finally {
    await server.close();
  }
});
