import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { ourAccount } from "../../src/deploy/account.ts";
import {
  AdminServer,
  deploymentAnswer,
  logStream,
  page,
  refusal,
  TOKEN,
  targetAnswer,
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

const posts = () => server.asked.filter(({ method }) => method === "POST");

describe("hooklatch target list", () => {
  test("tells what is live, what runs, what failed and what is locked", async () => {
    const lock = {
      reason: "freeze",
      by: "ada",
      since: "2026-11-21T20:00:00.000Z",
      until: "2026-11-22T20:00:00.000Z",
    };
    server.answerWith({
      "GET /api/targets": page(
        targetAnswer({ running: 13, queued: 14 }),
        targetAnswer({ name: "docs", branch: null, tag: "v*", locked: lock }),
        targetAnswer({
          name: "new",
          live: null,
          last: { id: 9, state: "failed", reason: "no branch", ended_at: null },
        }),
      ),
    });
    const { exitCode, stdout, stderr } = await hooklatch(["target", "list"]);
    expect([exitCode, stderr]).toEqual([0, ""]);
    expect(stdout.split("\n")).toEqual([
      "NAME  BRANCH   LIVE                                         STATE                           LOCKED",
      "blog  main     0123456789ab since 2026-11-21T20:30:00.000Z  running 13, queued 14           -",
      "docs  tags v*  0123456789ab since 2026-11-21T20:30:00.000Z  idle                            by ada until 2026-11-22T20:00:00.000Z: freeze",
      "new   main     nothing                                      deployment 9 failed: no branch  -",
      "",
    ]);
  });

  test("prints the API's own answer with --json, and nothing that a terminal obeys", async () => {
    const items = [targetAnswer({ branch: "\u001b[2Jmain\u202e" })];
    server.answerWith({ "GET /api/targets": page(...items) });
    const { stdout } = await hooklatch(["target", "list", "--json"]);
    expect(JSON.parse(stdout)).toEqual({ items, next: null });
    expect(stdout).not.toMatch(UNPRINTABLE);
    expect(stdout.split("\n")).toHaveLength(2);
  });

  test("shows all of them, however many pages that takes", async () => {
    const names = Array.from({ length: 3 }, (_, at) => `site-${at}`);
    server.answerWith({
      "GET /api/targets": ({ path }) => {
        const before = Number(new URL(path, server.url).searchParams.get("before"));
        const next = before + 1 < names.length ? before + 1 : null;
        return Response.json({ items: [targetAnswer({ name: names[before] })], next });
      },
    });
    const { stdout, stderr } = await hooklatch(["target", "list"]);
    expect(stdout.split("\n").map((line) => line.split(" ")[0])).toEqual(["NAME", ...names, ""]);
    expect(stderr).toBe("");
    expect(server.asked[0]?.path).toBe("/api/targets?limit=500");
    const json = JSON.parse((await hooklatch(["target", "list", "--json"])).stdout);
    expect(json).toEqual({ items: names.map((name) => targetAnswer({ name })), next: null });
  });

  test("says that there are none on standard error alone", async () => {
    server.answerWith({ "GET /api/targets": page() });
    expect(await hooklatch(["target", "list"])).toEqual({
      exitCode: 0,
      stdout: "",
      stderr: "hooklatch: there are no targets: a [[target]] in the server's configuration makes one\n",
    });
    expect((await hooklatch(["target", "list", "--json"])).stdout).toBe('{"items":[],"next":null}\n');
  });
});

describe("hooklatch target show", () => {
  test("tells everything, with the live release marked", async () => {
    const releases = ["20261121T203000Z-0123456789ab", "20261120T203000Z-fedcba987654"];
    server.answerWith({ "GET /api/targets/blog": Response.json({ ...targetAnswer(), releases }) });
    const { exitCode, stdout } = await hooklatch(["target", "show", "blog"]);
    expect(exitCode).toBe(0);
    expect(stdout).toContain("directory   /srv/blog\n");
    expect(stdout).toContain("locked      no\n");
    expect(stdout).toContain("last        2026-11-21T20:30:00.000Z: deployment 11 succeeded\n");
    expect(stdout).toEndWith(`is live:\n* ${releases[0]}\n  ${releases[1]}\n`);
  });

  test.each([
    ["blgo", "there is no target blgo; did you mean blog?"],
    ["nonsense", "there is no target nonsense; there are blog, docs"],
    ["a/b", "there is no target a/b; there are blog, docs"],
  ])("exits with 1 and names the targets there are for %p", async (name, message) => {
    server.answerWith({ "GET /api/targets": page(targetAnswer(), targetAnswer({ name: "docs" })) });
    const { exitCode, stdout, stderr } = await hooklatch(["target", "show", name]);
    expect([exitCode, stdout, stderr]).toEqual([1, "", `hooklatch: ${message}\n`]);
  });
});

describe("hooklatch target deploy", () => {
  beforeEach(() => {
    server.answerWith({
      "POST /api/targets/blog/deploy": Response.json({ status: "queued", deployment: 12 }, { status: 202 }),
    });
  });

  test("queues it and says how to watch", async () => {
    const { exitCode, stdout } = await hooklatch([
      "target",
      "deploy",
      "blog",
      "--commit",
      "0123ABC",
      "--force",
    ]);
    expect(exitCode).toBe(0);
    expect(stdout).toBe("deployment 12 is queued: hooklatch deployment log 12 --follow shows it\n");
    expect(posts()).toMatchObject([{ body: { commit: "0123abc", force: true } }]);
  });

  test("exits with 1, and says by whom and why, when the target is locked", async () => {
    server.answerWith({
      "POST /api/targets/blog/deploy": refusal(409, "locked", "locked by ada: release freeze"),
    });
    const { exitCode, stderr } = await hooklatch(["target", "deploy", "blog"]);
    expect(exitCode).toBe(1);
    expect(stderr).toBe(
      "hooklatch: target blog is locked by ada: release freeze; hooklatch target unlock blog opens it, --force deploys all the same\n",
    );
  });

  test.each(["0123", "nonsense", "-x"])(
    "exits with 2 and asks for nothing with --commit %p",
    async (commit) => {
      const { exitCode, stdout } = await hooklatch(["target", "deploy", "blog", `--commit=${commit}`]);
      expect([exitCode, stdout, posts()]).toEqual([2, "", []]);
    },
  );

  test("does not follow into a JSON document", async () => {
    const { exitCode } = await hooklatch(["target", "deploy", "blog", "--follow", "--json"]);
    expect([exitCode, posts()]).toEqual([2, []]);
    expect(JSON.parse((await hooklatch(["target", "deploy", "blog", "--json"])).stdout)).toEqual({
      status: "queued",
      deployment: 12,
    });
  });

  test("shows the output with --follow, and exits as the deployment ended", async () => {
    const deploy = Response.json({ status: "queued", deployment: 12 }, { status: 202 });
    const end = { state: "failed", reason: 'step "npm test" exited with 1' };
    server.answerWith({
      "POST /api/targets/blog/deploy": deploy,
      "GET /api/deployments/12/log": logStream(["one", "two"], { end }),
    });
    expect(await hooklatch(["target", "deploy", "blog", "--follow"])).toEqual({
      exitCode: 1,
      stdout: "one\ntwo\n",
      stderr: 'hooklatch: deployment 12 failed: step "npm test" exited with 1\n',
    });
  });
});

describe("hooklatch target rollback", () => {
  const queued = () => Response.json({ status: "queued", deployment: 12 }, { status: 202 });

  test("waits until it is done, and tells the release that is live again", async () => {
    server.answerWith({
      "POST /api/targets/blog/rollback": queued(),
      "GET /api/deployments/12/log": logStream(["a line"], { end: { state: "succeeded", reason: null } }),
      "GET /api/deployments/12": Response.json(deploymentAnswer({ trigger: "rollback" })),
    });
    expect(await hooklatch(["target", "rollback", "blog", "20261121T203000Z-0123456789ab"])).toEqual({
      exitCode: 0,
      stdout: "blog is back at 20261121T203000Z-0123456789ab (deployment 12)\n",
      stderr: "",
    });
    expect(posts()).toMatchObject([{ body: { release: "20261121T203000Z-0123456789ab" } }]);
    expect(JSON.parse((await hooklatch(["target", "rollback", "blog", "--json"])).stdout)).toMatchObject({
      id: 12,
    });
  });

  test("exits with 1 and the reason when it fails, and when it is impossible", async () => {
    server.answerWith({
      "POST /api/targets/blog/rollback": queued(),
      "GET /api/deployments/12/log": logStream([], { end: { state: "failed", reason: "unhealthy" } }),
    });
    expect(await hooklatch(["target", "rollback", "blog"])).toEqual({
      exitCode: 1,
      stdout: "",
      stderr: "hooklatch: deployment 12 failed: unhealthy\n",
    });
    server.answerWith({
      "POST /api/targets/blog/rollback": refusal(
        409,
        "impossible",
        "there is no release before the live one",
      ),
    });
    expect(await hooklatch(["target", "rollback", "blog"])).toMatchObject({
      exitCode: 1,
      stderr: "hooklatch: there is no release before the live one\n",
    });
  });
});

describe("hooklatch target lock and unlock", () => {
  const locked = (until: string | null) =>
    Response.json({
      status: "locked",
      target: targetAnswer({
        locked: { reason: "freeze", by: "ada", since: "2026-11-21T20:00:00.000Z", until },
      }),
    });

  test("lock says until when, and who it was", async () => {
    server.answerWith({ "POST /api/targets/blog/lock": locked("2026-11-21T22:00:00.000Z") });
    const line = ["target", "lock", "blog", "--reason", "release freeze", "--for", "2h"];
    expect(await hooklatch(line)).toEqual({
      exitCode: 0,
      stdout:
        "blog is locked until 2026-11-21T22:00:00.000Z: pushes wait, and hooklatch target unlock blog deploys the newest\n",
      stderr: "",
    });
    const by = `${ourAccount().USER}@${hostname()}`;
    expect(posts()).toMatchObject([{ body: { reason: "release freeze", for: "2h", by } }]);
    server.answerWith({ "POST /api/targets/blog/lock": locked(null) });
    const forever = await hooklatch(["target", "lock", "blog", "--reason", "x", "--by", "ada"]);
    expect(forever.stdout).toBe(
      "blog is locked: pushes wait, and hooklatch target unlock blog deploys the newest\n",
    );
    expect(posts().at(-1)?.body).toEqual({ reason: "x", by: "ada" });
  });

  test.each([
    [[]],
    [["--reason", " "]],
    [["--reason", "x", "--for", "soon"]],
    [["--reason", "x", "--for", "0h"]],
  ])("lock exits with 2 and asks for nothing with the options %p", async (options) => {
    const { exitCode, stderr } = await hooklatch(["target", "lock", "blog", ...options]);
    expect([exitCode, server.asked]).toEqual([2, []]);
    expect(stderr).toStartWith("hooklatch: ");
  });

  test("unlock tells what it queued, and that a target was not locked", async () => {
    server.answerWith({
      "POST /api/targets/blog/unlock": Response.json({
        status: "unlocked",
        deployment: 14,
        reason: "deployment 14 deploys what came meanwhile",
      }),
    });
    expect((await hooklatch(["target", "unlock", "blog"])).stdout).toBe(
      "blog is unlocked: deployment 14 deploys what came meanwhile\n",
    );
    server.answerWith({
      "POST /api/targets/blog/unlock": Response.json({
        status: "unlocked",
        deployment: null,
        reason: "there was \u001b[31mnothing to queue",
      }),
    });
    expect((await hooklatch(["target", "unlock", "blog"])).stdout).toBe(
      "blog is unlocked: there was \\u001b[31mnothing to queue\n",
    );
    server.answerWith({ "POST /api/targets/blog/unlock": refusal(409, "not locked") });
    expect(await hooklatch(["target", "unlock", "blog"])).toMatchObject({
      exitCode: 1,
      stderr: "hooklatch: target blog is not locked\n",
    });
  });
});

describe("a command that talks to a running server", () => {
  test("names where a token was taken from that the server does not know", async () => {
    const { exitCode, stdout, stderr } = await hooklatch(["target", "list"], {
      env: { HOOKLATCH_ADMIN_TOKEN: "another server's token" },
    });
    expect([exitCode, stdout]).toEqual([1, ""]);
    expect(stderr).toBe(
      `hooklatch: ${server.url} does not know the token of $HOOKLATCH_ADMIN_TOKEN: set it to that server's own\n`,
    );
    expect(stderr).not.toContain("another server's token");
  });

  test("is told by the configuration where the server is, and names its token in the same way", async () => {
    const directory = mkdtempSync(join(tmpdir(), "hooklatch-test-"));
    try {
      const { port } = new URL(server.url);
      const configure = (port: string) =>
        writeFileSync(join(directory, "hooklatch.toml"), `[admin]\nport = ${port}\ntoken = "env:ADMIN"\n`);
      configure(port);
      server.answerWith({ "GET /api/targets": page(targetAnswer()) });
      const list = (token: string) => runHooklatch("target list", { cwd: directory, env: { ADMIN: token } });
      expect((await list(TOKEN)).exitCode).toBe(0);
      const stranger = await list("another server's token");
      expect(stranger.exitCode).toBe(1);
      expect(stranger.stderr).toContain("does not know the token of env:ADMIN: is --config the file");
      configure("0");
      expect(await list(TOKEN)).toMatchObject({ exitCode: 2, stdout: "" });
      expect((await list(TOKEN)).stderr).toContain("pass --admin-url as the server's log tells it");
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  test.each([
    [refusal(503, "unavailable"), "cannot do it now: unavailable; try again in a moment"],
    [refusal(421, "misdirected request"), "is not what the server calls itself"],
    [
      Response.json({ status: "internal error", id: "f00" }, { status: 500 }),
      "500 internal error; its log tells more under f00",
    ],
    [new Response("<html>", { status: 502 }), "answered 502, not as an admin listener does"],
    [Response.json({ items: [{}], next: null }), "did not answer as an admin listener does"],
    [new Response("", { status: 302, headers: { location: "/elsewhere" } }), "answered 302"],
  ])("exits with 1 and one line for an answer that it can do nothing with", async (answer, words) => {
    server.answerWith({ "GET /api/targets": answer });
    const { exitCode, stdout, stderr } = await hooklatch(["target", "list"]);
    expect([exitCode, stdout]).toEqual([1, ""]);
    expect(stderr).toContain(words);
    expect(stderr.trim().split("\n")).toHaveLength(1);
    expect(server.asked).toHaveLength(1);
  });

  test("exits with 2 for an --admin-url that is none, and for what only the server can tell is wrong", async () => {
    const line = ["target", "list", "--admin-url", "nonsense"];
    expect(await runHooklatch(line, { cwd: "/", env: server.env })).toMatchObject({
      exitCode: 2,
      stderr: "hooklatch: --admin-url: expected a URL such as http://127.0.0.1:9001\n",
    });
    server.answerWith({ "POST /api/targets/blog/lock": refusal(422, "invalid request", "reason: one line") });
    expect(await hooklatch(["target", "lock", "blog", "--reason", "a\nb"])).toMatchObject({
      exitCode: 2,
      stderr: "hooklatch: reason: one line\n",
    });
  });

  test("finds an API that a proxy has below a path", async () => {
    server.answerWith({ "GET /hooks/api/targets": page(targetAnswer()) });
    const line = ["target", "list", "--admin-url", `${server.url}/hooks`];
    expect(await runHooklatch(line, { cwd: "/", env: server.env })).toMatchObject({ exitCode: 0 });
  });

  test.each(["target", "deployment", "delivery", "client", "completion"])(
    "has an example and a description of each verb in the help of %s",
    async (noun) => {
      const { exitCode, stdout } = await hooklatch([noun, "--help"]);
      expect(exitCode).toBe(0);
      expect(stdout).toMatch(/Examples?:\s+.*hooklatch/);
      for (const [, meaning] of stdout.matchAll(/^ {2}(?!-)\w+ .*? {2,}(.*)$/gm))
        expect(meaning).toMatch(/\w/);
    },
  );
});
