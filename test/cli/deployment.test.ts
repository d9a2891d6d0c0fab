import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { words } from "../support/words.ts";
import {
  AdminServer,
  deploymentJson,
  errorResponse,
  LATER,
  logStream,
  page,
  type RecordedRequest,
} from "./admin-server.ts";
import { runHooklatch, UNPRINTABLE } from "./command-line.ts";

setDefaultTimeout(120_000);

let server: AdminServer;

beforeEach(() => {
  server = new AdminServer();
});

afterEach(() => server.close());

function hooklatch(
  line: string,
  terminal: Partial<Parameters<typeof runHooklatch>[1]> = {},
  listeners: Parameters<typeof runHooklatch>[2] = {},
) {
  return runHooklatch(
    `${line} --admin-url ${server.url}`,
    { cwd: "/", clock: LATER, env: server.env, ...terminal },
    listeners,
  );
}

describe("hooklatch deployment list", () => {
  test("shows the state, commit and reason of each deployment, and how to list more", async () => {
    const items = [
      deploymentJson(),
      deploymentJson({
        id: 11,
        state: "queued",
        commit: null,
        subject: null,
        started_at: null,
        ended_at: null,
      }),
      deploymentJson({
        id: 10,
        state: "failed",
        code: "step_failed",
        reason: 'step "npm test" exited with 1',
      }),
    ];
    server.respondWith({ "GET /api/deployments": Response.json({ items, next: 10 }) });
    const { exitCode, stdout, stderr } = await hooklatch(
      "deployment list --target blog --state failed --limit 3 --before 13",
    );
    expect(exitCode).toBe(0);
    const [, ...rows] = stdout.split("\n").map((row) => row.split(/ {2,}/));
    const fields = ["push", "0123456789ab", "2026-11-21T20:30:00.000Z"];
    expect(rows).toEqual([
      ["12", "blog", "succeeded", ...fields, "2.5 s", "Fix the menu", "-"],
      ["11", "blog", "queued", ...fields, "-", "-", "-"],
      ["10", "blog", "failed", ...fields, "2.5 s", "Fix the menu", 'step "npm test" exited with 1'],
      [""],
    ]);
    expect(stderr).toContain("--before 10");
    expect(stdout + words(stderr)).toMatchSnapshot();
    expect(server.requests[0]?.path).toBe("/api/deployments?target=blog&state=failed&limit=3&before=13");
  });

  test.each(["--state nonsense", "--limit 0", "--limit 501", "--before x", "extra"])(
    "exits with 2 and sends no request with %s",
    async (options) => {
      const { exitCode, stdout } = await hooklatch(`deployment list ${options}`);
      expect([exitCode, stdout, server.requests]).toEqual([2, "", []]);
    },
  );
});

describe("hooklatch deployment show", () => {
  test("shows both commits, the reason and each step", async () => {
    const steps = [
      { command: "npm ci", exit_code: 0, signal: null, milliseconds: 1234 },
      { command: "npm test", exit_code: null, signal: "SIGTERM", milliseconds: 65_000 },
    ];
    const deployment = deploymentJson({
      state: "cancelled",
      code: "cancelled",
      reason: "cancelled by ada",
      steps,
    });
    server.respondWith({ "GET /api/deployments/12": Response.json(deployment) });
    const { exitCode, stdout } = await hooklatch("deployment show 12");
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/ {2}cancelled\n.* {2}cancelled by ada\n/);
    expect(stdout).toContain("hooklatch delivery show 7");
    expect(stdout).toContain(`  ${deployment.previous_commit} -> ${deployment.commit}\n`);
    expect(stdout).toContain("0        1.2 s      npm ci\n");
    expect(stdout).toContain("SIGTERM  1 min 5 s  npm test\n");
    expect(stdout).toMatchSnapshot();
    expect(JSON.parse((await hooklatch("deployment show 12 --json")).stdout)).toEqual(deployment);
  });

  test("describes the trigger event also for targets without events", async () => {
    server.respondWith({
      "GET /api/deployments/12": Response.json(deploymentJson({ trigger: "event" })),
    });
    const { stdout } = await hooklatch("deployment show 12");
    expect(stdout).toMatch(/^trigger +event: .+$/m);
    expect(stdout).not.toMatch(/events name/);
    expect(stdout.match(/^trigger.*$/m)?.[0]).toMatchSnapshot();
  });

  test("exits with 1 for an unknown deployment and with 2 for an invalid number", async () => {
    const unknown = await hooklatch("deployment show 99");
    expect(unknown).toMatchObject({ exitCode: 1, stdout: "" });
    expect(unknown.stderr).toContain("99");
    expect(words(unknown.stderr)).toMatchSnapshot();
    expect((await hooklatch("deployment show x")).exitCode).toBe(2);
  });

  test("escapes control characters in the branch and the reason", async () => {
    const deployment = deploymentJson({ branch: "\u001b]0;owned\u0007\u202emain", reason: "a\nb\u009b2J" });
    server.respondWith({
      "GET /api/deployments/12": Response.json(deployment),
      "GET /api/deployments": page(deployment),
    });
    for (const isTty of [true, false]) {
      for (const line of ["deployment show 12", "deployment list"]) {
        const terminal = { isTty: { stdout: isTty, stderr: isTty }, env: { ...server.env, NO_COLOR: "1" } };
        const { stdout } = await hooklatch(line, terminal);
        expect(stdout).not.toMatch(UNPRINTABLE);
        expect(stdout).toContain("a\\nb\\u009b2J");
      }
    }
  });
});

describe("hooklatch deployment log", () => {
  test("prints the stored output, resets colours at the end of each line, shows concealed text, and reports an empty log", async () => {
    server.respondWith({
      "GET /api/deployments/12/log": new Response("one\n\u001b[31mtwo\u001b[0m\u001b[2J\n\n"),
    });
    const plain = await hooklatch("deployment log 12");
    expect(plain).toEqual({ exitCode: 0, stdout: "one\n\u001b[31mtwo\u001b[0m\u001b[2J\n\n", stderr: "" });
    const coloured = await hooklatch("deployment log 12", { isTty: { stdout: true, stderr: true } });
    expect(coloured.stdout).toBe("one\n\u001b[31mtwo\u001b[0m\\u001b[2J\n\n");
    server.respondWith({
      "GET /api/deployments/12/log": new Response(
        "\u001b[8mhidden\n\u001b[1;8mbold\n\u001b[38;5;8mgrey\u001b[0m\n",
      ),
    });
    const concealed = await hooklatch("deployment log 12", { isTty: { stdout: true, stderr: true } });
    expect(concealed.stdout).toBe("hidden\u001b[0m\n\u001b[1mbold\u001b[0m\n\u001b[38;5;8mgrey\u001b[0m\n");
    server.respondWith({
      "GET /api/deployments/12/log": new Response(""),
      "GET /api/deployments/12": Response.json(deploymentJson({ state: "running" })),
    });
    const empty = await hooklatch("deployment log 12");
    expect(empty).toMatchObject({ exitCode: 0, stdout: "" });
    expect((await hooklatch("deployment log 99")).exitCode).toBe(1);
    const unknown = await hooklatch("deployment log 99 --follow");
    expect(unknown.stderr).toContain("99");
    expect(words(empty.stderr + unknown.stderr)).toMatchSnapshot();
  });

  test("names the running deployment for which a queued one waits", async () => {
    const queued = deploymentJson({ state: "queued" });
    const respondWith = (...running: readonly unknown[]) =>
      server.respondWith({
        "GET /api/deployments/12/log": new Response(""),
        "GET /api/deployments/12": Response.json(queued),
        "GET /api/deployments": ({ path }) => page(...(path.includes("running") ? running : [queued])),
      });
    respondWith(deploymentJson({ id: 11, state: "running" }));
    const behind = await hooklatch("logs blog");
    expect(behind).toMatchObject({ exitCode: 0, stdout: "" });
    for (const fact of ["12", "queued", "hooklatch logs 11"]) expect(behind.stderr).toContain(fact);
    expect(server.requests.at(-1)?.path).toBe(
      "/api/deployments?target=blog&host=web-1&state=running&limit=1",
    );
    respondWith();
    const alone = await hooklatch("deployment log 12");
    expect(alone.stderr).toContain("queued");
    expect(words(behind.stderr + alone.stderr)).toMatchSnapshot();
  });

  test.each([
    ["succeeded", null, null, 0],
    ["failed", "step_failed", 'step "npm test" exited with 1', 1],
    ["superseded", "superseded", "deployment 13 is newer", 1],
    ["cancelled", "cancelled", "cancelled by ada", 1],
    ["cancelled", "paths_unchanged", "no file matches", 1],
    ["interrupted", "shutdown", "the server stopped", 1],
  ])(
    "reports the final state and the reason when it follows the log: %s, %p",
    async (state, code, reason, exitCode) => {
      const end = { state, code, reason };
      server.respondWith({ "GET /api/deployments/12/log": logStream(["one"], { end }) });
      const { stderr, ...result } = await hooklatch("deployment log 12 -f");
      expect(result).toEqual({ exitCode, stdout: "one\n" });
      for (const fact of ["12", reason ?? state]) expect(stderr).toContain(fact);
      expect(words(stderr)).toMatchSnapshot();
    },
  );

  test("resumes an interrupted stream and prints each line once", async () => {
    const lines = ["one", "two", "three", "four"];
    const end = { state: "succeeded", code: null, reason: null };
    const responses = [
      () => logStream(lines.slice(0, 2), {}),
      () => errorResponse(503, "unavailable"),
      // Repeats lines that the client has already received.
      () => logStream(lines.slice(0, 3), {}),
      ({ lastEventId }: RecordedRequest) => logStream(lines, { after: Number(lastEventId), end }),
    ];
    server.respondWith({
      "GET /api/deployments/12/log": (request) =>
        responses.shift()?.(request) ?? errorResponse(500, "internal error"),
    });
    const { exitCode, stdout, stderr } = await hooklatch("deployment log 12 --follow");
    expect([exitCode, stdout]).toEqual([0, "one\ntwo\nthree\nfour\n"]);
    expect(words(stderr)).toMatchSnapshot();
    expect(server.requests.map(({ lastEventId }) => lastEventId)).toEqual([null, "2", "2", "3"]);
  });

  test("exits with 1 when it is stopped, and reports that the deployment continues", async () => {
    const { promise: stopped, resolve: stop } = Promise.withResolvers<void>();
    const open = new ReadableStream({
      start: (controller) => controller.enqueue("id: 1\nevent: line\ndata: one\n\n"),
    });
    server.respondWith({
      "GET /api/deployments/12/log": () =>
        new Response(open, { headers: { "content-type": "text/event-stream" } }),
    });
    const { exitCode, stdout, stderr } = await hooklatch(
      "deployment log 12 --follow",
      { untilStopped: () => stopped },
      { out: () => stop() },
    );
    expect([exitCode, stdout]).toEqual([1, "one\n"]);
    expect(words(stderr)).toMatchSnapshot();
    expect(server.requests).toHaveLength(1);
  });

  test("exits with 1 without a retry when the first connection fails", async () => {
    await server.close();
    const { exitCode, stderr } = await hooklatch("deployment log 12 --follow");
    expect(exitCode).toBe(1);
    expect(stderr).toContain(server.url);
    expect(words(stderr)).toMatchSnapshot();
  });
});

describe("hooklatch deployment cancel", () => {
  test("distinguishes a queued deployment from a running one", async () => {
    const response = (status: string, code: number) =>
      Response.json({ status, deployment: deploymentJson() }, { status: code });
    server.respondWith({ "POST /api/deployments/12/cancel": response("cancelled", 200) });
    const line = "deployment cancel 12 --by ada";
    const queued = await hooklatch(line);
    expect(server.requests[0]?.body).toEqual({ by: "ada" });
    server.respondWith({ "POST /api/deployments/12/cancel": response("cancelling", 202) });
    const running = await hooklatch(line);
    for (const { stdout } of [queued, running]) expect(stdout).toContain("deployment 12");
    expect(queued.stdout).not.toBe(running.stdout);
    expect(queued.stdout + running.stdout).toMatchSnapshot();
  });

  test("exits with 1 for a deployment that has ended", async () => {
    server.respondWith({
      "POST /api/deployments/12/cancel": errorResponse(409, "ended", "deployment 12 has ended: failed"),
    });
    const { exitCode, stdout, stderr } = await hooklatch("deployment cancel 12");
    expect([exitCode, stdout]).toEqual([1, ""]);
    expect(words(stderr)).toMatchSnapshot();
  });
});
