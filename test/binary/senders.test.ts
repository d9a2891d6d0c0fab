import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type Receiver, receive } from "../notify/receiver.ts";
import { type Server, Workshop } from "../support/executable.ts";
import { FORGES, type Forge, ZERO } from "../support/forges.ts";
import { freePort } from "../support/free-port.ts";
import { Repository } from "../support/git.ts";
import { RawConnection } from "../support/raw.ts";
import { otherSecretOf, type Sender } from "../support/sender.ts";
import { describeSources, SENDER_SECRETS, SENDERS } from "../support/senders.ts";
import { until } from "../support/until.ts";

setDefaultTimeout(120_000);

const ADMIN_TOKEN = "an admin token of the tests, long enough";
const MINUTE = 60_000;

let workshop: Workshop;
let server: Server;
let repository: Repository;
/** Records what `hooklatch send` sends. */
let receiver: Receiver;
const adminUrl = `http://127.0.0.1:${freePort()}`;

beforeAll(async () => {
  workshop = new Workshop();
  repository = new Repository(join(workshop.path, "origin"));
  repository.commit({ "index.html": "one" });
  receiver = receive();
  const targets = SENDERS.map(({ name, repository: fullName }) => {
    const directory = `sites/${name}`;
    if (fullName === null) mkdirSync(join(workshop.path, directory), { recursive: true });
    const keys =
      fullName === null
        ? 'run = ["true"]\nevents = ["ping", "invoice.paid", "app_mention", "deployment.succeeded"]'
        : `repository = "${fullName}"\nbranch = "main"\nclone_url = ${JSON.stringify(repository.path)}`;
    return `[[target]]\nname = "to-${name}"\nsource = "${name}"\ndirectory = "${directory}"\n${keys}\n`;
  });
  workshop.write(
    "hooklatch.toml",
    `data_dir = "data"
[server]
port = 0
max_body = "256KiB"
[admin]
port = ${new URL(adminUrl).port}
token = "env:HOOKLATCH_ADMIN_TOKEN"
${describeSources()}${targets.join("")}
[[notify]]
name = "loop"
url = "${receiver.origin}/notified"
secret = "env:STANDARD_SECRET"
on = ["succeeded", "failed", "recovered"]
targets = ["to-slack"]
`,
  );
  server = await workshop.serve(["--debug"], { ...SENDER_SECRETS, HOOKLATCH_ADMIN_TOKEN: ADMIN_TOKEN });
});

afterAll(async () => {
  await receiver[Symbol.asyncDispose]();
  await workshop.dispose();
});

const urlOf = ({ name }: Sender) => new URL(`/${name}`, server.url);

async function ask<Body>(path: string): Promise<Body> {
  const headers = { authorization: `Bearer ${ADMIN_TOKEN}` };
  return (await (await fetch(new URL(path, adminUrl), { headers })).json()) as Body;
}

interface StoredDelivery {
  readonly id: number;
  readonly headers: Record<string, string>;
}

/** How many deliveries a source has stored. */
async function countDeliveries({ name }: Sender): Promise<number> {
  return (await ask<{ items: unknown[] }>(`/api/deliveries?limit=500&source=${name}`)).items.length;
}

interface Reply {
  readonly code: number;
  readonly type: string | null;
  readonly body: Record<string, unknown> & { readonly status?: string; readonly reason?: string };
}

async function post(
  sender: Sender,
  headers: ConstructorParameters<typeof Headers>[0],
  body: string | Uint8Array,
): Promise<Reply> {
  const all = new Headers(headers);
  if (!all.has("content-type")) all.set("content-type", "application/json");
  const response = await fetch(urlOf(sender), { method: "POST", redirect: "manual", headers: all, body });
  const text = await response.text();
  const type = response.headers.get("content-type");
  return {
    code: response.status,
    type,
    body: type?.startsWith("application/json") ? JSON.parse(text) : { text },
  };
}

let number = 0;

/** A body that its target wants, and that differs from every other one. */
function wantedBody(sender: Sender, ref = "refs/heads/main", after = repository.tip): string {
  number += 1;
  const forge = forgeOf(sender);
  if (forge === null) {
    const common = { id: `evt_${number}`, type: "invoice.paid", event_id: `Ev${number}` };
    return JSON.stringify({ ...common, event: { type: "app_mention" }, data: { text: "♥ \u001b" } });
  }
  const before = number.toString(16).padStart(40, "0");
  const [delivery] = forge.push([{ ref, before, after }], forge.repository);
  if (delivery === undefined) throw new Error("no delivery");
  return delivery.body;
}

const forgeOf = (sender: Sender): Forge | null => FORGES.find((forge) => forge.sender === sender) ?? null;

const IN_TABLE = SENDERS.map((sender) => [sender.name, sender] as const);

describe.each(IN_TABLE)("requests of %s", (_, sender) => {
  const forge = forgeOf(sender);
  const word = forge === null ? "success" : "ok";

  test("that the sender's own library signs are accepted and deployed", async () => {
    const body = wantedBody(sender);
    const headers = await sender.sign(body);
    // Where the library cannot sign, it must at least accept what is sent here.
    if (sender.accepts !== null) expect(await sender.accepts(new Headers(headers), body)).toBe(true);
    const reply = await post(sender, headers, body);
    expect(reply).toMatchObject({
      code: 202,
      body: { status: word, deployments: [{ target: `to-${sender.name}` }] },
    });
    const [{ id }] = reply.body.deployments as [{ id: number }];
    // A newer delivery of another test may replace it while it waits.
    const deployment = await server.untilDeployed(id);
    expect(["succeeded", "superseded"]).toContain(String(deployment.state));
  });

  test("that hooklatch send composes are accepted by the sender's library, and by the source", async () => {
    const event = forge === null ? "ping" : "push";
    const seen = receiver.received.length;
    const common = ["send", event, "--source", sender.name];
    const elsewhere = await workshop.run([...common, "--url", `${receiver.origin}/sent`], {
      ...SENDER_SECRETS,
      HOOKLATCH_ADMIN_TOKEN: ADMIN_TOKEN,
    });
    expect(elsewhere).toMatchObject({ exitCode: 0 });
    const sent = receiver.received.slice(seen).find(({ path }) => path === "/sent");
    if (sent === undefined) throw new Error("nothing was sent");
    if (sender.accepts !== null) {
      expect(await sender.accepts(sent.headers, sent.body)).toBe(true);
      expect(await sender.accepts(sent.headers, `${sent.body} `)).toBe(false);
    }
    const here = await workshop.run([...common, "--url", urlOf(sender).href], {
      ...SENDER_SECRETS,
      HOOKLATCH_ADMIN_TOKEN: ADMIN_TOKEN,
    });
    expect(here.exitCode).toBe(0);
    expect(here.stdout).toMatch(/^20[02] /);
  });

  test("that prove nothing are refused, and nothing is stored or run", async () => {
    const stored = await countDeliveries(sender);
    const body = wantedBody(sender);
    const now = new Date();
    const id = "x";
    const valid = await sender.sign(body, { at: now, id });
    const credential = valid[sender.credential] ?? "";
    const withCredential = (value: string) => ({ ...valid, [sender.credential]: value });
    const { [sender.credential]: _, ...missing } = valid;
    const hostile: (readonly [what: string, headers: Record<string, string>, body?: string])[] = [
      ["missing", missing],
      ["empty", withCredential("")],
      ["with another secret", await sender.sign(body, { at: now, id, secret: otherSecretOf(sender) })],
      ["with a character more", withCredential(`${credential}0`)],
      ["cut", withCredential(credential.slice(0, -1))],
      ["in another header", { ...missing, "x-signature": credential, authorization: `Bearer ${credential}` }],
      ...sender.downgrade(body, now).map((value) => [`as ${value}`, withCredential(value)] as const),
    ];
    // A token is not bound to the body.
    if (sender.name !== "gitlab") hostile.push(["of another body", valid, body.replace("}", " }")]);
    if (sender.isTimed) {
      for (const [what, offset] of [
        ["late", -6 * MINUTE],
        ["early", 6 * MINUTE],
      ] as const) {
        const at = new Date(now.getTime() + offset);
        hostile.push([what, await sender.sign(body, { at, id })]);
      }
    }
    // A source locks an address out after ten wrong tokens.
    const limit = sender.refusal === "not authorised" ? 9 : hostile.length;
    for (const [what, headers, changed = body] of hostile.slice(0, limit)) {
      const { code, body: answer } = await post(sender, headers, changed);
      expect({ what, code, answer }).toEqual({ what, code: 401, answer: { status: sender.refusal } });
    }
    const doubled = await postRaw(sender, [...Object.entries(valid), [sender.credential, credential]], body);
    expect({ doubled }).toEqual({ doubled: 401 });
    expect(await countDeliveries(sender)).toBe(stored);
    // The same request without a change proves that the refusals were about the credential.
    expect((await post(sender, valid, body)).code).toBe(202);
  });

  test("get the documented answer for each kind of body", async () => {
    const rows: Record<string, unknown> = {};
    const send = async (
      what: string,
      body: string | Uint8Array,
      { event = null as string | null, ...more }: Record<string, string | null> = {},
    ) => {
      const headers = await sender.sign(
        typeof body === "string" ? body : Buffer.from(body).toString("latin1"),
      );
      const named = event === null || forge === null ? {} : { [forge.eventHeader]: event };
      const { code, body: answer } = await post(sender, { ...headers, ...named, ...more } as never, body);
      rows[what] = [code, answer.status ?? answer.text];
      return answer;
    };
    const stored = await countDeliveries(sender);
    await send("not JSON", "hello");
    await send("cut JSON", '{"ref":');
    await send("blank", " \n");
    await send("nested too deep", "[".repeat(300) + "]".repeat(300));
    await send("too large", `"${"x".repeat(256 * 1024)}"`);
    await send("plain text", "{}", { "content-type": "text/plain" });
    await send("XML", "<a/>", { "content-type": "application/xml" });
    await send("compressed", "{}", { "content-encoding": "gzip" });
    expect(rows).toEqual({
      "not JSON": [400, "invalid payload"],
      "cut JSON": [400, "invalid payload"],
      blank: [400, "invalid payload"],
      "nested too deep": [400, "invalid payload"],
      "too large": [413, "payload too large"],
      "plain text": [415, "unsupported media type"],
      XML: [415, "unsupported media type"],
      compressed: [415, "unsupported media type"],
    });
    expect(await countDeliveries(sender)).toBe(stored);
    if (forge === null) return;

    const push = JSON.parse(wantedBody(sender)) as Record<string, unknown>;
    const wrong = { ...push, ref: 7, repository: "s3cret-value", project: 1, push: 1, changes: 1 };
    const { reason } = await send("another shape", JSON.stringify(wrong));
    expect(rows["another shape"]).toEqual([422, "invalid payload"]);
    expect(reason).toContain("/");
    expect(reason).not.toContain("s3cret-value");
    expect(await countDeliveries(sender)).toBe(stored);

    const other = forge.other();
    expect((await send("another event", other.body, { event: other.event })).reason).toContain(
      `to-${sender.name}`,
    );
    await send("another branch", wantedBody(sender, "refs/heads/dev"));
    const [deletion] = forge.push(
      [{ ref: "refs/heads/main", before: repository.tip, after: ZERO }],
      forge.repository,
    );
    if (deletion === undefined) throw new Error("no delivery");
    await send("a deleted branch", deletion.body, { event: deletion.event });
    for (const what of ["another event", "another branch", "a deleted branch"]) {
      expect(rows[what]).toEqual([200, "skipped"]);
    }
    expect(await countDeliveries(sender)).toBe(stored + 3);
    for (const { ping } of FORGES.filter((each) => each.sender === sender)) {
      if (ping === null) continue;
      const { event, body } = ping();
      await send("a ping", body, { event });
      await send("the ping again", body, { event });
      expect([rows["a ping"], rows["the ping again"]]).toEqual([
        [200, "pong"],
        [200, "pong"],
      ]);
    }
  });

  test("with another method or path are refused, without a redirect", async () => {
    for (const method of ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"]) {
      const response = await fetch(urlOf(sender), { method, redirect: "manual" });
      expect([method, response.status, response.headers.get("allow")]).toEqual([method, 405, "POST"]);
    }
    for (const path of [`/${sender.name}/`, `/${sender.name}/x`, `/${sender.name.toUpperCase()}`]) {
      const response = await fetch(new URL(path, server.url), { method: "POST", redirect: "manual" });
      expect([path, response.status]).toEqual([path, 404]);
    }
  });
});

/** Sends headers as they are listed, where `fetch` would join repeated ones. Returns the status. */
async function postRaw(
  sender: Sender,
  headers: readonly (readonly [string, string])[],
  body: string,
): Promise<number> {
  const connection = new RawConnection(server.url);
  const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  connection.send(
    `POST /${sender.name} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n${lines}\r\n`,
  );
  connection.send(Buffer.from(body));
  const [answer] = await connection.untilAnswered();
  connection.drop();
  return answer?.status ?? 0;
}

test.each(IN_TABLE)("a repeated request of %s is a redelivery, a duplicate or new", async (_, sender) => {
  const body = wantedBody(sender);
  const id = `id-${crypto.randomUUID()}`;
  const first = await post(sender, await sender.sign(body, { id }), body);
  expect(first.code).toBe(202);
  const outcome = async (options: { id?: string }) => {
    const { code, body: answer } = await post(sender, await sender.sign(body, options), body);
    if (answer.status !== "duplicate") return code === 202 ? "again" : `${code} ${answer.status}`;
    expect({ code, delivery: answer.delivery }).toEqual({ code: 200, delivery: first.body.delivery });
    return "duplicate";
  };
  expect({ sameId: await outcome({ id }), newId: await outcome({}) }).toEqual(sender.repeated);
});

describe("Slack", () => {
  const sender = SENDERS.find(({ name }) => name === "slack") as Sender;
  const body = JSON.stringify({
    type: "url_verification",
    token: "x",
    challenge: "3eZbrw1aBm2rZgRNFdxV2595",
  });

  test("gets the challenge of its test of the URL as plain text, and nothing is stored", async () => {
    const stored = await countDeliveries(sender);
    expect(await post(sender, await sender.sign(body), body)).toEqual({
      code: 200,
      type: "text/plain; charset=utf-8",
      body: { text: "3eZbrw1aBm2rZgRNFdxV2595" },
    });
    expect(await countDeliveries(sender)).toBe(stored);
  });

  test("gets no challenge without a signature, nor one that is not a short line", async () => {
    expect(await post(sender, {}, body)).toMatchObject({ code: 401 });
    for (const challenge of ["a\nb", "", "x".repeat(2000), "♥", 7]) {
      const hostile = JSON.stringify({ type: "url_verification", challenge });
      const reply = await post(sender, await sender.sign(hostile), hostile);
      expect(reply).toMatchObject({ code: 400, body: { status: "invalid payload" } });
    }
  });
});

test("a signed notification is accepted by a source of Standard Webhooks", async () => {
  const slack = SENDERS.find(({ name }) => name === "slack") as Sender;
  const standard = SENDERS.find(({ name }) => name === "standard") as Sender;
  const isNotified = ({ path }: { path: string }) => path === "/notified";
  const before = receiver.received.filter(isNotified).length;
  const body = wantedBody(slack);
  await post(slack, await slack.sign(body), body);
  await until(() => receiver.received.filter(isNotified).length > before);
  const notification = receiver.received.filter(isNotified).at(-1);
  if (notification === undefined) throw new Error("nothing was sent");
  const headers = Object.fromEntries(
    [...notification.headers].filter(([name]) => /^(?:webhook-|content-type)/.test(name)),
  );
  const reply = await post(standard, headers, notification.body);
  // Its target lists the type of the event.
  expect(reply).toMatchObject({ code: 202, body: { deployments: [{ target: "to-standard" }] } });
  // A retry of the same notification is recognised, and a changed one refused.
  expect(await post(standard, headers, notification.body)).toMatchObject({ body: { status: "duplicate" } });
  expect(await post(standard, headers, `${notification.body} `)).toMatchObject({ code: 401 });
});

test("no credential is stored, logged or shown", async () => {
  const secrets = new Set(Object.values(SENDER_SECRETS));
  for (const sender of SENDERS) {
    const body = wantedBody(sender);
    const signed = await sender.sign(body);
    const credential = signed[sender.credential] ?? "";
    secrets.add(credential);
    const url = `${urlOf(sender).href}?token=a-token-in-the-url`;
    const headers = { ...signed, "content-type": "application/json", cookie: "s=a-cookie" };
    const response = await fetch(url, { method: "POST", body, headers });
    expect(response.status).toBe(202);
    const { delivery } = (await response.json()) as { delivery: number };
    const stored = await ask<StoredDelivery>(`/api/deliveries/${delivery}`);
    expect(Object.keys(stored.headers)).not.toContain(sender.credential);
    expect(Object.values(stored.headers)).not.toContain(credential);
  }
  const refusals = JSON.stringify(await ask("/api/refusals?limit=500"));
  await server.end("SIGTERM");
  const files = readdirSync(join(workshop.path, "data"), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), "latin1"));
  const everything = [server.stderr, server.stdout, refusals, ...files].join("\n");
  const shown = [...secrets, "a-token-in-the-url", "a-cookie"].filter((text) => everything.includes(text));
  expect(shown).toEqual([]);
  expect(server.log.filter(({ level }) => level === "error")).toEqual([]);
});
