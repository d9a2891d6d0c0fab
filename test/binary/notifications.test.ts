import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Webhook } from "standardwebhooks";
import {
  headersOf,
  MAIL_PASSWORD,
  textOf as mailText,
  type ReceivedMail,
  serveMail,
} from "../notify/mail-server.ts";
import { type Received, type Receiver, receive } from "../notify/receiver.ts";
import { makeCertificate } from "../support/certificate.ts";
import { freePort } from "../support/free-port.ts";
import { until } from "../support/until.ts";
import { words } from "../support/words.ts";
import { Blog } from "./blog.ts";

setDefaultTimeout(120_000);

const SIGNING_KEY = `whsec_${randomBytes(32).toString("base64")}`;
const ROOM = "r00m-path-that-is-a-secret";
const STATUS_TOKEN = "ghp-t0ken-that-is-a-secret";
const STEP = 'run = ["test ! -e broken"]';

let blog: Blog;
beforeEach(() => {
  blog = new Blog();
});
afterEach(() => blog[Symbol.asyncDispose]());

/** A `[[notify]]` table whose URL is in the environment variable `env`. */
function notify(env: string, keys: string): string {
  return `[[notify]]\nname = "${env.toLowerCase()}"\nurl = "env:${env}"\n${keys}\n`;
}

const signed = `secret = "env:SIGNING_KEY"\non = ["failed", "recovered", "succeeded"]`;

/** Verifies a signed message with the reference library of Standard Webhooks and returns its content. */
function verified({ headers, body }: Received) {
  return new Webhook(SIGNING_KEY).verify(body, Object.fromEntries(headers)) as {
    type: string;
    data: Record<string, unknown>;
  };
}

const textOf = ({ body }: Received) => String((JSON.parse(body) as { text: string }).text);

/** The log lines about notifications. */
const notificationLines = () => blog.server.log.filter(({ channel }) => channel !== undefined);

/** All output of the server and of the commands about these deployments, and all files below the directories. */
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
  test("sends failure, recovery and success in order to a signed receiver and a chat room", async () => {
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
      { type: "deployment.failed", data: { deployment: 1, target: "blog", code: "step_failed" } },
      { type: "deployment.recovered", data: { deployment: 2, state: "succeeded", reason: null } },
      { type: "deployment.succeeded", data: { deployment: 3, commit: blog.repository.tip } },
    ]);
    const { reason } = verified(receiver.received[0] as Received).data;
    expect(reason).toContain("test ! -e broken");
    expect(new Set(receiver.received.map(({ headers }) => headers.get("webhook-id"))).size).toBe(3);
    expect(chat.received.map(({ path }) => path)).toEqual(Array(3).fill(`/services/${ROOM}`));
    const texts = chat.received.map(textOf);
    expect(texts).toEqual([
      expect.stringMatching(/^\*blog\* .*"test ! -e broken".*\b1\b.*\bmain [0-9a-f]+\b/),
      expect.stringMatching(/^\*blog\* .*\b2\b.*\bmain [0-9a-f]+\b/),
      expect.stringMatching(/^\*blog\* .*\b3\b.*\bmain [0-9a-f]+\b/),
    ]);
    expect([
      reason,
      ...texts.map((text) => text.replace(/\bmain [0-9a-f]+/, "main <commit>")),
    ]).toMatchSnapshot();
    const all = await everything(...ids);
    for (const secret of [SIGNING_KEY, SIGNING_KEY.slice(6), ROOM]) expect(all).not.toContain(secret);
  });

  test("sends a notification once the receiver is available, even if the server was killed meanwhile", async () => {
    const port = freePort();
    const env = { HOOK: `http://127.0.0.1:${port}/hook`, SIGNING_KEY };
    await blog.serve({ keys: STEP, tables: notify("HOOK", signed), env });
    expect(await blog.deploy({ broken: "" })).toMatchObject({ state: "failed" });
    await blog.server.until(() => notificationLines().some(({ due }) => due !== undefined));
    const postponed = notificationLines();
    expect(postponed).toMatchObject([{ level: "warn", deployment: 1 }]);
    await blog.server.end("SIGKILL");

    await using receiver = receive(() => new Response(null, { status: 204 }), undefined, port);
    await blog.restart();
    await blog.server.until(() => notificationLines().some(({ level }) => level === "info"));
    const messages = receiver.received.map(verified);
    expect(messages).toMatchObject([{ type: "deployment.failed", data: { deployment: 1 } }]);
    expect(messages[0]?.data.reason).toContain("test ! -e broken");
    const lines = [...postponed, ...notificationLines()].map(({ msg }) => String(msg));
    expect([...lines, messages[0]?.data.reason]).toMatchSnapshot();
  });

  test("does not delay deployments or other receivers when one receiver does not respond", async () => {
    const hanging = receive(() => new Promise<Response>(() => {}));
    await using healthy = receive();
    await blog.serve({
      keys: STEP,
      tables: notify("SLOW", signed) + notify("HOOK", signed),
      env: { SLOW: `${hanging.origin}/hook`, HOOK: `${healthy.origin}/hook`, SIGNING_KEY },
    });
    for (let number = 1; number <= 3; number += 1) {
      expect(await blog.deploy({ "index.html": `${number}` })).toMatchObject({ state: "succeeded" });
    }
    await until(() => healthy.received.length === 3);
    expect(hanging.received.length).toBe(1);
    const findFailures = () => notificationLines().filter(({ level }) => level !== "info");
    expect(findFailures()).toEqual([]);
    expect(await blog.server.end("SIGTERM")).toBe(0);
    // The reason must not blame the receiver: the server ended the request.
    expect(findFailures()).toMatchObject([{ level: "warn", channel: "slow", deployment: 1 }]);
    expect(words(String(findFailures()[0]?.reason))).toMatchSnapshot();
    await hanging[Symbol.asyncDispose]();
  });
});

describe("e-mail", () => {
  const mail = (port: number, keys: string) => `[[notify]]
name = "mail"
format = "smtp"
host = "localhost"
port = ${port}
user = "ada"
password = "env:MAIL_PASSWORD"
from = "hooklatch <deploy@example.com>"
to = ["ops@example.com"]
${keys}
`;
  const env = { MAIL_PASSWORD };

  test.each(["starttls", "implicit"])("is sent over TLS (%s) with the commit and the reason", async (tls) => {
    const certificate = makeCertificate(blog.workshop.path, "mail");
    await using server = await serveMail({ secure: tls === "implicit" }, certificate);
    await blog.serve({
      keys: STEP,
      tables: mail(server.port, `tls = "${tls}"`),
      env: { ...env, NODE_EXTRA_CA_CERTS: certificate.cert },
    });
    blog.repository.commit({ broken: "" }, "Break it\n\nBcc: evil@example.com");
    const { id } = await blog.deploy();
    await until(() => server.received.length === 1);
    const [received] = server.received as [ReceivedMail];
    expect(received).toMatchObject({ secure: true, user: "ada", to: ["ops@example.com"] });
    expect(headersOf(received).get("subject")).toBe("blog failed: Break it");
    expect(headersOf(received).has("bcc")).toBe(false);
    for (const fact of ["test ! -e broken", "Break it", "Ada", blog.repository.tip, `log ${id}`]) {
      expect(mailText(received)).toContain(fact);
    }
    const checked = await blog.run("check");
    expect(checked.stdout).toContain(`e-mail to ops@example.com through localhost:${server.port}`);
    expect((await everything(id)) + checked.stdout).not.toContain(MAIL_PASSWORD);
    expect(server.received).toHaveLength(1);
  });

  test("is not sent to a server whose certificate cannot be verified, whatever the environment says", async () => {
    await using server = await serveMail({}, makeCertificate(blog.workshop.path, "mail"));
    await blog.serve({
      keys: STEP,
      tables: mail(server.port, 'tls = "starttls"'),
      env: { ...env, NODE_TLS_REJECT_UNAUTHORIZED: "0" },
    });
    await blog.deploy({ broken: "" });
    await blog.server.until(() => notificationLines().some(({ due }) => due !== undefined));
    expect(notificationLines()).toMatchObject([{ level: "warn", channel: "mail", deployment: 1 }]);
    expect(String(notificationLines()[0]?.reason)).toContain("certificate");
    expect(server.received).toEqual([]);
  });

  test("is sent once the mail server is available, even if hooklatch was killed meanwhile", async () => {
    const port = freePort();
    await blog.serve({ keys: STEP, tables: mail(port, ""), env });
    await blog.deploy({ broken: "" });
    await blog.server.until(() => notificationLines().some(({ due }) => due !== undefined));
    await blog.server.end("SIGKILL");
    await using server = await serveMail({}, undefined, port);
    await blog.restart();
    await blog.server.until(() => notificationLines().some(({ level }) => level === "info"));
    expect(server.received).toMatchObject([{ secure: false, user: "ada" }]);
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

  /** The statuses of a commit in the order in which they were sent, as `<context> <state>: <description>`. */
  const statusesOf = (commit: string) =>
    forge.received
      .filter(({ path }) => path === `/api/v3/repos/octocat/blog/statuses/${commit}`)
      .map(({ body }) => JSON.parse(body) as { state: string; description: string; context: string })
      .map(({ state, description, context }) => `${context} ${state}: ${description}`);

  const untilSent = (commit: string, state: string) =>
    until(() => statusesOf(commit).some((status) => status.startsWith(`hooklatch/blog ${state}: `)));

  test("of a pushed commit are pending, then success or failure", async () => {
    await serve();
    const ids: number[] = [];
    ids.push((await blog.deploy({ "index.html": "one" })).id);
    const good = blog.repository.tip;
    await untilSent(good, "success");
    ids.push((await blog.deploy({ broken: "" })).id);
    const bad = blog.repository.tip;
    await untilSent(bad, "failure");
    for (const commit of [good, bad]) expect(statusesOf(commit).length).toBeLessThanOrEqual(2);
    expect(statusesOf(good).at(-1)).toStartWith("hooklatch/blog success: ");
    expect(statusesOf(bad).at(-1)).toMatch(/^hooklatch\/blog failure: .*"test ! -e broken"/);
    expect([statusesOf(good).at(-1), statusesOf(bad).at(-1)]).toMatchSnapshot();
    expect(new Set(forge.received.map(({ headers }) => headers.get("authorization")))).toEqual(
      new Set([`Bearer ${STATUS_TOKEN}`]),
    );
    expect(await everything(...ids)).not.toContain(STATUS_TOKEN);
  });

  test("are pending during a deployment, and error when it is cancelled", async () => {
    await serve('run = ["exec sleep 3600"]');
    const id = await blog.push({ "index.html": "one" });
    const commit = blog.repository.tip;
    await untilSent(commit, "pending");
    await blog.run("deployment", "cancel", String(id), "--by", "Ada");
    await untilSent(commit, "error");
    expect(statusesOf(commit)).toEqual([
      expect.stringMatching(/^hooklatch\/blog pending: /),
      expect.stringMatching(/^hooklatch\/blog error: .*\bAda\b/),
    ]);
    expect(statusesOf(commit)).toMatchSnapshot();
  });

  test("are success with the reason for a skipped commit", async () => {
    await serve('ignore_paths = ["docs"]');
    await blog.deploy({ "index.html": "one" });
    expect(await blog.deploy({ "docs/index.md": "one" })).toMatchObject({ code: "paths_unchanged" });
    const commit = blog.repository.tip;
    await untilSent(commit, "success");
    expect(statusesOf(commit).at(-1)).toStartWith("hooklatch/blog success: ");
    expect(statusesOf(commit).at(-1)).toMatchSnapshot();
  });

  test.each(["SIGKILL", "SIGTERM"] as const)("do not stay pending after %s", async (signal) => {
    const go = blog.at("go");
    await serve(`run = ["while test ! -e '${go}'; do sleep 0.05; done"]`, 'shutdown_grace = "10ms"');
    await blog.push({ "index.html": "one" });
    const commit = blog.repository.tip;
    await untilSent(commit, "pending");
    await blog.server.end(signal);
    blog.workshop.write("go", "");
    await blog.restart();
    await untilSent(commit, "success");
    await blog.server.end("SIGTERM");
    expect(statusesOf(commit).at(-1)).toStartWith("hooklatch/blog success: ");
  });

  test("are error after the second crash, which ends the attempts", async () => {
    await serve('run = ["exec sleep 3600"]');
    await blog.push({ "index.html": "one" });
    const commit = blog.repository.tip;
    for (const started of [1, 2]) {
      await until(
        () => statusesOf(commit).filter((status) => status.includes(" pending: ")).length === started,
      );
      await blog.server.end("SIGKILL");
      await blog.restart();
    }
    const errors = () => statusesOf(commit).filter((status) => status.startsWith("hooklatch/blog error: "));
    await until(() => errors().length === 2);
    expect(statusesOf(commit).at(-1)).toBe(errors()[1] ?? "");
    expect(errors()).toMatchSnapshot();
  });
});
