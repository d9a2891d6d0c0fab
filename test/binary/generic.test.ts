import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { createHmac } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type Server, Workshop } from "../support/executable.ts";
import { freePort } from "../support/free-port.ts";

setDefaultTimeout(120_000);

const TOKEN = "a-token-of-the-tests-long-enough";
const SECRET = "a signing secret of the tests, long enough";
const ADMIN_TOKEN = "an admin token of the tests, long enough";
const ENV = { TOKEN, SECRET, HOOKLATCH_ADMIN_TOKEN: ADMIN_TOKEN };

/** What Docker Hub sends: no signature, no header of its own, and an address that must not be called. */
const HUB = JSON.stringify({
  push_data: { tag: "latest", pusher: "ada" },
  repository: { repo_name: "team/site" },
  callback_url: "https://registry.example.com/x",
});

let workshop: Workshop;
let server: Server;
const adminUrl = `http://127.0.0.1:${freePort()}`;
beforeEach(() => {
  workshop = new Workshop();
});
afterEach(() => workshop.dispose());

/** Starts a server with one generic source at `/hook` and a target that runs a command for each delivery. */
async function serve(keys: string): Promise<void> {
  mkdirSync(join(workshop.path, "job"));
  workshop.write(
    "hooklatch.toml",
    `data_dir = "data"
[server]
port = 0
[admin]
port = ${new URL(adminUrl).port}
token = "env:HOOKLATCH_ADMIN_TOKEN"
[[source]]
name = "hook"
provider = "generic"
path = "/hook"
${keys}
[[target]]
name = "job"
directory = "job"
run = ["true"]
`,
  );
  server = await workshop.serve(["--debug"], ENV);
}

async function send(
  headers: Record<string, string> = {},
  { body = HUB, query = "" }: { body?: string; query?: string } = {},
) {
  const response = await fetch(new URL(`/hook${query}`, server.url), {
    method: "POST",
    redirect: "manual",
    body,
    headers: { "content-type": "application/json", ...headers },
  });
  const retryAfter = response.headers.get("retry-after");
  return { code: response.status, retryAfter, answer: (await response.json()) as Answer };
}

interface Answer {
  readonly status: string;
  readonly delivery?: number;
  readonly deployments?: readonly { readonly id: number }[];
}

async function ask<Body>(path: string): Promise<Body> {
  const headers = { authorization: `Bearer ${ADMIN_TOKEN}` };
  return (await (await fetch(new URL(path, adminUrl), { headers })).json()) as Body;
}

const countDeliveries = async () =>
  (await ask<{ items: unknown[] }>("/api/deliveries?limit=500")).items.length;

/** Ends the server, and returns everything that it wrote: its log, its output, its files, and its lists. */
async function everything(): Promise<string> {
  const lists = [
    await ask("/api/refusals?limit=500"),
    await ask("/api/deliveries/1"),
    await ask("/api/clients"),
  ];
  await server.end("SIGTERM");
  const files = readdirSync(join(workshop.path, "data"), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), "latin1"));
  return [JSON.stringify(lists), server.stderr, server.stdout, ...files].join("\n");
}

const ACCEPTED = { code: 202, answer: { status: "success", deployments: [{}] } };
const UNAUTHORISED = { code: 401, retryAfter: null, answer: { status: "not authorised" } };

describe("a token in a header of its own", () => {
  const keys = 'header = { name = "X-Api-Key", tokens = ["env:TOKEN"] }\nkeep_headers = ["x-tenant"]';

  test("lets a sender in, and is not stored or logged", async () => {
    await serve(keys);
    expect(await send({ "x-api-key": TOKEN, "x-tenant": "blue" })).toMatchObject(ACCEPTED);
    const { headers } = await ask<{ headers: object }>("/api/deliveries/1");
    expect(headers).toMatchObject({ "x-tenant": "blue" });
    const wrong = "a-wrong-token-of-the-tests";
    for (const shown of [
      { "x-api-key": wrong },
      { "x-api-key": "" },
      {},
      { "x-api-key": `${TOKEN}, ${TOKEN}` },
      { authorization: `Bearer ${TOKEN}` },
      { "x-api-key": `Bearer ${TOKEN}` },
    ]) {
      expect(await send(shown as Record<string, string>)).toEqual(UNAUTHORISED);
    }
    expect(await send({}, { query: `?x-api-key=${TOKEN}` })).toEqual(UNAUTHORISED);
    expect(await countDeliveries()).toBe(1);
    const all = await everything();
    for (const secret of [TOKEN, wrong]) expect(all).not.toContain(secret);
  });

  test("that is guessed locks the address out", async () => {
    await serve(keys);
    for (let guess = 0; guess < 10; guess += 1) {
      expect(await send({ "x-api-key": `guess-${guess}` })).toEqual(UNAUTHORISED);
    }
    const { code, retryAfter, answer } = await send({ "x-api-key": TOKEN });
    expect({ code, answer }).toEqual({ code: 429, answer: { status: "too many attempts" } });
    expect(Number(retryAfter)).toBeGreaterThan(0);
    expect(await countDeliveries()).toBe(0);
  });

  test.each([
    ["x-api-key", 'header = { name = "X-Api-Key", tokens = ["env:TOKEN"] }'],
    ["x-shop", 'header = { name = "X-Shop", tokens = ["env:TOKEN"] }'],
    ["x-shop", 'hmac = { header = "X-Shop", secrets = ["env:SECRET"] }'],
    ["authorization", 'bearer = ["env:TOKEN"]'],
  ])("cannot be kept: keep_headers with %s and %s is an error", async (name, method) => {
    workshop.write(
      "hooklatch.toml",
      `[[source]]\nname = "hook"\nprovider = "generic"\npath = "/hook"\n${method}\nkeep_headers = ["${name}"]\n`,
    );
    const { exitCode, stderr } = await workshop.run(["check"], ENV);
    expect(exitCode).toBe(2);
    expect(stderr).toContain("source[0].keep_headers[0]");
    expect(stderr).not.toContain(TOKEN);
  });
});

describe("a token in the URL", () => {
  const keys = 'query = { name = "token", tokens = ["env:TOKEN"] }';

  test("lets a sender in that can do nothing else, and is never stored or logged", async () => {
    await serve(keys);
    expect(await send({}, { query: `?a=1&token=${TOKEN}` })).toMatchObject(ACCEPTED);
    const wrong = "a-wrong-token-of-the-tests";
    for (const query of [
      "",
      "?token=",
      `?token=${wrong}`,
      `?token=${TOKEN}&token=${TOKEN}`,
      `?token=${TOKEN}&token=`,
      `?Token=${TOKEN}`,
      `?verify_token=${TOKEN}`,
      `?token[]=${TOKEN}`,
    ]) {
      expect({ query, ...(await send({}, { query })) }).toEqual({ query, ...UNAUTHORISED });
    }
    expect(await send({ token: TOKEN })).toEqual(UNAUTHORISED);
    const response = await fetch(new URL(`/hook?token=${TOKEN}`, server.url));
    expect([response.status, response.headers.get("allow")]).toEqual([405, "POST"]);
    expect(await countDeliveries()).toBe(1);
    const all = await everything();
    for (const text of [TOKEN, wrong, "a=1"]) expect(all).not.toContain(text);
  });

  test("that is guessed locks the address out", async () => {
    await serve(keys);
    for (let guess = 0; guess < 10; guess += 1) await send({}, { query: `?token=guess-${guess}` });
    expect(await send({}, { query: `?token=${TOKEN}` })).toMatchObject({ code: 429 });
  });
});

describe("a signature over the time, the id and the body", () => {
  const keys = (more = "") => `id_header = "X-Id"
hmac = { header = "X-Signature", signed = "{timestamp}.{id}.{body}", timestamp_header = "X-Time", prefix = "v1=", secrets = ["env:SECRET"]${more} }`;
  const MINUTE = 60_000;
  let number = 0;

  function sign({
    offset = 0,
    id = `id-${++number}`,
    body = HUB,
    secret = SECRET,
    algorithm = "sha256",
  } = {}) {
    const time = String(Math.floor((Date.now() + offset) / 1000));
    const digest = createHmac(algorithm, secret).update(`${time}.${id}.${body}`).digest("hex");
    return { "x-time": time, "x-id": id, "x-signature": `v1=${digest}` };
  }
  const MISMATCH = { code: 401, answer: { status: "signature verification failed" } };

  test("accepts a time of up to five minutes away, and refuses every other request", async () => {
    await serve(keys());
    for (const offset of [0, -4 * MINUTE, 4 * MINUTE]) {
      expect(await send(sign({ offset }))).toMatchObject(ACCEPTED);
    }
    const { "x-signature": signature, ...unsigned } = sign();
    const { "x-time": _, ...untimed } = sign();
    const { "x-id": __, ...anonymous } = sign();
    for (const [what, headers] of [
      ["late", sign({ offset: -6 * MINUTE })],
      ["early", sign({ offset: 6 * MINUTE })],
      ["of another secret", sign({ secret: "another secret of the tests" })],
      ["of another body", sign({ body: "{}" })],
      ["of another algorithm", sign({ algorithm: "sha1" })],
      ["of a longer algorithm", sign({ algorithm: "sha512" })],
      ["missing", unsigned],
      ["empty", { ...unsigned, "x-signature": "" }],
      ["doubled", { ...unsigned, "x-signature": `${signature}, ${signature}` }],
      ["without its prefix", { ...unsigned, "x-signature": signature.slice(3) }],
      ["without a time", untimed],
      ["of another time", { ...sign(), "x-time": String(Math.floor(Date.now() / 1000) - 1) }],
      ["of a time with letters", { ...sign(), "x-time": `${Math.floor(Date.now() / 1000)}s` }],
      ["without its id", anonymous],
      ["of another id", { ...sign(), "x-id": "another" }],
    ] as const) {
      expect({ what, ...(await send(headers)) }).toMatchObject({ what, ...MISMATCH });
    }
    expect(await countDeliveries()).toBe(3);
    const all = await everything();
    expect(all).not.toContain(SECRET);
    expect(all).not.toContain(signature.slice(3));
  });

  test("tolerates as much as the configuration says", async () => {
    await serve(keys(', tolerance = "30s"'));
    expect(await send(sign({ offset: -20_000 }))).toMatchObject(ACCEPTED);
    expect(await send(sign({ offset: -40_000 }))).toMatchObject(MISMATCH);
    expect(await send(sign({ offset: 40_000 }))).toMatchObject(MISMATCH);
  });

  test("recognises a captured request by its id, which is signed", async () => {
    await serve(`${keys()}\non_redelivery = "skip"`);
    const captured = sign();
    const first = await send(captured);
    expect(first).toMatchObject(ACCEPTED);
    const duplicate = { code: 200, answer: { status: "duplicate", delivery: first.answer.delivery } };
    expect(await send(captured)).toMatchObject(duplicate);
    expect(await send({ ...captured, "x-id": "another" })).toMatchObject(MISMATCH);
    // The same body under another signed id is a new delivery.
    expect(await send(sign())).toMatchObject(ACCEPTED);
    expect(await countDeliveries()).toBe(2);
  });
});

test("an id in a header that is not signed makes the same body under another id a duplicate", async () => {
  await serve('bearer = ["env:TOKEN"]\nid_header = "X-Id"');
  const authorization = `Bearer ${TOKEN}`;
  expect(await send({ authorization, "x-id": "1" })).toMatchObject(ACCEPTED);
  const duplicate = { code: 200, answer: { status: "duplicate", delivery: 1 } };
  expect(await send({ authorization, "x-id": "2" })).toMatchObject(duplicate);
  // The same id is a redelivery, which runs again.
  expect(await send({ authorization, "x-id": "1" })).toMatchObject(ACCEPTED);
  for (const id of ["", "a b", "x".repeat(200), "1, 1"]) {
    expect(await send({ authorization, "x-id": id })).toMatchObject({
      code: 400,
      answer: { status: "invalid payload" },
    });
  }
});
