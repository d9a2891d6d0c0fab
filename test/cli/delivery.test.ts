import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { words } from "../support/words.ts";
import { AdminServer, deliveryJson, errorResponse, LATER, page, statusJson } from "./admin-server.ts";
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

const outcome = (state: string, code: string | null, reason: string | null, deployment = 12) => ({
  deployment,
  target: "blog",
  state,
  code,
  reason,
});
const notDeployed = (target: string, code: string, reason: string) => ({
  target,
  deploy: false,
  code,
  reason,
});
const locked = (target: string, reason: string) => notDeployed(target, "locked", reason);
const skipped = (...decisions: readonly unknown[]) => ({
  status: "skipped",
  deployments: [],
  outcomes: [],
  decisions,
});

/** Kinds of outcome: the properties of the delivery, and facts that the list must contain. */
const OUTCOMES: readonly [
  title: string,
  overrides: Readonly<Record<string, unknown>>,
  facts: (string | RegExp)[],
][] = [
  ["a succeeded deployment", {}, ["blog", "12"]],
  ["a queued deployment", { outcomes: [outcome("queued", null, null)] }, ["blog", "12", "queued"]],
  ["a running deployment", { outcomes: [outcome("running", null, null)] }, ["blog", "12", "running"]],
  [
    "a failed deployment",
    { outcomes: [outcome("failed", "step_failed", 'step "npm test" exited with 1')] },
    ["blog", "12", "failed", 'step "npm test" exited with 1'],
  ],
  [
    "a deployment that was skipped because of its paths",
    { outcomes: [outcome("cancelled", "paths_unchanged", "no file matches paths")] },
    ["blog", "12", "skipped", "no file matches paths"],
  ],
  [
    "a cancelled deployment",
    { outcomes: [outcome("cancelled", "cancelled", "cancelled by ada")] },
    ["blog", "12", "cancelled by ada"],
  ],
  [
    "a superseded deployment",
    { outcomes: [outcome("superseded", "superseded", "deployment 13 is newer")] },
    ["blog", "12", "superseded", "deployment 13 is newer"],
  ],
  [
    "two targets that were not deployed",
    skipped(
      notDeployed("blog", "branch", 'branch "dev" is not "main"'),
      notDeployed("docs", "branch", 'branch "dev" is not a tag'),
    ),
    [/blog.*branch "dev" is not "main".*docs.*branch "dev" is not a tag/],
  ],
  [
    "a locked target",
    skipped(locked("blog", "locked by ada: release freeze")),
    ["blog", "locked by ada: release freeze"],
  ],
  [
    "a target that was deployed after it was unlocked",
    { decisions: [locked("blog", "locked by ada: release freeze")], status: "skipped" },
    ["blog", "12", "locked by ada: release freeze"],
  ],
  [
    "a deployed target before one that was not deployed",
    {
      decisions: [
        notDeployed("docs", "repository", 'repository "a/b" is not "a/c"'),
        { target: "blog", deploy: true, code: null, reason: null },
      ],
    },
    [/blog.*12.*docs.*repository "a\/b" is not "a\/c"/],
  ],
  [
    "a source without targets",
    { ...skipped(), reason: "no target listens to source github" },
    ["no target listens to source github"],
  ],
  ["an event that matches no target", { ...skipped(), status: "success", event: "other" }, ["github"]],
  ["a ping", { ...skipped(), status: "pong", event: "ping", event_name: "ping" }, ["ping"]],
  ["a deployment that was deleted", { deployments: [], outcomes: [] }, ["blog"]],
  ["a redelivery", { redelivery_of: 3 }, ["blog", "12", "3"]],
  ["a replay", { replay_of: 3 }, ["blog", "12", "3"]],
];

describe("hooklatch delivery list", () => {
  test.each(OUTCOMES)("shows the outcome: %s", async (_, overrides, facts) => {
    server.respondWith({ "GET /api/deliveries": page(deliveryJson(overrides)) });
    const { exitCode, stdout } = await hooklatch("delivery list");
    expect(exitCode).toBe(0);
    const [, row = ""] = stdout.split("\n");
    expect(row).toStartWith("7   2026-11-21T20:30:00.000Z  github  ");
    const [, result = ""] = row.split("192.0.2.1  ");
    for (const fact of facts) expect(result).toMatch(fact);
    expect(result).toMatchSnapshot();
  });

  test("names ten of a thousand targets, starting with the deployed one", async () => {
    const decisions = Array.from({ length: 999 }, (_, at) =>
      notDeployed(`site-${at}`, "repository", "another repository"),
    );
    const last = { target: "blog", deploy: true, code: null, reason: null };
    server.respondWith({ "GET /api/deliveries": page(deliveryJson({ decisions: [...decisions, last] })) });
    const { stdout } = await hooklatch("delivery list");
    expect(stdout.match(/site-\d+/g)).toHaveLength(9);
    expect(stdout).toMatch(/ {2}blog: .*12.*site-0: another repository.*site-8.*990.*\n$/);
    expect(stdout).toMatchSnapshot();
  });

  test("wraps at the width of the terminal, and colours only there", async () => {
    const reason = `branch ${JSON.stringify("x".repeat(200))} is not "main"`;
    server.respondWith({
      "GET /api/deliveries": page(deliveryJson(skipped(notDeployed("blog", "branch", reason)))),
    });
    const isTty = { stdout: true, stderr: true };
    const { stdout } = await hooklatch("delivery list", {
      isTty,
      columns: 90,
      env: { ...server.env, NO_COLOR: "1" },
    });
    for (const line of stdout.split("\n")) expect(line.length).toBeLessThanOrEqual(90);
    expect(stdout).toContain("…");
    expect(stdout).not.toMatch(UNPRINTABLE);
    expect((await hooklatch("delivery list", { isTty })).stdout).toContain("\u001b[33mskipped\u001b[39m");
    expect((await hooklatch("delivery list")).stdout).toContain(reason);
  });

  test("escapes control characters of a payload", async () => {
    const reason = 'branch "\u001b[2J\u009b1m\u202e" is not "main"\r\n7  forged';
    server.respondWith({
      "GET /api/deliveries": page(deliveryJson(skipped(notDeployed("blog", "branch", reason)))),
    });
    const isTty = { stdout: true, stderr: true };
    const { stdout } = await hooklatch("delivery list", {
      isTty,
      columns: 300,
      env: { ...server.env, NO_COLOR: "1" },
    });
    expect(stdout).not.toMatch(UNPRINTABLE);
    expect(stdout).toContain('"\\u001b[2J\\u009b1m\\u202e" is not "main"\\r\\n7  forged');
  });

  test("reports an empty list on standard error", async () => {
    server.respondWith({ "GET /api/deliveries": page() });
    const all = await hooklatch("delivery list");
    const filtered = await hooklatch("delivery list --status skipped");
    expect(all).toMatchObject({ exitCode: 0, stdout: "" });
    expect(filtered).toMatchObject({ exitCode: 0, stdout: "" });
    expect(words(all.stderr + filtered.stderr)).toMatchSnapshot();
  });

  test("names the sources for a source that does not exist", async () => {
    server.respondWith({
      "GET /api/deliveries": page(),
      "GET /api/refusals": page(),
      "GET /api/deployments": page(),
      "GET /api/clients": page(),
      "GET /api/status": Response.json(statusJson()),
    });
    const outputs = [];
    for (const list of ["delivery list", "delivery list --refused", "deployment list", "client list"]) {
      const { exitCode, stdout, stderr } = await hooklatch(`${list} --source githbu`);
      expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: "" });
      expect(stderr).toMatch(/githbu.*\bgithub\b/);
      outputs.push(stderr);
    }
    const other = await hooklatch("delivery list --source nonsense");
    expect(other.stderr).toMatch(/nonsense.*\bgithub\b.*\bwebhook\b/);
    const existing = await hooklatch("delivery list --source github");
    expect(existing.stderr).not.toContain("webhook");
    expect(words([...outputs, other.stderr, existing.stderr].join(""))).toMatchSnapshot();
  });

  test("lists the refused requests with reason and hint", async () => {
    const refused = {
      id: 12,
      time: "2026-11-21T20:30:00.000Z",
      source: "github",
      client: null,
      code: "signature_missing",
      reason: `the request has no signature\u001b[31m\u202e`,
      hint: "set the secret",
      provider_id: "6f3a",
    };
    server.respondWith({ "GET /api/refusals": page(refused) });
    const { exitCode, stdout } = await hooklatch("delivery list --refused --source github --limit 5");
    expect(exitCode).toBe(0);
    expect(server.requests.map(({ path }) => path)).toEqual(["/api/refusals?source=github&limit=5"]);
    expect(stdout).not.toMatch(UNPRINTABLE);
    expect(stdout).toMatch(/\\u202e {2}set the secret\n$/);
    expect(stdout).toMatchSnapshot();
    const { stdout: json } = await hooklatch("delivery list --refused --json");
    expect(JSON.parse(json)).toEqual({ items: [refused], next: null });
  });

  test("rejects filters that refused requests do not have", async () => {
    const { exitCode, stderr } = await hooklatch("delivery list --refused --target blog");
    expect(exitCode).toBe(2);
    expect(stderr).toContain("--target");
  });

  test("describes in its help which deliveries are stored", async () => {
    expect((await hooklatch("delivery list --help")).stdout).toMatchSnapshot();
  });
});

describe("hooklatch delivery show", () => {
  const stored = (overrides: Readonly<Record<string, unknown>> = {}) =>
    Response.json({ ...deliveryJson(overrides), pushes: [], ci: null, body: '{"name":"\u001b[2J"}' });

  test("shows the decision and the outcome of each target", async () => {
    const decisions = [
      { target: "blog", deploy: true, code: null, reason: null },
      notDeployed("docs", "branch", 'branch "main" is not "v2"'),
    ];
    const outcomes = [outcome("failed", "step_failed", 'step "npm test" exited with 1')];
    server.respondWith({ "GET /api/deliveries/7": stored({ decisions, outcomes, redelivery_of: 3 }) });
    const { exitCode, stdout } = await hooklatch("delivery show 7");
    expect(exitCode).toBe(0);
    const rows = stdout.split("\n");
    for (const fact of ["github", "push", "2026-11-21T20:30:00.000Z", "192.0.2.1", "6f3a"]) {
      expect(rows.map((row) => row.split(/ {2,}/)[1])).toContain(fact);
    }
    expect(rows.find((row) => row.startsWith("blog "))).toMatch(/ 12 .*step "npm test" exited with 1$/);
    expect(rows.find((row) => row.startsWith("docs "))).toMatch(/ - .*branch "main" is not "v2"$/);
    expect(stdout).toEndWith("  content-type    application/json\n  x-github-event  push\n");
    expect(stdout).toMatchSnapshot();
  });

  test.each([
    ["branch does not match", skipped(notDeployed("blog", "branch", 'branch "dev" is not "main"'))],
    ["no target", { ...skipped(), reason: "no target listens to source github" }],
    ["ping", { ...skipped(), status: "pong", event: "ping" }],
    ["lock", { decisions: [locked("blog", "locked by ada: freeze")], status: "skipped" }],
  ])("explains why the delivery deployed nothing: %s", async (_, overrides) => {
    server.respondWith({ "GET /api/deliveries/7": stored(overrides) });
    const { stdout } = await hooklatch("delivery show 7");
    expect(stdout).toMatch(new RegExp(`^status +${deliveryJson(overrides).status}$`, "m"));
    expect(stdout.slice(stdout.indexOf("status "), stdout.indexOf("Stored headers"))).toMatchSnapshot();
  });

  test("shows why targets that the event is not about were not deployed", async () => {
    const reason = 'app: event "release" is not a push';
    server.respondWith({ "GET /api/deliveries/7": stored({ other_targets: 1, reason }) });
    const { stdout } = await hooklatch("delivery show 7");
    expect(stdout).toMatch(/^reason +app: event "release" is not a push$/m);
    expect(stdout.slice(stdout.indexOf("status "), stdout.indexOf("Stored headers"))).toMatchSnapshot();
  });

  test("prints only the body with --body, escaped if standard output is a terminal", async () => {
    server.respondWith({ "GET /api/deliveries/7": stored() });
    expect((await hooklatch("delivery show 7 --body")).stdout).toBe('{"name":"\u001b[2J"}');
    const isTty = { stdout: true, stderr: true };
    expect((await hooklatch("delivery show 7 --body", { isTty })).stdout).toBe('{"name":"\\u001b[2J"}\n');
  });

  test("exits with 1 for an unknown delivery", async () => {
    const { exitCode, stdout, stderr } = await hooklatch("delivery show 99");
    expect([exitCode, stdout]).toEqual([1, ""]);
    expect(stderr).toContain("99");
    expect(words(stderr)).toMatchSnapshot();
  });
});

describe("hooklatch delivery replay", () => {
  test("escapes control characters of a response", async () => {
    const hostile = '{"status":"skipped","delivery":8,"reason":"branch \u202e\u009b2J"}';
    for (const options of ["", " --json"]) {
      server.respondWith({ "POST /api/deliveries/7/replay": new Response(hostile) });
      const { stdout } = await hooklatch(`delivery replay 7${options}`);
      expect(stdout).toContain("branch \\u202e\\u009b2J");
      expect(stdout).not.toMatch(UNPRINTABLE);
    }
  });

  test("describes the result in sentences", async () => {
    const respondWith = (differs: object) =>
      server.respondWith({
        "POST /api/deliveries/7/replay": Response.json({ status: "ok", delivery: 8, ...differs }),
      });
    const replay = () => hooklatch("delivery replay 7");
    respondWith({ deployments: [{ id: 13, target: "blog" }] });
    const deployed = await replay();
    expect(deployed.stdout).toMatch(/\b8\b.*\nblog: .*\b13\b.*\n$/);
    respondWith({ deployments: [{ id: 13, target: "blog" }], reason: "docs: locked by ada: freeze" });
    const partlyDeployed = await replay();
    expect(partlyDeployed.stdout).toContain("docs: locked by ada: freeze");
    respondWith({ status: "skipped", reason: 'blog: branch "\u009b2J\n" is not "main"' });
    const undeployed = await replay();
    expect(undeployed.stdout).toContain('blog: branch "\\u009b2J\\n" is not "main"');
    respondWith({ status: "pong" });
    const ping = await replay();
    server.respondWith({ "POST /api/deliveries/7/replay": errorResponse(404, "not found") });
    expect(await replay()).toMatchObject({ exitCode: 1, stdout: "" });
    for (const { exitCode, stdout } of [deployed, partlyDeployed, undeployed, ping]) {
      expect(exitCode).toBe(0);
      expect(stdout).toMatchSnapshot();
    }
  });

  test("prints the response of the API with --json, and exits with 1 on an error", async () => {
    const body = { status: "ok", delivery: 8, deployments: [{ id: 13, target: "blog" }] };
    server.respondWith({ "POST /api/deliveries/7/replay": Response.json(body, { status: 202 }) });
    expect((await hooklatch("delivery replay 7 --json")).stdout).toBe(`${JSON.stringify(body)}\n`);
    server.respondWith({ "POST /api/deliveries/7/replay": errorResponse(404, "not found") });
    const unknown = await hooklatch("delivery replay 7");
    expect(unknown).toMatchObject({ exitCode: 1, stdout: "" });
    expect(words(unknown.stderr)).toMatchSnapshot();
  });
});
