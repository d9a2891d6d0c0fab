import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import {
  AdminServer,
  type Asked,
  deploymentAnswer,
  LATER,
  logStream,
  page,
  refusal,
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
  hears: Parameters<typeof runHooklatch>[2] = {},
) {
  return runHooklatch(
    `${line} --admin-url ${server.url}`,
    { cwd: "/", clock: LATER, env: server.env, ...terminal },
    hears,
  );
}

describe("hooklatch deployment list", () => {
  test("tells the state, the commit and the reason of each, and that there are more", async () => {
    const items = [
      deploymentAnswer(),
      deploymentAnswer({ id: 11, state: "queued", commit: null, started_at: null, ended_at: null }),
      deploymentAnswer({ id: 10, state: "failed", reason: 'step "npm test" exited with 1' }),
    ];
    server.answerWith({ "GET /api/deployments": Response.json({ items, next: 10 }) });
    const { exitCode, stdout, stderr } = await hooklatch(
      "deployment list --target blog --state failed --limit 3 --before 13",
    );
    expect(exitCode).toBe(0);
    expect(stdout.split("\n")).toEqual([
      "ID  TARGET  STATE      TRIGGER  COMMIT        CREATED                   TOOK   REASON",
      "12  blog    succeeded  push     0123456789ab  2026-11-21T20:30:00.000Z  2.5 s  -",
      "11  blog    queued     push     0123456789ab  2026-11-21T20:30:00.000Z  -      -",
      '10  blog    failed     push     0123456789ab  2026-11-21T20:30:00.000Z  2.5 s  step "npm test" exited with 1',
      "",
    ]);
    expect(stderr).toBe("hooklatch: there are more: --before 10 shows them\n");
    expect(server.asked[0]?.path).toBe("/api/deployments?target=blog&state=failed&limit=3&before=13");
  });

  test.each(["--state nonsense", "--limit 0", "--limit 501", "--before x", "extra"])(
    "exits with 2 and asks for nothing with %s",
    async (options) => {
      const { exitCode, stdout } = await hooklatch(`deployment list ${options}`);
      expect([exitCode, stdout, server.asked]).toEqual([2, "", []]);
    },
  );
});

describe("hooklatch deployment show", () => {
  test("tells what it deployed in place of what, why, and each step", async () => {
    const steps = [
      { command: "npm ci", exit_code: 0, signal: null, milliseconds: 1234 },
      { command: "npm test", exit_code: null, signal: "SIGTERM", milliseconds: 65_000 },
    ];
    const answer = deploymentAnswer({ state: "cancelled", reason: "cancelled by ada", steps });
    server.answerWith({ "GET /api/deployments/12": Response.json(answer) });
    const { exitCode, stdout } = await hooklatch("deployment show 12");
    expect(exitCode).toBe(0);
    expect(stdout).toContain("state       cancelled\nreason      cancelled by ada\n");
    expect(stdout).toContain("delivery    7 (hooklatch delivery show 7)\n");
    expect(stdout).toContain(`commit      ${answer.previous_commit} -> ${answer.commit}\n`);
    expect(stdout).toContain("0        1.2 s      npm ci\n");
    expect(stdout).toContain("SIGTERM  1 min 5 s  npm test\n");
    expect(JSON.parse((await hooklatch("deployment show 12 --json")).stdout)).toEqual(answer);
  });

  test("exits with 1 for one that is not there, and with 2 for what is no number", async () => {
    expect(await hooklatch("deployment show 99")).toEqual({
      exitCode: 1,
      stdout: "",
      stderr: "hooklatch: there is no deployment 99: hooklatch deployment list shows those there are\n",
    });
    expect((await hooklatch("deployment show x")).exitCode).toBe(2);
  });

  test("lets no escape sequence of a branch's name reach the terminal", async () => {
    const answer = deploymentAnswer({ branch: "\u001b]0;owned\u0007\u202emain", reason: "a\nb\u009b2J" });
    server.answerWith({
      "GET /api/deployments/12": Response.json(answer),
      "GET /api/deployments": page(answer),
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
  test("prints what is kept, each line's colours to its own end, and says when there is nothing", async () => {
    server.answerWith({
      "GET /api/deployments/12/log": new Response("one\n\u001b[31mtwo\u001b[0m\u001b[2J\n\n"),
    });
    const plain = await hooklatch("deployment log 12");
    expect(plain).toEqual({ exitCode: 0, stdout: "one\n\u001b[31mtwo\u001b[0m\u001b[2J\n\n", stderr: "" });
    const shown = await hooklatch("deployment log 12", { isTty: { stdout: true, stderr: true } });
    expect(shown.stdout).toBe("one\n\u001b[31mtwo\u001b[0m\\u001b[2J\n\n");
    server.answerWith({ "GET /api/deployments/12/log": new Response("\u001b[8mhidden\nnext\n") });
    const hiding = await hooklatch("deployment log 12", { isTty: { stdout: true, stderr: true } });
    expect(hiding.stdout).toBe("\u001b[8mhidden\u001b[0m\nnext\n");
    server.answerWith({ "GET /api/deployments/12/log": new Response("") });
    expect(await hooklatch("deployment log 12")).toEqual({
      exitCode: 0,
      stdout: "",
      stderr: "hooklatch: deployment 12 has printed nothing\n",
    });
    expect((await hooklatch("deployment log 99")).exitCode).toBe(1);
    expect((await hooklatch("deployment log 99 --follow")).stderr).toContain("there is no deployment 99");
  });

  test.each([
    ["succeeded", null, 0, "deployment 12 succeeded"],
    ["failed", 'step "npm test" exited with 1', 1, 'deployment 12 failed: step "npm test" exited with 1'],
    ["superseded", "deployment 13 is newer", 1, "deployment 12 was superseded: deployment 13 is newer"],
    ["cancelled", "cancelled by ada", 1, "deployment 12 was cancelled by ada"],
    ["cancelled", "skipped: no file fits", 1, "deployment 12 was skipped: no file fits"],
    ["interrupted", "the server stopped", 1, "deployment 12 was interrupted: the server stopped"],
  ])("ends with the outcome when it is followed: %s, %p", async (state, reason, exitCode, words) => {
    server.answerWith({ "GET /api/deployments/12/log": logStream(["one"], { end: { state, reason } }) });
    expect(await hooklatch("deployment log 12 -f")).toEqual({
      exitCode,
      stdout: "one\n",
      stderr: `hooklatch: ${words}\n`,
    });
  });

  test("goes on where it was cut, and prints each line once", async () => {
    const lines = ["one", "two", "three", "four"];
    const end = { state: "succeeded", reason: null };
    const answers = [
      () => logStream(lines.slice(0, 2), {}),
      () => refusal(503, "unavailable"),
      // One that tells again what was heard already.
      () => logStream(lines.slice(0, 3), {}),
      ({ lastEventId }: Asked) => logStream(lines, { after: Number(lastEventId), end }),
    ];
    server.answerWith({
      "GET /api/deployments/12/log": (asked) => answers.shift()?.(asked) ?? refusal(500, "internal error"),
    });
    expect(await hooklatch("deployment log 12 --follow")).toEqual({
      exitCode: 0,
      stdout: "one\ntwo\nthree\nfour\n",
      stderr: "hooklatch: deployment 12 succeeded\n",
    });
    expect(server.asked.map(({ lastEventId }) => lastEventId)).toEqual([null, "2", "2", "3"]);
  });

  test("leaves the deployment running when it is stopped, says so, and exits with 1", async () => {
    const { promise: stopped, resolve: stop } = Promise.withResolvers<void>();
    const open = new ReadableStream({
      start: (controller) => controller.enqueue("id: 1\nevent: line\ndata: one\n\n"),
    });
    server.answerWith({
      "GET /api/deployments/12/log": () =>
        new Response(open, { headers: { "content-type": "text/event-stream" } }),
    });
    const { exitCode, stdout, stderr } = await hooklatch(
      "deployment log 12 --follow",
      { untilStopped: () => stopped },
      { out: () => stop() },
    );
    expect([exitCode, stdout]).toEqual([1, "one\n"]);
    expect(stderr).toStartWith(
      "hooklatch: deployment 12 goes on: hooklatch deployment log 12 --follow shows it again",
    );
    expect(server.asked).toHaveLength(1);
  });

  test("exits with 1 at once when there is no server in the first place", async () => {
    await server.close();
    const { exitCode, stderr } = await hooklatch("deployment log 12 --follow");
    expect(exitCode).toBe(1);
    expect(stderr).toBe(
      `hooklatch: cannot reach ${server.url}: nothing listens there; is the server running?\n`,
    );
  });
});

describe("hooklatch deployment cancel", () => {
  test("tells whether it had begun", async () => {
    const answer = (status: string, code: number) =>
      Response.json({ status, deployment: deploymentAnswer() }, { status: code });
    server.answerWith({ "POST /api/deployments/12/cancel": answer("cancelled", 200) });
    const line = "deployment cancel 12 --by ada";
    expect((await hooklatch(line)).stdout).toBe("deployment 12 is cancelled; it had not begun\n");
    expect(server.asked[0]?.body).toEqual({ by: "ada" });
    server.answerWith({ "POST /api/deployments/12/cancel": answer("cancelling", 202) });
    expect((await hooklatch(line)).stdout).toBe(
      "deployment 12 is being ended: hooklatch deployment show 12 tells when it has\n",
    );
  });

  test("exits with 1 for one that has ended", async () => {
    server.answerWith({
      "POST /api/deployments/12/cancel": refusal(409, "ended", "deployment 12 has ended: failed"),
    });
    expect(await hooklatch("deployment cancel 12")).toEqual({
      exitCode: 1,
      stdout: "",
      stderr: "hooklatch: deployment 12 has ended already: hooklatch deployment show 12 tells how\n",
    });
  });
});
