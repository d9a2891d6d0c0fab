import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { explainToken } from "../../src/cli/commands/dashboard.ts";
import { words } from "../support/words.ts";
import { AdminServer, errorResponse, TOKEN } from "./admin-server.ts";
import { runHooklatch } from "./command-line.ts";

let server: AdminServer;
let cwd: string;

const PAGE = new Response("<!doctype html>", { headers: { "content-type": "text/html" } });

beforeEach(() => {
  server = new AdminServer();
  server.respondWith({ "GET /": PAGE });
  cwd = mkdtempSync(join(tmpdir(), "hooklatch-test-"));
});

afterEach(async () => {
  await server.close();
  rmSync(cwd, { recursive: true });
});

/** Writes a configuration of the server, whose token is in a file or in the environment. */
function configure(token: string | null): string {
  const file = join(cwd, "hooklatch.toml");
  const line = token === null ? "" : `token = "${token}"\n`;
  writeFileSync(file, `data_dir = "data"\n[admin]\nport = ${new URL(server.url).port}\n${line}`);
  mkdirSync(join(cwd, "data/secrets"), { recursive: true });
  writeFileSync(join(cwd, "data/secrets/admin.token"), TOKEN);
  chmodSync(join(cwd, "data/secrets/admin.token"), 0o600);
  return file;
}

describe("hooklatch dashboard", () => {
  test("prints the address, where the token is, and a tunnel, but never the token", async () => {
    const { exitCode, stdout, stderr } = await runHooklatch(["dashboard", "--config", configure(null)], {
      cwd,
    });
    expect([exitCode, stderr]).toEqual([0, ""]);
    const { port } = new URL(server.url);
    expect(stdout).toStartWith(`${server.url}/\n`);
    expect(stdout).toContain(`cat ${join(cwd, "data/secrets/admin.token")}\n`);
    expect(stdout).toMatch(new RegExp(`^  ssh -N -L ${port}:127\\.0\\.0\\.1:${port} \\S+@\\S+$`, "m"));
    expect(stdout).not.toContain(TOKEN);
    expect(server.requests.map(({ path }) => path)).toEqual(["/"]);
  });

  test("names the variable of a token in the environment", async () => {
    const file = configure("env:ADMIN_TOKEN");
    const { stdout } = await runHooklatch(["dashboard", "--config", file], {
      cwd,
      env: { ADMIN_TOKEN: TOKEN },
    });
    expect(stdout).toContain("the value of $ADMIN_TOKEN in the environment of the server");
    expect(stdout).not.toContain(TOKEN);
  });

  test("prints no tunnel for another machine's address", async () => {
    const { exitCode, stdout } = await runHooklatch(["dashboard", "--admin-url", server.url], {
      cwd,
      env: server.env,
    });
    expect(exitCode).toBe(0);
    expect(stdout).toStartWith(`${server.url}/\n`);
    expect(stdout).not.toContain("ssh");
    expect(stdout).not.toContain(TOKEN);
  });

  test.each([
    ["is off", () => errorResponse(404, "not found")],
    ["rejects the token", () => errorResponse(401, "not authorised")],
    ["responds otherwise", () => errorResponse(500, "internal error")],
  ])("fails where the dashboard %s", async (_what, response) => {
    server.respondWith({ "GET /": response });
    const { exitCode, stdout, stderr } = await runHooklatch(["dashboard", "--config", configure(null)], {
      cwd,
    });
    expect([exitCode, stdout]).toEqual([1, ""]);
    expect(words(stderr).replace(/:\d+/, ":<port>")).toMatchSnapshot();
  });

  test("fails where no server runs", async () => {
    const file = configure(null);
    await server.close();
    const { exitCode, stdout, stderr } = await runHooklatch(["dashboard", "--config", file], { cwd });
    expect([exitCode, stdout]).toEqual([1, ""]);
    expect(stderr).toContain("is the server running?");
  });
});

describe("explainToken", () => {
  test.each([
    ["file:/srv/my data/admin.token", "cat '/srv/my data/admin.token'"],
    ["file:/srv/data/admin.token", "cat /srv/data/admin.token"],
    ["credential:admin", "the credential admin of the service"],
    ["$HOOKLATCH_ADMIN_TOKEN", "the value of $HOOKLATCH_ADMIN_TOKEN"],
    ["[literal secret]", "token in [admin] of the configuration"],
  ])("%s", (origin, text) => {
    expect(explainToken(origin)).toBe(text);
  });
});
