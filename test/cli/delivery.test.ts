import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { AdminServer, deliveryAnswer, LATER, page, refusal } from "./admin-server.ts";
import { runHooklatch, UNPRINTABLE } from "./command-line.ts";

let server: AdminServer;

beforeEach(() => {
  server = new AdminServer();
});

afterEach(() => server.close());

function hooklatch(line: string, terminal: Partial<Parameters<typeof runHooklatch>[1]> = {}) {
  return runHooklatch(`${line} --admin-url ${server.url}`, {
    cwd: "/",
    clock: LATER,
    env: server.env,
    ...terminal,
  });
}

const outcome = (state: string, reason: string | null, deployment = 12) => ({
  deployment,
  target: "blog",
  state,
  reason,
});
const against = (target: string, reason: string) => ({ target, deploy: false, reason });
const skipped = (...decisions: readonly unknown[]) => ({
  status: "skipped",
  deployments: [],
  outcomes: [],
  decisions,
});

/** What may become of a delivery, and the words in which the list tells it. */
const STORIES: readonly [Readonly<Record<string, unknown>>, string][] = [
  [{}, "blog: deployed by deployment 12"],
  [{ outcomes: [outcome("queued", null)] }, "blog: deployment 12 is queued"],
  [{ outcomes: [outcome("running", null)] }, "blog: deployment 12 is running"],
  [
    { outcomes: [outcome("failed", 'step "npm test" exited with 1')] },
    'blog: deployment 12 failed: step "npm test" exited with 1',
  ],
  [
    { outcomes: [outcome("cancelled", "skipped: no file fits paths")] },
    "blog: deployment 12 was skipped: no file fits paths",
  ],
  [{ outcomes: [outcome("cancelled", "cancelled by ada")] }, "blog: deployment 12 was cancelled by ada"],
  [
    { outcomes: [outcome("superseded", "deployment 13 is newer")] },
    "blog: deployment 12 was superseded: deployment 13 is newer",
  ],
  [
    skipped(against("blog", 'branch "dev" is not "main"'), against("docs", 'branch "dev" is not a tag')),
    'blog: branch "dev" is not "main"; docs: branch "dev" is not a tag',
  ],
  [skipped(against("blog", "locked by ada: release freeze")), "blog: locked by ada: release freeze"],
  [
    { decisions: [against("blog", "locked by ada: release freeze")], status: "skipped" },
    "blog: deployed by deployment 12 (at first locked by ada: release freeze)",
  ],
  [
    {
      decisions: [
        against("docs", 'repository "a/b" is not "a/c"'),
        { target: "blog", deploy: true, reason: null },
      ],
    },
    'blog: deployed by deployment 12; docs: repository "a/b" is not "a/c"',
  ],
  [{ ...skipped(), reason: "no target listens to source github" }, "no target listens to source github"],
  [{ ...skipped(), status: "success", event: "other" }, "kept; no target listens to source github"],
  [{ ...skipped(), status: "pong", event: "ping" }, "a ping deploys nothing"],
  [{ deployments: [], outcomes: [] }, "blog: its deployment is no longer kept"],
  [{ redelivery_of: 3 }, "blog: deployed by deployment 12 (delivery 3 sent again)"],
  [{ replay_of: 3 }, "blog: deployed by deployment 12 (replay of delivery 3)"],
];

describe("hooklatch delivery list", () => {
  test.each(STORIES)("tells by itself what became of %j: %s", async (differs, words) => {
    server.answerWith({ "GET /api/deliveries": page(deliveryAnswer(differs)) });
    const { exitCode, stdout } = await hooklatch("delivery list");
    expect(exitCode).toBe(0);
    const [head = "", row = ""] = stdout.split("\n");
    expect(head).toMatch(/^ID {2}RECEIVED +SOURCE {2}EVENT +STATUS +CLIENT +WHAT HAPPENED$/);
    expect(row).toStartWith("7   2026-11-21T20:30:00.000Z  github  ");
    expect(row.slice(head.indexOf("WHAT HAPPENED"))).toBe(words);
  });

  test("names ten targets of a thousand, those that were deployed first", async () => {
    const decisions = Array.from({ length: 999 }, (_, at) => against(`site-${at}`, "another repository"));
    const last = { target: "blog", deploy: true, reason: null };
    server.answerWith({ "GET /api/deliveries": page(deliveryAnswer({ decisions: [...decisions, last] })) });
    const { stdout } = await hooklatch("delivery list");
    expect(stdout).toContain("  blog: deployed by deployment 12; site-0: another repository; ");
    expect(stdout).toEndWith("; and 990 other targets\n");
  });

  test("keeps to the terminal's width, and colours there alone", async () => {
    const reason = `branch ${JSON.stringify("x".repeat(200))} is not "main"`;
    server.answerWith({ "GET /api/deliveries": page(deliveryAnswer(skipped(against("blog", reason)))) });
    const isTty = { stdout: true, stderr: true };
    const { stdout } = await hooklatch("delivery list", {
      isTty,
      columns: 90,
      env: { ...server.env, NO_COLOR: "1" },
    });
    for (const line of stdout.split("\n")) expect(line.length).toBeLessThanOrEqual(90);
    expect(stdout).toContain("…");
    expect(stdout).not.toMatch(UNPRINTABLE);
    expect((await hooklatch("delivery list", { isTty })).stdout).toContain("\u001b[33mskipped\u001b[0m");
    expect((await hooklatch("delivery list")).stdout).toContain(reason);
  });

  test("lets nothing of a payload reach the terminal that it would obey", async () => {
    const reason = 'branch "\u001b[2J\u009b1m\u202e" is not "main"\r\n7  forged';
    server.answerWith({ "GET /api/deliveries": page(deliveryAnswer(skipped(against("blog", reason)))) });
    const isTty = { stdout: true, stderr: true };
    const { stdout } = await hooklatch("delivery list", {
      isTty,
      columns: 300,
      env: { ...server.env, NO_COLOR: "1" },
    });
    expect(stdout).not.toMatch(UNPRINTABLE);
    expect(stdout).toContain('"\\u001b[2J\\u009b1m\\u202e" is not "main"\\r\\n7  forged');
  });

  test("says where to look when there is nothing", async () => {
    server.answerWith({ "GET /api/deliveries": page() });
    expect(await hooklatch("delivery list")).toEqual({
      exitCode: 0,
      stdout: "",
      stderr:
        "hooklatch: no delivery is kept yet: one that was refused, such as for a wrong signature, is in the log alone\n",
    });
    expect((await hooklatch("delivery list --status skipped")).stderr).toBe(
      "hooklatch: nothing fits the options given\n",
    );
    expect((await hooklatch("delivery list --help")).stdout).toContain("What is not here was not kept");
  });
});

describe("hooklatch delivery show", () => {
  const whole = (differs: Readonly<Record<string, unknown>> = {}) =>
    Response.json({ ...deliveryAnswer(differs), body: '{"name":"\u001b[2J"}' });

  test("tells the decision and the outcome target by target", async () => {
    const decisions = [
      { target: "blog", deploy: true, reason: null },
      against("docs", 'branch "main" is not "v2"'),
    ];
    const outcomes = [outcome("failed", 'step "npm test" exited with 1')];
    server.answerWith({ "GET /api/deliveries/7": whole({ decisions, outcomes, redelivery_of: 3 }) });
    const { exitCode, stdout } = await hooklatch("delivery show 7");
    expect(exitCode).toBe(0);
    expect(stdout).toBe(`delivery     7
source       github
event        push
status       ok: deployments were asked for; below is what became of them
received     2026-11-21T20:30:00.000Z
client       192.0.2.1
provider id  6f3a
repeats      delivery 3 sent again

TARGET  DEPLOYED  DEPLOYMENT  WHY, OR HOW IT WENT
blog    no        12          deployment 12 failed: step "npm test" exited with 1
docs    no        -           branch "main" is not "v2"

headers that are kept:
  content-type    application/json
  x-github-event  push
`);
  });

  test.each([
    [skipped(against("blog", 'branch "dev" is not "main"')), "skipped: no target was deployed; below is why"],
    [
      { ...skipped(), reason: "no target listens to source github" },
      "skipped: no target listens to source github",
    ],
    [{ ...skipped(), status: "pong", event: "ping" }, "pong: a ping deploys nothing"],
    [
      { decisions: [against("blog", "locked by ada: freeze")], status: "skipped" },
      "skipped: a lock held it back; below is what became of it",
    ],
  ])("says in its status why nothing was deployed: %j", async (differs, words) => {
    server.answerWith({ "GET /api/deliveries/7": whole(differs) });
    expect((await hooklatch("delivery show 7")).stdout).toContain(`status       ${words}\n`);
  });

  test("prints the body alone with --body, as it came unless a terminal would obey it", async () => {
    server.answerWith({ "GET /api/deliveries/7": whole() });
    expect((await hooklatch("delivery show 7 --body")).stdout).toBe('{"name":"\u001b[2J"}');
    const isTty = { stdout: true, stderr: true };
    expect((await hooklatch("delivery show 7 --body", { isTty })).stdout).toBe('{"name":"\\u001b[2J"}\n');
  });

  test("exits with 1 for one that is not kept", async () => {
    expect(await hooklatch("delivery show 99")).toEqual({
      exitCode: 1,
      stdout: "",
      stderr: "hooklatch: there is no delivery 99: hooklatch delivery list shows those that are kept\n",
    });
  });
});

describe("hooklatch delivery replay", () => {
  test("prints nothing that a terminal obeys, whatever answers there", async () => {
    const hostile = '{"status":"skipped","reason":"branch \u202e\u009b2J"}\u001b]0;owned\u0007';
    for (const options of ["", " --json"]) {
      server.answerWith({ "POST /api/deliveries/7/replay": new Response(hostile) });
      const { stdout } = await hooklatch(`delivery replay 7${options}`);
      expect(stdout).toContain('"branch \\u202e\\u009b2J"}\\u001b]0;owned\\u0007');
      expect(stdout).not.toMatch(UNPRINTABLE);
    }
  });

  test("tells a person at a terminal what is deployed and what is not, in words", async () => {
    const answerWith = (differs: object) =>
      server.answerWith({
        "POST /api/deliveries/7/replay": Response.json({ status: "ok", delivery: 8, ...differs }),
      });
    const replay = () => hooklatch("delivery replay 7", { isTty: { stdout: true, stderr: true } });
    answerWith({ deployments: [{ id: 13, target: "blog" }] });
    expect((await replay()).stdout).toBe(
      "delivery 7 is run again as delivery 8\nblog: deployment 13 is queued: hooklatch deployment log 13 --follow shows it\n",
    );
    answerWith({ deployments: [{ id: 13, target: "blog" }], reason: "docs: locked by ada: freeze" });
    expect((await replay()).stdout).toEndWith("shows it\nnot deployed: docs: locked by ada: freeze\n");
    answerWith({ status: "skipped", reason: 'blog: branch "\u009b2J\n" is not "main"' });
    expect(await replay()).toMatchObject({
      exitCode: 0,
      stdout:
        'delivery 7 is run again as delivery 8, which deploys nothing: blog: branch "\\u009b2J\\n" is not "main"\n',
    });
    answerWith({ status: "pong" });
    expect((await replay()).stdout).toBe("delivery 7 is run again as delivery 8, which deploys nothing\n");
    server.answerWith({ "POST /api/deliveries/7/replay": refusal(404, "not found") });
    expect(await replay()).toMatchObject({ exitCode: 1, stdout: "" });
  });

  test("prints the answer, alone with --json, and exits with 1 when it was refused", async () => {
    const answer = { status: "ok", delivery: 8, deployments: [{ id: 13, target: "blog" }] };
    server.answerWith({ "POST /api/deliveries/7/replay": Response.json(answer, { status: 202 }) });
    expect((await hooklatch("delivery replay 7")).stdout).toBe(`202 ${JSON.stringify(answer)}\n`);
    expect((await hooklatch("delivery replay 7 --json")).stdout).toBe(`${JSON.stringify(answer)}\n`);
    server.answerWith({ "POST /api/deliveries/7/replay": refusal(404, "not found") });
    expect(await hooklatch("delivery replay 7")).toMatchObject({
      exitCode: 1,
      stdout: "",
      stderr: "hooklatch: there is no delivery 7: hooklatch delivery list shows those that are kept\n",
    });
  });
});
