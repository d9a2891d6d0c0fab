import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Webhook } from "standardwebhooks";
import { type Received, type Receiver, receive } from "../notify/receiver.ts";
import { freePort } from "../support/free-port.ts";
import { until } from "../support/until.ts";
import { Blog } from "./blog.ts";

setDefaultTimeout(120_000);

const SIGNING_KEY = `whsec_${randomBytes(32).toString("base64")}`;
const ROOM = "r00m-that-nobody-else-may-write-to";
const STATUS_TOKEN = "ghp-t0ken-that-nobody-may-see";
const STEP = 'run = ["test ! -e broken"]';

let blog: Blog;
beforeEach(() => {
  blog = new Blog();
});
afterEach(() => blog[Symbol.asyncDispose]());

/** A `[[notify]]` that posts to where `$<env>` says. */
function notify(env: string, keys: string): string {
  return `[[notify]]\nname = "${env.toLowerCase()}"\nurl = "env:${env}"\n${keys}\n`;
}

const signed = `secret = "env:SIGNING_KEY"\non = ["failed", "recovered", "succeeded"]`;

/** What a signed message says, checked by the package of those who wrote the specification. */
function verified({ headers, body }: Received) {
  return new Webhook(SIGNING_KEY).verify(body, Object.fromEntries(headers)) as {
    type: string;
    data: Record<string, unknown>;
  };
}

const textOf = ({ body }: Received) => String((JSON.parse(body) as { text: string }).text);

/** Everything that people can read of what went on, and every file that was made. */
async function everything(...ids: readonly number[]): Promise<string> {
  const answers = await Promise.all(
    ids.flatMap((id) => [
      blog.run("deployment", "log", String(id)),
      blog.run("deployment", "show", String(id), "--json"),
    ]),
  );
  const files = ["site", "data"].flatMap((name) =>
    readdirSync(blog.at(name), { withFileTypes: true, recursive: true })
      .filter((entry) => entry.isFile())
      .map((entry) => readFileSync(join(entry.parentPath, entry.name), "latin1")),
  );
  return [blog.server.stdout, blog.server.stderr, ...answers.map(({ stdout }) => stdout), ...files].join(
    "\n",
  );
}

describe("[[notify]]", () => {
  test("tells a signed receiver and a chat room of a failure, of the recovery and of a success, in order", async () => {
    await using receiver = receive();
    await using chat = receive();
    await blog.serve({
      keys: STEP,
      tables:
        notify("HOOK", signed) +
        notify("ROOM", 'format = "slack"\non = ["failed", "recovered", "succeeded"]'),
      env: { HOOK: `${receiver.origin}/hook`, ROOM: `${chat.origin}/services/${ROOM}`, SIGNING_KEY },
    });
    const ids: number[] = [];
    for (const files of [{ broken: "" }, { broken: null }, { "index.html": "one" }]) {
      ids.push((await blog.deploy(files)).id);
    }
    await until(() => receiver.received.length === 3 && chat.received.length === 3);
    expect(receiver.received.map(verified)).toMatchObject([
      { type: "deployment.failed", data: { deployment: 1, target: "blog", state: "failed" } },
      { type: "deployment.recovered", data: { deployment: 2, state: "succeeded", reason: null } },
      { type: "deployment.succeeded", data: { deployment: 3, commit: blog.repository.tip } },
    ]);
    expect(verified(receiver.received[0] as Received).data.reason).toBe(
      'step "test ! -e broken" exited with 1',
    );
    expect(new Set(receiver.received.map(({ headers }) => headers.get("webhook-id"))).size).toBe(3);
    expect(chat.received.map(({ path }) => path)).toEqual(Array(3).fill(`/services/${ROOM}`));
    expect(chat.received.map(textOf)).toEqual([
      expect.stringMatching(
        /^\*blog\* failed: step "test ! -e broken" exited with 1 \(deployment 1, main [0-9a-f]+\)$/,
      ),
      expect.stringMatching(/^\*blog\* works again \(deployment 2, /),
      expect.stringMatching(/^\*blog\* is deployed \(deployment 3, /),
    ]);
    const all = await everything(...ids);
    for (const secret of [SIGNING_KEY, SIGNING_KEY.slice(6), ROOM]) expect(all).not.toContain(secret);
  });

  test("tells it once the receiver is back, also when the server was killed in between", async () => {
    const port = freePort();
    const env = { HOOK: `http://127.0.0.1:${port}/hook`, SIGNING_KEY };
    await blog.serve({ keys: STEP, tables: notify("HOOK", signed), env });
    expect(await blog.deploy({ broken: "" })).toMatchObject({ state: "failed" });
    await blog.server.until(() =>
      blog.server.stderr.includes("could not tell a subscriber; trying again later"),
    );
    await blog.server.end("SIGKILL");

    await using receiver = receive(() => new Response(null, { status: 204 }), undefined, port);
    await blog.restart();
    await blog.server.until(() => blog.server.stderr.includes("told a subscriber"));
    expect(receiver.received.map(verified)).toMatchObject([
      { type: "deployment.failed", data: { deployment: 1, reason: 'step "test ! -e broken" exited with 1' } },
    ]);
  });

  test("delays no deployment, and nobody else, when a receiver hangs", async () => {
    const hanging = receive(() => new Promise<Response>(() => {}));
    await using well = receive();
    await blog.serve({
      keys: STEP,
      tables: notify("SLOW", signed) + notify("HOOK", signed),
      env: { SLOW: `${hanging.origin}/hook`, HOOK: `${well.origin}/hook`, SIGNING_KEY },
    });
    for (let number = 1; number <= 3; number += 1) {
      expect(await blog.deploy({ "index.html": `${number}` })).toMatchObject({ state: "succeeded" });
    }
    await until(() => well.received.length === 3);
    expect(hanging.received.length).toBe(1);
    expect(blog.server.stderr).not.toContain("could not tell a subscriber");
    expect(await blog.server.end("SIGTERM")).toBe(0);
    expect(blog.server.stderr).not.toContain("gave no answer");
    await hanging[Symbol.asyncDispose]();
  });
});

describe("commit statuses", () => {
  let forge: Receiver;
  beforeEach(() => {
    forge = receive(() => new Response("{}", { status: 201 }));
  });
  afterEach(() => forge[Symbol.asyncDispose]());

  const serve = (keys = STEP, server = "") =>
    blog.serve({
      keys: `${keys}\nstatus_token = "env:STATUS_TOKEN"\nstatus_url = "${forge.origin}/api/v3"`,
      server,
      env: { STATUS_TOKEN },
    });

  /** The commit's statuses in the order in which they were told, as `<state>: <description>`. */
  const statusesOf = (commit: string) =>
    forge.received
      .filter(({ path }) => path === `/api/v3/repos/octocat/blog/statuses/${commit}`)
      .map(({ body }) => JSON.parse(body) as { state: string; description: string; context: string })
      .map(({ state, description, context }) => `${context} ${state}: ${description}`);

  const untilTold = (commit: string, state: string) =>
    until(() => statusesOf(commit).some((told) => told.startsWith(`hooklatch/blog ${state}`)));

  test("are pending, then success or failure, of the commit that was pushed", async () => {
    await serve();
    const ids: number[] = [];
    ids.push((await blog.deploy({ "index.html": "one" })).id);
    const good = blog.repository.tip;
    await untilTold(good, "success");
    ids.push((await blog.deploy({ broken: "" })).id);
    const bad = blog.repository.tip;
    await untilTold(bad, "failure");
    for (const commit of [good, bad]) expect(statusesOf(commit).length).toBeLessThanOrEqual(2);
    expect(statusesOf(good).at(-1)).toBe("hooklatch/blog success: deployed");
    expect(statusesOf(bad).at(-1)).toBe(
      'hooklatch/blog failure: failed: step "test ! -e broken" exited with 1',
    );
    expect(new Set(forge.received.map(({ headers }) => headers.get("authorization")))).toEqual(
      new Set([`Bearer ${STATUS_TOKEN}`]),
    );
    expect(await everything(...ids)).not.toContain(STATUS_TOKEN);
  });

  test("are pending while it runs, and error when a person cancels it", async () => {
    await serve('run = ["exec sleep 3600"]');
    const id = await blog.push({ "index.html": "one" });
    const commit = blog.repository.tip;
    await untilTold(commit, "pending");
    await blog.run("deployment", "cancel", String(id), "--by", "Ada");
    await untilTold(commit, "error");
    expect(statusesOf(commit)).toEqual([
      "hooklatch/blog pending: deploying",
      "hooklatch/blog error: cancelled: cancelled by Ada",
    ]);
  });

  test("are a success that says why for a commit that is skipped", async () => {
    await serve('ignore_paths = ["docs"]');
    await blog.deploy({ "index.html": "one" });
    expect(await blog.deploy({ "docs/index.md": "one" })).toMatchObject({ state: "cancelled" });
    const commit = blog.repository.tip;
    await untilTold(commit, "success");
    expect(statusesOf(commit).at(-1)).toStartWith(
      "hooklatch/blog success: skipped: the one file that differs",
    );
  });

  test.each(["SIGKILL", "SIGTERM"] as const)("leave no commit pending for ever after %s", async (signal) => {
    const go = blog.at("go");
    await serve(`run = ["while test ! -e '${go}'; do sleep 0.05; done"]`, 'shutdown_grace = "10ms"');
    await blog.push({ "index.html": "one" });
    const commit = blog.repository.tip;
    await untilTold(commit, "pending");
    await blog.server.end(signal);
    blog.workshop.write("go", "");
    await blog.restart();
    await untilTold(commit, "success");
    await blog.server.end("SIGTERM");
    expect(statusesOf(commit).at(-1)).toBe("hooklatch/blog success: deployed");
  });

  test("are an error when it crashed twice and is not tried again", async () => {
    await serve('run = ["exec sleep 3600"]');
    await blog.push({ "index.html": "one" });
    const commit = blog.repository.tip;
    for (const started of [1, 2]) {
      await until(() => statusesOf(commit).filter((told) => told.includes("pending")).length === started);
      await blog.server.end("SIGKILL");
      await blog.restart();
    }
    await until(() => statusesOf(commit).filter((told) => told.includes(" error: interrupted")).length === 2);
    expect(statusesOf(commit).at(-1)).toStartWith("hooklatch/blog error: interrupted");
  });
});
