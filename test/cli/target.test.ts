import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { currentUser } from "../../src/lib/os-user.ts";
import { words } from "../support/words.ts";
import {
  AdminServer,
  deploymentJson,
  errorResponse,
  logStream,
  page,
  queuedJson,
  TOKEN,
  targetJson,
} from "./admin-server.ts";
import { runHooklatch, UNPRINTABLE } from "./command-line.ts";

let server: AdminServer;

beforeEach(() => {
  server = new AdminServer();
});

afterEach(() => server.close());

function hooklatch(args: readonly string[], terminal: Partial<Parameters<typeof runHooklatch>[1]> = {}) {
  const env = { ...server.env, ...terminal.env };
  return runHooklatch([...args, "--admin-url", server.url], { cwd: "/", ...terminal, env });
}

const listPosts = () => server.requests.filter(({ method }) => method === "POST");

describe("hooklatch target list", () => {
  test("lists the live release, the state and the lock of each target", async () => {
    const lock = {
      reason: "freeze",
      by: "ada",
      since: "2026-11-21T20:00:00.000Z",
      until: "2026-11-22T20:00:00.000Z",
    };
    server.respondWith({
      "GET /api/targets": page(
        targetJson({ running: 13, queued: 14 }),
        targetJson({ name: "docs", branch: null, tag: "v*", locked: lock }),
        targetJson({
          name: "new",
          live: null,
          last: { id: 9, state: "failed", code: "ref_missing", reason: "no branch", ended_at: null },
        }),
      ),
    });
    const { exitCode, stdout, stderr } = await hooklatch(["target", "list"]);
    expect([exitCode, stderr]).toEqual([0, ""]);
    const [, blog = [], docs = [], fresh = []] = stdout.split("\n").map((row) => row.split(/ {2,}/));
    const live = /0123456789ab.* 2026-11-21T20:30:00\.000Z/;
    expect([blog.length, docs.length, fresh.length]).toEqual([5, 5, 5]);
    expect([blog[0], blog[1], blog[4]]).toEqual(["blog", "main", "-"]);
    expect(blog[2]).toMatch(live);
    expect(blog[3]).toMatch(/running #13.*queued #14/);
    expect(docs[0]).toBe("docs");
    expect(docs[1]).toContain("v*");
    expect(docs[2]).toMatch(live);
    for (const fact of ["ada", "2026-11-22T20:00:00.000Z", "freeze"]) expect(docs[4]).toContain(fact);
    expect([fresh[0], fresh[1], fresh[4]]).toEqual(["new", "main", "-"]);
    for (const fact of ["9", "failed", "no branch"]) expect(fresh[3]).toContain(fact);
    expect(stdout).toMatchSnapshot();
  });

  test("prints the API response with --json, with control characters escaped", async () => {
    const items = [targetJson({ branch: "\u001b[2Jmain\u202e" })];
    server.respondWith({ "GET /api/targets": page(...items) });
    const { stdout } = await hooklatch(["target", "list", "--json"]);
    expect(JSON.parse(stdout)).toEqual({ items, next: null });
    expect(stdout).not.toMatch(UNPRINTABLE);
    expect(stdout.split("\n")).toHaveLength(2);
  });

  test("requests every page of the list", async () => {
    const names = Array.from({ length: 3 }, (_, at) => `site-${at}`);
    server.respondWith({
      "GET /api/targets": ({ path }) => {
        const before = Number(new URL(path, server.url).searchParams.get("before"));
        const next = before + 1 < names.length ? before + 1 : null;
        return Response.json({ items: [targetJson({ name: names[before] })], next });
      },
    });
    const { stdout, stderr } = await hooklatch(["target", "list"]);
    expect(stdout.split("\n").map((line) => line.split(" ")[0])).toEqual(["NAME", ...names, ""]);
    expect(stderr).toBe("");
    expect(server.requests[0]?.path).toBe("/api/targets?limit=500");
    const json = JSON.parse((await hooklatch(["target", "list", "--json"])).stdout);
    expect(json).toEqual({ items: names.map((name) => targetJson({ name })), next: null });
  });

  test("reports an empty list on standard error", async () => {
    server.respondWith({ "GET /api/targets": page() });
    const { exitCode, stdout, stderr } = await hooklatch(["target", "list"]);
    expect([exitCode, stdout]).toEqual([0, ""]);
    expect(words(stderr)).toMatchSnapshot();
    expect((await hooklatch(["target", "list", "--json"])).stdout).toBe('{"items":[],"next":null}\n');
  });
});

describe("hooklatch target show", () => {
  test("shows all properties, and marks the live release", async () => {
    const releases = ["20261121T203000Z-0123456789ab", "20261120T203000Z-fedcba987654"];
    server.respondWith({ "GET /api/targets/blog": Response.json({ ...targetJson(), releases }) });
    const { exitCode, stdout } = await hooklatch(["target", "show", "blog"]);
    expect(exitCode).toBe(0);
    expect(stdout).toContain("  /srv/blog\n");
    expect(stdout).toMatch(/2026-11-21T20:30:00\.000Z.*\b11\b.*succeeded/);
    expect(stdout).toEndWith(`\n* ${releases[0]}\n  ${releases[1]}\n`);
    expect(stdout).toMatchSnapshot();
  });

  test.each([
    ["a similar name", "blgo", ["blog"]],
    ["another name", "nonsense", ["blog", "docs"]],
    ["a name with a slash", "a/b", ["blog", "docs"]],
  ])("exits with 1 and suggests existing targets for %s", async (_, name, suggestions) => {
    server.respondWith({ "GET /api/targets": page(targetJson(), targetJson({ name: "docs" })) });
    const { exitCode, stdout, stderr } = await hooklatch(["target", "show", name]);
    expect([exitCode, stdout]).toEqual([1, ""]);
    expect(stderr).toContain(name);
    expect(["blog", "docs"].filter((target) => stderr.includes(target))).toEqual(suggestions);
    expect(words(stderr)).toMatchSnapshot();
  });
});

describe("hooklatch target deploy", () => {
  beforeEach(() => {
    server.respondWith({
      "POST /api/targets/blog/deploy": Response.json(queuedJson(), { status: 202 }),
    });
  });

  test("queues a deployment and shows how to follow it", async () => {
    const { exitCode, stdout } = await hooklatch([
      "target",
      "deploy",
      "blog",
      "--commit",
      "0123ABC",
      "--force",
    ]);
    expect(exitCode).toBe(0);
    expect(stdout).toContain("hooklatch deployment log 12 --follow");
    expect(stdout).toMatchSnapshot();
    expect(listPosts()).toMatchObject([{ body: { commit: "0123abc", force: true } }]);
  });

  test("exits with 1 and shows the owner and the reason of the lock when the target is locked", async () => {
    server.respondWith({
      "POST /api/targets/blog/deploy": errorResponse(409, "locked", "locked by ada: release freeze"),
    });
    const { exitCode, stderr } = await hooklatch(["target", "deploy", "blog"]);
    expect(exitCode).toBe(1);
    for (const fact of ["ada", "release freeze", "hooklatch target unlock blog", "--force"]) {
      expect(stderr).toContain(fact);
    }
    expect(words(stderr)).toMatchSnapshot();
  });

  test.each(["0123", "nonsense", "-x"])(
    "exits with 2 and sends no request with --commit %p",
    async (commit) => {
      const { exitCode, stdout } = await hooklatch(["target", "deploy", "blog", `--commit=${commit}`]);
      expect([exitCode, stdout, listPosts()]).toEqual([2, "", []]);
    },
  );

  test("rejects --follow together with --json", async () => {
    const { exitCode } = await hooklatch(["target", "deploy", "blog", "--follow", "--json"]);
    expect([exitCode, listPosts()]).toEqual([2, []]);
    const { stdout } = await hooklatch(["target", "deploy", "blog", "--json"]);
    expect(JSON.parse(stdout)).toEqual(queuedJson());
  });

  test("prints the output with --follow, and exits with 1 when the deployment fails", async () => {
    const queued = Response.json(queuedJson(), { status: 202 });
    const end = { state: "failed", code: "step_failed", reason: 'step "npm test" exited with 1' };
    server.respondWith({
      "POST /api/targets/blog/deploy": queued,
      "GET /api/deployments/12": Response.json(deploymentJson()),
      "GET /api/deployments/12/log": logStream(["one", "two"], { end }),
    });
    const { exitCode, stdout, stderr } = await hooklatch(["target", "deploy", "blog", "--follow"]);
    expect([exitCode, stdout]).toEqual([1, "one\ntwo\n"]);
    expect(stderr).toContain(end.reason);
    expect(words(stderr)).toMatchSnapshot();
  });
});

describe("hooklatch target rollback", () => {
  const queued = () => Response.json(queuedJson(), { status: 202 });

  test("waits for the deployment and shows the release that is live again", async () => {
    server.respondWith({
      "POST /api/targets/blog/rollback": queued(),
      "GET /api/deployments/12/log": logStream(["a line"], {
        end: { state: "succeeded", code: null, reason: null },
      }),
      "GET /api/deployments/12": Response.json(deploymentJson({ trigger: "rollback" })),
    });
    const release = "20261121T203000Z-0123456789ab";
    const { exitCode, stdout, stderr } = await hooklatch(["target", "rollback", "blog", release]);
    expect([exitCode, stderr]).toEqual([0, ""]);
    for (const fact of ["blog", release, "commit 0123456789ab", "12"]) expect(stdout).toContain(fact);
    expect(stdout).toMatchSnapshot();
    expect(listPosts()).toMatchObject([{ body: { release } }]);
    expect(JSON.parse((await hooklatch(["target", "rollback", "blog", "--json"])).stdout)).toMatchObject({
      id: 12,
    });
  });

  test("exits with 1 and the reason when it fails or is impossible", async () => {
    server.respondWith({
      "POST /api/targets/blog/rollback": queued(),
      "GET /api/deployments/12/log": logStream([], {
        end: { state: "failed", code: "health_check_failed", reason: "unhealthy" },
      }),
    });
    const failed = await hooklatch(["target", "rollback", "blog"]);
    expect(failed).toMatchObject({ exitCode: 1, stdout: "" });
    expect(failed.stderr).toContain("unhealthy");
    expect(words(failed.stderr)).toMatchSnapshot();
    const reason = "there is no release before the live one";
    server.respondWith({ "POST /api/targets/blog/rollback": errorResponse(409, "impossible", reason) });
    expect(await hooklatch(["target", "rollback", "blog"])).toMatchObject({
      exitCode: 1,
      stderr: `hooklatch: ${reason}\n`,
    });
  });
});

describe("hooklatch target lock and unlock", () => {
  const locked = (until: string | null, own: Readonly<Record<string, unknown>> = {}) =>
    Response.json({
      status: "locked",
      deliveries: "held",
      replaced: null,
      ...own,
      target: targetJson({
        locked: { reason: "freeze", by: "ada", since: "2026-11-21T20:00:00.000Z", until },
      }),
    });

  test("lock sends the user and the duration, and shows when the lock expires", async () => {
    server.respondWith({ "POST /api/targets/blog/lock": locked("2026-11-21T22:00:00.000Z") });
    const line = ["target", "lock", "blog", "--reason", "release freeze", "--for", "2h"];
    const temporary = await hooklatch(line);
    expect(temporary).toMatchObject({ exitCode: 0, stderr: "" });
    for (const fact of ["2026-11-21T22:00:00.000Z", "hooklatch target unlock blog"]) {
      expect(temporary.stdout).toContain(fact);
    }
    const by = `${currentUser().USER}@${hostname()}`;
    expect(listPosts()).toMatchObject([{ body: { reason: "release freeze", for: "2h", by } }]);
    server.respondWith({ "POST /api/targets/blog/lock": locked(null) });
    const permanent = await hooklatch(["target", "lock", "blog", "--reason", "x", "--by", "ada"]);
    expect(listPosts().at(-1)?.body).toEqual({ reason: "x", by: "ada" });
    expect(temporary.stdout + permanent.stdout).toMatchSnapshot();
  });

  test("lock shows the lock that it replaces, and what happens to deliveries that are queued in order", async () => {
    const since = "2026-11-21T20:00:00.000Z";
    const replaced = { reason: "\u001b[2Jmigration", by: "bob", since, until: "2026-11-21T21:00:00.000Z" };
    server.respondWith({ "POST /api/targets/blog/lock": locked(null, { deliveries: "queued", replaced }) });
    const { stdout } = await hooklatch(["target", "lock", "blog", "--reason", "freeze"]);
    for (const fact of ["queue", "bob", "2026-11-21T21:00:00.000Z", "\\u001b[2Jmigration"]) {
      expect(stdout).toContain(fact);
    }
    expect(stdout).not.toMatch(/stored but not deployed/);
    expect(stdout).toMatchSnapshot();
  });

  test.each([
    [[]],
    [["--reason", " "]],
    [["--reason", "x", "--for", "soon"]],
    [["--reason", "x", "--for", "0h"]],
  ])("lock exits with 2 and sends no request with the options %j", async (options) => {
    const { exitCode, stderr } = await hooklatch(["target", "lock", "blog", ...options]);
    expect([exitCode, server.requests]).toEqual([2, []]);
    expect(stderr).toStartWith("hooklatch: ");
  });

  test("unlock shows the reason in the response, and reports a target that is not locked", async () => {
    server.respondWith({
      "POST /api/targets/blog/unlock": Response.json({
        status: "unlocked",
        deployment: 14,
        reason: "deployment 14 deploys what came meanwhile",
      }),
    });
    const unlocked = await hooklatch(["target", "unlock", "blog"]);
    expect(unlocked.exitCode).toBe(0);
    expect(unlocked.stdout).toContain("deployment 14 deploys what came meanwhile\n");
    expect(unlocked.stdout).toMatchSnapshot();
    server.respondWith({
      "POST /api/targets/blog/unlock": Response.json({
        status: "unlocked",
        deployment: null,
        reason: "there was \u001b[31mnothing to queue",
      }),
    });
    expect((await hooklatch(["target", "unlock", "blog"])).stdout).toContain(
      "there was \\u001b[31mnothing to queue\n",
    );
    server.respondWith({ "POST /api/targets/blog/unlock": errorResponse(409, "not locked") });
    const notLocked = await hooklatch(["target", "unlock", "blog"]);
    expect(notLocked.exitCode).toBe(1);
    expect(notLocked.stderr).toContain("blog");
    expect(words(notLocked.stderr)).toMatchSnapshot();
  });
});

describe("a command that uses the admin API", () => {
  test("names the origin of a token that the server rejects", async () => {
    const { exitCode, stdout, stderr } = await hooklatch(["target", "list"], {
      env: { HOOKLATCH_ADMIN_TOKEN: "another server's token" },
    });
    expect([exitCode, stdout]).toEqual([1, ""]);
    for (const fact of [server.url, "$HOOKLATCH_ADMIN_TOKEN"]) expect(stderr).toContain(fact);
    expect(stderr).not.toContain("another server's token");
    expect(words(stderr)).toMatchSnapshot();
  });

  test("reads the address and the token of the server from the configuration", async () => {
    const directory = mkdtempSync(join(tmpdir(), "hooklatch-test-"));
    try {
      const { port } = new URL(server.url);
      const configure = (port: string) =>
        writeFileSync(join(directory, "hooklatch.toml"), `[admin]\nport = ${port}\ntoken = "env:ADMIN"\n`);
      configure(port);
      server.respondWith({ "GET /api/targets": page(targetJson()) });
      const list = (token: string) => runHooklatch("target list", { cwd: directory, env: { ADMIN: token } });
      expect((await list(TOKEN)).exitCode).toBe(0);
      const stranger = await list("another server's token");
      expect(stranger.exitCode).toBe(1);
      expect(stranger.stderr).toContain("env:ADMIN");
      configure("0");
      const unknownPort = await list(TOKEN);
      expect(unknownPort).toMatchObject({ exitCode: 2, stdout: "" });
      expect(unknownPort.stderr).toContain("--admin-url");
      expect(words(stranger.stderr + unknownPort.stderr)).toMatchSnapshot();
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  test.each([
    ["503", errorResponse(503, "unavailable"), [/unavailable/]],
    ["421", errorResponse(421, "misdirected request"), []],
    ["500 with an id", Response.json({ status: "internal error", id: "f00" }, { status: 500 }), [/\bf00\b/]],
    ["502 with a body of HTML", new Response("<html>", { status: 502 }), [/\b502\b/]],
    ["an item without properties", Response.json({ items: [{}], next: null }), []],
    ["a redirect", new Response("", { status: 302, headers: { location: "/elsewhere" } }), [/\b302\b/]],
  ])("exits with 1 and one line for an unexpected response: %s", async (_, response, facts) => {
    server.respondWith({ "GET /api/targets": response });
    const { exitCode, stdout, stderr } = await hooklatch(["target", "list"]);
    expect([exitCode, stdout]).toEqual([1, ""]);
    for (const fact of [server.url, ...facts]) expect(stderr).toMatch(fact);
    expect(stderr.trim().split("\n")).toHaveLength(1);
    expect(words(stderr)).toMatchSnapshot();
    expect(server.requests).toHaveLength(1);
  });

  test("exits with 2 for an invalid --admin-url, and for a request that the server rejects as invalid", async () => {
    const line = ["target", "list", "--admin-url", "nonsense"];
    const invalidUrl = await runHooklatch(line, { cwd: "/", env: server.env });
    expect(invalidUrl.exitCode).toBe(2);
    expect(invalidUrl.stderr).toContain("--admin-url");
    expect(invalidUrl.stderr).toMatchSnapshot();
    server.respondWith({
      "POST /api/targets/blog/lock": errorResponse(422, "invalid request", "reason: one line"),
    });
    expect(await hooklatch(["target", "lock", "blog", "--reason", "a\nb"])).toMatchObject({
      exitCode: 2,
      stderr: "hooklatch: reason: one line\n",
    });
  });

  test("accepts an --admin-url with a path", async () => {
    server.respondWith({ "GET /hooks/api/targets": page(targetJson()) });
    const line = ["target", "list", "--admin-url", `${server.url}/hooks`];
    expect(await runHooklatch(line, { cwd: "/", env: server.env })).toMatchObject({ exitCode: 0 });
  });

  test.each(["target", "deployment", "delivery", "client", "completion"])(
    "has help with an example and a description of each subcommand: %s",
    async (noun) => {
      const { exitCode, stdout } = await hooklatch([noun, "--help"]);
      expect(exitCode).toBe(0);
      expect(stdout).toMatch(/Examples?:\s+.*hooklatch/);
      for (const [, description] of stdout.matchAll(/^ {2}(?!-)\w+ .*? {2,}(.*)$/gm)) {
        expect(description).toMatch(/\w/);
      }
      expect(stdout).toMatchSnapshot();
    },
  );
});
