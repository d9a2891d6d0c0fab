import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { sign } from "@octokit/webhooks-methods";
import { AppError } from "../../src/lib/errors.ts";
import { pingBody, pushBody } from "../support/payloads.ts";
import {
  DAY,
  GITHUB_SECRET,
  type HarnessOptions,
  openPublic,
  type PublicHarness,
  VERIFY_TOKEN,
} from "../support/public.ts";
import { targetOf } from "../support/target.ts";
import { fieldsOf, messagesOf } from "./log-lines.ts";

setDefaultTimeout(120_000);

let harness: PublicHarness;

async function reopen(options: HarnessOptions): Promise<void> {
  await harness.close();
  harness = await openPublic(options);
}

beforeEach(async () => {
  harness = await openPublic({ targets: [targetOf("blog")] });
});

afterEach(() => harness.close());

async function delivery(
  event: string,
  body: string,
  headers: Record<string, string> = {},
): Promise<RequestInit> {
  return {
    method: "POST",
    body,
    headers: {
      "content-type": "application/json",
      "x-github-event": event,
      "x-github-delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958",
      "x-hub-signature-256": await sign(GITHUB_SECRET, body),
      ...headers,
    },
  };
}

const hello: RequestInit = {
  method: "POST",
  body: '{"hello":"world"}',
  headers: { "content-type": "application/json" },
};

/** Returns the reason of a response and its other keys. */
async function readReason(response: Response): Promise<{ reason: string; others: Record<string, unknown> }> {
  const { reason, ...others } = (await response.json()) as { reason: string };
  return { reason, others };
}

/** Asserts that a rejected request had no effect: nothing stored, no deployment, nothing printed, no secret logged. */
async function expectNoEffect(): Promise<void> {
  expect(await harness.countStored()).toBe(0);
  expect(harness.woken()).toBe(0);
  expect(harness.printed).toEqual([]);
  expect(harness.log.join("\n")).not.toContain(GITHUB_SECRET);
  expect(harness.log.join("\n")).not.toContain(VERIFY_TOKEN);
}

describe("GitHub source", () => {
  test("returns `pong` for a ping and a repeated ping, and stores both", async () => {
    for (const id of [1, 2]) {
      const response = await harness.send("/github-webhook", await delivery("ping", pingBody()));
      expect(response.status).toBe(200);
      expect(await response.json()).toEqual({ status: "pong", delivery: id });
    }
    expect(harness.woken()).toBe(0);
  });

  test("returns 202 with the deployment for a push to the branch of a target", async () => {
    const body = pushBody();
    const response = await harness.send("/github-webhook", await delivery("push", body));
    expect(response.status).toBe(202);
    expect(await response.json()).toEqual({
      status: "ok",
      delivery: 1,
      deployments: [{ id: 1, target: "blog" }],
    });
    expect(harness.woken()).toBe(1);
    const stored = await harness.store.readDelivery(1);
    expect(Buffer.from(stored?.body ?? []).toString()).toBe(body);
    expect(stored).toMatchObject({
      source: "github",
      event: "push",
      status: "ok",
      reason: null,
      client: "192.0.2.1",
      identity: { id: "72d3162e-cc78-11e3-81ab-4c9367dc0958", hook: null },
      decisions: [{ target: "blog", deploy: true, code: null, reason: null }],
      deployments: [1],
    });
  });

  test("accepts a push as a form, the default of GitHub", async () => {
    const body = `payload=${encodeURIComponent(pushBody())}`;
    const type = { "content-type": "application/x-www-form-urlencoded" };
    const response = await harness.send("/github-webhook", await delivery("push", body, type));
    expect(response.status).toBe(202);
  });

  test("accepts a signature made with any of its secrets, for rotation", async () => {
    const body = pushBody();
    const signature = await sign("an older secret, still valid", body);
    const response = await harness.send(
      "/github-webhook",
      await delivery("push", body, { "x-hub-signature-256": signature }),
    );
    expect(response.status).toBe(202);
  });

  test.each([
    ["to another branch", { ref: "refs/heads/feature/main" }, ['"feature/main"', '"main"']],
    ["to a tag with the name of the branch", { ref: "refs/tags/main" }, ["tag", '"main"']],
    [
      "that deletes the branch",
      { deleted: true, after: "0".repeat(40), head_commit: null, commits: [] },
      ['"main"'],
    ],
    ["to another repository", { full_name: "octocat/other" }, ['"octocat/other"', '"octocat/blog"']],
    ["to a branch named $(touch${IFS}x)", { ref: "refs/heads/$(touch${IFS}x)" }, ['"$(touch${IFS}x)"']],
    ["to a branch named ;id", { ref: "refs/heads/;id" }, ['";id"']],
    ["to a branch named --upload-pack=x", { ref: "refs/heads/--upload-pack=x" }, ['"--upload-pack=x"']],
  ])("skips a push %s and returns, stores and logs the reason", async (_what, changes, details) => {
    const response = await harness.send("/github-webhook", await delivery("push", pushBody(changes)));
    expect(response.status).toBe(200);
    const { reason, others } = await readReason(response);
    expect(others).toEqual({ status: "skipped", delivery: 1 });
    for (const detail of ["blog", ...details]) expect(reason).toContain(detail);
    expect(reason).toMatchSnapshot();
    expect(await harness.store.readDelivery(1)).toMatchObject({ status: "skipped", reason, deployments: [] });
    expect(harness.log.join("\n")).toContain(JSON.stringify(reason));
    expect(harness.woken()).toBe(0);
  });

  test("deploys the matching targets and returns the reason for each other target", async () => {
    const dev = {
      fullName: "octocat/blog",
      ref: { kind: "branch", name: "dev" },
      cloneUrl: "x",
      depth: null,
    } as const;
    await reopen({
      targets: [targetOf("blog"), targetOf("preview", { repository: dev }), targetOf("BLOG-2")],
    });
    const response = await harness.send(
      "/github-webhook",
      await delivery("push", pushBody({ full_name: "Octocat/Blog" })),
    );
    expect(response.status).toBe(202);
    const { reason, others } = await readReason(response);
    expect(others).toEqual({
      status: "ok",
      delivery: 1,
      deployments: [
        { id: 1, target: "blog" },
        { id: 2, target: "BLOG-2" },
      ],
    });
    for (const detail of ["preview", '"main"', '"dev"']) expect(reason).toContain(detail);
    for (const target of ["blog", "BLOG-2"]) expect(reason).not.toContain(target);
    expect(reason).toMatchSnapshot();
  });

  test("skips another event, and a push without a target for its source", async () => {
    const issues = await harness.send("/github-webhook", await delivery("issues", '{"action":"opened"}'));
    expect(issues.status).toBe(200);
    await reopen({});
    const push = await harness.send("/github-webhook", await delivery("push", pushBody()));
    const reasons: string[] = [];
    for (const response of [issues, push]) {
      const { reason, others } = await readReason(response);
      expect(others).toEqual({ status: "skipped", delivery: 1 });
      reasons.push(reason);
    }
    for (const detail of ["blog", '"issues"']) expect(reasons[0]).toContain(detail);
    expect(reasons[1]).toContain("github");
    expect(reasons).toMatchSnapshot();
  });

  const good = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
  test.each([
    ["absent", null],
    ["for another body", good],
    ["empty", "sha256="],
    ["one digit short", good.slice(0, -1)],
    ["one digit long", `${good}0`],
    ["in upper case", good.toUpperCase().replace("SHA256", "sha256")],
    ["not hex", `sha256=${"g".repeat(64)}`],
    ["without its prefix", good.slice(7)],
    ["with another algorithm", `sha1=${good.slice(7)}`],
  ])("returns 401 and stores nothing when the signature is %s", async (_what, signature) => {
    const request = await delivery("push", pushBody());
    const headers = new Headers(request.headers);
    if (signature === null) headers.delete("x-hub-signature-256");
    else headers.set("x-hub-signature-256", signature);
    const response = await harness.send("/github-webhook", { ...request, headers });
    expect(response.status).toBe(401);
    expect(await response.json()).toEqual({ status: "signature verification failed" });
    await expectNoEffect();
  });

  test("returns 401 and stores nothing when only the SHA-1 signature is valid", async () => {
    const request = await delivery("push", "Hello, World!");
    const headers = new Headers(request.headers);
    headers.delete("x-hub-signature-256");
    headers.set("x-hub-signature", "sha1=01dc10d0c83e72ed246219cdd91669667fe2ca59");
    const response = await harness.send("/github-webhook", { ...request, headers });
    expect(response.status).toBe(401);
    await expectNoEffect();
  });

  test("returns 401 and stores nothing when a form is signed over its decoded payload", async () => {
    const json = pushBody();
    const request = await delivery("push", `payload=${encodeURIComponent(json)}`, {
      "content-type": "application/x-www-form-urlencoded",
      "x-hub-signature-256": await sign(GITHUB_SECRET, json),
    });
    expect((await harness.send("/github-webhook", request)).status).toBe(401);
    await expectNoEffect();
  });

  test.each([
    [400, "not JSON", "push", "not json"],
    [400, "JSON after a byte order mark", "push", "\ufeff{}"],
    [400, "without an event name", "", "{}"],
    [422, "not a valid push", "push", '{"ref":"refs/heads/main"}'],
    [422, "a push with the event name of a ping", "ping", pushBody()],
    [422, "a push with the name of another event", "issues", pushBody()],
    [422, "a ping with the event name of a push", "push", pingBody()],
  ])("returns %d and stores nothing when a signed body is %s", async (code, _what, event, body) => {
    const response = await harness.send("/github-webhook", await delivery(event, body));
    expect(response.status).toBe(code);
    const { status, reason } = (await response.json()) as { status: string; reason: string };
    expect(status).toBe("invalid payload");
    expect(reason).toMatchSnapshot();
    await expectNoEffect();
  });

  test("returns 400 and stores nothing when a signed body is not UTF-8", async () => {
    const body = new Uint8Array([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]);
    const signature = `sha256=${new Bun.CryptoHasher("sha256", GITHUB_SECRET).update(body).digest("hex")}`;
    const request = await delivery("push", "x", { "x-hub-signature-256": signature });
    const response = await harness.send("/github-webhook", { ...request, body });
    expect(response.status).toBe(400);
    await expectNoEffect();
  });

  test("returns the names of invalid fields and not their values", async () => {
    const body = pushBody({ after: "hunter2", deleted: "hunter3" });
    const response = await harness.send("/github-webhook", await delivery("push", body));
    expect(response.status).toBe(422);
    const { reason } = (await response.json()) as { reason: string };
    expect(reason).toContain("/after");
    expect(reason).toContain("/deleted");
    expect(reason + harness.log.join("\n")).not.toContain("hunter");
  });

  test("stores only listed headers", async () => {
    const request = await delivery("push", pushBody(), {
      "user-agent": "GitHub-Hookshot/044aadd",
      "x-github-hook-id": "292430182",
      authorization: "Bearer swordfish",
      cookie: "swordfish",
      "x-github-encoded-secret": "swordfish",
    });
    await harness.send("/github-webhook?token=swordfish", request);
    const stored = await harness.store.readDelivery(1);
    expect(Object.keys(stored?.headers ?? {}).sort()).toEqual([
      "content-type",
      "user-agent",
      "x-github-delivery",
      "x-github-event",
      "x-github-hook-id",
    ]);
    expect(JSON.stringify(stored) + harness.log.join("\n")).not.toContain("swordfish");
  });
});

describe("repeated push", () => {
  const from = (id: string, hook: string) => ({ "x-github-delivery": id, "x-github-hook-id": hook });
  const send = async (body: string, headers: Record<string, string>) =>
    (await harness.send("/github-webhook", await delivery("push", body, headers))).json();

  test("runs again with the same id and hook, as after Redeliver at GitHub", async () => {
    await send(pushBody(), from("a", "1"));
    expect(await send(pushBody(), from("a", "1"))).toEqual({
      status: "ok",
      delivery: 2,
      deployments: [{ id: 2, target: "blog" }],
    });
    expect(await harness.store.readDelivery(2)).toMatchObject({ redeliveryOf: 1 });
    expect(await harness.store.readDeployment(2)).toMatchObject({ trigger: "redelivery" });
  });

  test.each([
    ["from a second hook", pushBody({ organization: { login: "octocat" } }), from("a", "2")],
    ["with a new id", pushBody(), from("b", "1")],
    ["with a new id from a second hook", pushBody(), { "x-github-delivery": "b", "x-github-hook-id": "9" }],
  ])("is a duplicate %s and runs nothing", async (_how, body, headers) => {
    await send(pushBody(), from("a", "1"));
    const before = await harness.countStored();
    expect(await send(body, headers)).toEqual({ status: "duplicate", delivery: 1 });
    expect(await harness.countStored()).toBe(before);
    expect(harness.woken()).toBe(1);
  });

  test("is not a duplicate of a rejected push", async () => {
    const request = await delivery("push", pushBody(), { "x-hub-signature-256": `sha256=${"0".repeat(64)}` });
    expect((await harness.send("/github-webhook", request)).status).toBe(401);
    expect(await send(pushBody(), from("a", "1"))).toMatchObject({ status: "ok", delivery: 1 });
  });

  test("does not apply to pings and skipped events", async () => {
    for (const status of ["pong", "pong"]) {
      const response = await harness.send("/github-webhook", await delivery("ping", pingBody()));
      expect(await response.json()).toMatchObject({ status });
    }
    for (const id of ["x", "y"]) {
      const issues = await delivery("issues", '{"action":"opened"}', from(id, "1"));
      expect(await (await harness.send("/github-webhook", issues)).json()).toMatchObject({
        status: "skipped",
      });
    }
  });
});

describe("generic source", () => {
  const handshake = (query: string, headers: Record<string, string> = {}, peer?: string) =>
    harness.send(`/webhook${query}`, { headers }, peer);

  test("returns 401 for a POST from an unknown address and stores nothing", async () => {
    const response = await harness.send("/webhook", hello);
    expect(response.status).toBe(401);
    expect(await response.json()).toEqual({ status: "not authorised" });
    await expectNoEffect();
  });

  test.each([
    ["?verify_token=", `?verify_token=${VERIFY_TOKEN}`, {}],
    ["a Bearer header", "", { authorization: `Bearer ${VERIFY_TOKEN}` }],
    ["hub.verify_token", `?hub.mode=subscribe&hub.verify_token=${VERIFY_TOKEN}`, {}],
  ])("authorises the address at this source when it sends the token in %s", async (_form, query, headers) => {
    const authorised = await handshake(query, headers);
    expect(authorised.status).toBe(200);
    expect(await authorised.json()).toEqual({ status: "success" });
    const posted = await harness.send("/webhook", hello);
    expect(posted.status).toBe(200);
    expect(await posted.json()).toEqual({ status: "success", delivery: 1 });
    expect((await harness.send("/webhook", hello, "192.0.2.2")).status).toBe(401);
    expect(harness.log.join("\n")).not.toContain(VERIFY_TOKEN);
  });

  test("logs authorised and rejected requests without their credentials", async () => {
    await handshake("?verify_token=a-wrong-one");
    await harness.send("/webhook", hello, "192.0.2.2");
    await harness.send("/github-webhook", {
      ...hello,
      headers: { "content-type": "application/json", "x-hub-signature-256": "sha256=0" },
    });
    await handshake(`?verify_token=${VERIFY_TOKEN}`);
    expect(harness.log.map(fieldsOf)).toMatchObject([
      { source: "webhook", client: "192.0.2.1", code: "token_mismatch" },
      { source: "webhook", client: "192.0.2.2", code: "client_unknown" },
      { source: "github", client: "192.0.2.1", code: "signature_mismatch" },
      { source: "webhook", client: "192.0.2.1", expires_at: "2026-11-22T12:00:00.000Z" },
    ]);
    expect(messagesOf(harness.log)).toMatchSnapshot();
    for (const secret of ["a-wrong-one", VERIFY_TOKEN, "sha256=0"]) {
      expect(harness.log.join("\n")).not.toContain(secret);
    }
  });

  test("returns a hub.challenge as plain text", async () => {
    const response = await handshake(
      `?hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=${VERIFY_TOKEN}`,
    );
    expect(response.status).toBe(200);
    expect(await response.text()).toBe("1158201444");
    expect(response.headers.get("content-type")).toBe("text/plain; charset=utf-8");
    expect(response.headers.get("x-content-type-options")).toBe("nosniff");
    expect((await harness.send("/webhook", hello)).status).toBe(200);
  });

  test.each([
    ["wrong", "?verify_token=swordfish"],
    ["missing", ""],
    ["empty", "?verify_token="],
    ["repeated", `?verify_token=${VERIFY_TOKEN}&verify_token=${VERIFY_TOKEN}`],
    [
      "sent in two parameters",
      `?verify_token=${VERIFY_TOKEN}&hub.mode=subscribe&hub.verify_token=${VERIFY_TOKEN}`,
    ],
    ["sent without hub.mode", `?hub.verify_token=${VERIFY_TOKEN}`],
    ["truncated", `?verify_token=${VERIFY_TOKEN.slice(0, -1)}`],
  ])("returns 401 and does not authorise the address when the token is %s", async (_what, query) => {
    const response = await handshake(query);
    expect(response.status).toBe(401);
    expect(await response.json()).toEqual({ status: "bad token" });
    expect((await harness.send("/webhook", hello)).status).toBe(401);
    await expectNoEffect();
  });

  test("authorises until the timeout, which a GET extends and a POST does not", async () => {
    await handshake(`?verify_token=${VERIFY_TOKEN}`);
    harness.clock.advance(DAY);
    expect((await harness.send("/webhook", hello)).status).toBe(200);
    harness.clock.advance(1);
    const late = await harness.send("/webhook", hello);
    expect(late.status).toBe(401);
    expect(await late.json()).toEqual({ status: "authorisation timeout" });
    expect(await (await harness.send("/webhook", hello)).json()).toEqual({ status: "not authorised" });
    await handshake(`?verify_token=${VERIFY_TOKEN}`);
    harness.clock.advance(DAY - 1);
    await handshake(`?verify_token=${VERIFY_TOKEN}`);
    harness.clock.advance(DAY - 1);
    expect((await harness.send("/webhook", hello)).status).toBe(200);
  });

  test("treats an IPv4 address and its IPv6-mapped form as one client", async () => {
    await handshake(`?verify_token=${VERIFY_TOKEN}`, {}, "::ffff:192.0.2.9");
    expect((await harness.send("/webhook", hello, "192.0.2.9")).status).toBe(200);
    expect((await harness.send("/webhook", hello, "::FFFF:c000:0209")).status).toBe(200);
  });

  test("does not authorise the address at a GitHub source", async () => {
    await handshake(`?verify_token=${VERIFY_TOKEN}`);
    const response = await harness.send("/github-webhook", hello);
    expect(response.status).toBe(401);
  });

  test("prints each accepted payload as one line of JSON, and no rejected payload", async () => {
    await reopen({ print: true });
    await harness.send("/webhook", { ...hello, body: '{"rejected": true}' });
    await handshake(`?verify_token=${VERIFY_TOKEN}`);
    await harness.send("/webhook", { ...hello, body: '{\n  "two":\n "lines\u202e"}' });
    expect(harness.printed).toEqual(['{"two":"lines\\u202e"}']);
  });

  test("returns 202 with the deployment of a target without a repository", async () => {
    await reopen({ targets: [targetOf("job", { source: "webhook", repository: null })] });
    await handshake(`?verify_token=${VERIFY_TOKEN}`);
    const response = await harness.send("/webhook", hello);
    expect(response.status).toBe(202);
    expect(await response.json()).toEqual({
      status: "success",
      delivery: 1,
      deployments: [{ id: 1, target: "job" }],
    });
  });

  test("returns 400 for a body that is not JSON and stores nothing", async () => {
    await handshake(`?verify_token=${VERIFY_TOKEN}`);
    const response = await harness.send("/webhook", { ...hello, body: "hello" });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ status: "invalid payload" });
    await expectNoEffect();
  });
});

describe("public listener", () => {
  test.each([
    ["text", "text/plain", {}],
    ["XML", "application/xml", {}],
    ["a charset other than UTF-8", "application/json; charset=latin1", {}],
    ["gzip encoding", "application/json", { "content-encoding": "gzip" }],
    ["identity encoding", "application/json", { "content-encoding": "identity" }],
  ])("returns 415 for %s", async (_what, type, headers) => {
    const request = await delivery("push", pushBody(), { "content-type": type, ...headers });
    const response = await harness.send("/github-webhook", request);
    expect(response.status).toBe(415);
    expect(await response.json()).toMatchObject({ status: "unsupported media type" });
    await expectNoEffect();
  });

  test("accepts a body of max_body and returns 413 for one byte more, with and without a Content-Length", async () => {
    const body = pushBody();
    await reopen({ maxBody: Buffer.byteLength(body) });
    expect((await harness.send("/github-webhook", await delivery("push", body))).status).toBe(200);
    const larger = await delivery("push", `${body} `);
    expect((await harness.send("/github-webhook", larger)).status).toBe(413);
    const streamed = await harness.send("/github-webhook", {
      ...larger,
      body: new Blob([`${body} `]).stream(),
    });
    expect(streamed.status).toBe(413);
    expect(await streamed.json()).toEqual({ status: "payload too large" });
    expect(await harness.countStored()).toBe(1);
  });

  test.each([
    ["GET", "/github-webhook", "POST"],
    ["PUT", "/github-webhook", "POST"],
    ["OPTIONS", "/github-webhook", "POST"],
    ["HEAD", "/github-webhook", "POST"],
    ["DELETE", "/webhook", "GET, POST"],
    ["HEAD", "/webhook", "GET, POST"],
    ["POST", "/healthz", "GET, HEAD"],
  ])("returns 405 with Allow for %s %s", async (method, path, allow) => {
    const response = await harness.send(path, { method });
    expect(response.status).toBe(405);
    expect(response.headers.get("allow")).toBe(allow);
    await expectNoEffect();
  });

  test.each([
    "/",
    "/nope",
    "/github-webhook/",
    "//github-webhook",
    "/GitHub-Webhook",
    "/%67ithub-webhook",
    "/api/status",
    "/metrics",
  ])("returns 404 for %s and does not redirect", async (path) => {
    const response = await harness.send(path, await delivery("push", pushBody()));
    expect(response.status).toBe(404);
    expect(await response.json()).toEqual({ status: "not found" });
    await expectNoEffect();
  });

  test.each(["x", "app", "localhost:9000", "a b%%[[", ""])(
    "routes independently of the Host header: %p",
    async (host) => {
      const base = host === "" ? "" : `http://${host}`;
      const createRequest = (path: string, init?: RequestInit) => {
        const request = new Request(`http://hooks.test${path}`, init);
        // For such a Host, the runtime passes a URL that the constructor rejects.
        Object.defineProperty(request, "url", { value: `${base}${path}` });
        return request;
      };
      expect((await harness.handle(createRequest("/healthz"))).status).toBe(200);
      expect((await harness.handle(createRequest("/foo/webhook", hello))).status).toBe(404);
      const authorised = await harness.handle(createRequest(`/webhook?verify_token=${VERIFY_TOKEN}`));
      expect(authorised.status).toBe(200);
      const posted = await harness.handle(createRequest("/webhook", hello));
      expect(await posted.json()).toEqual({ status: "success", delivery: 1 });
      expect((await harness.handle(createRequest("/webhook?verify_token=swordfish"))).status).toBe(401);
      expect(harness.log.join("\n")).not.toContain("swordfish");
    },
  );

  test("returns 503 for the largest body when unverified bodies exceed the budget, and serves the others", async () => {
    await reopen({ maxBody: 1024 * 1024, maxUnverified: 1024 * 1024 });
    const slow = new TransformStream<Uint8Array>();
    const writer = slow.writable.getWriter();
    const large = harness.send(
      "/github-webhook",
      await delivery("push", "x").then((init) => ({ ...init, body: slow.readable })),
    );
    await writer.write(new Uint8Array(1024 * 1024 - 1000));
    const normal = await harness.send("/github-webhook", await delivery("push", pushBody()));
    expect(normal.status).toBe(200);
    const response = await large;
    expect(response.status).toBe(503);
    expect(response.headers.get("retry-after")).toBe("30");
    expect(await harness.countStored()).toBe(1);
  });

  test("accepts a push while many requests announce a body and send nothing", async () => {
    await reopen({ maxBody: 1024 * 1024, maxUnverified: 1024 * 1024 });
    const ends: (() => Promise<void>)[] = [];
    const silent = Array.from({ length: 100 }, async () => {
      const { readable, writable } = new TransformStream<Uint8Array>();
      ends.push(() => writable.close());
      const init = await delivery("push", "x", { "content-length": String(64 * 1024) });
      return harness.send("/github-webhook", { ...init, body: readable });
    });
    const body = pushBody();
    const normal = await delivery("push", body, { "content-length": String(body.length) });
    expect((await harness.send("/github-webhook", normal)).status).toBe(200);
    for (const end of ends) await end();
    for (const response of await Promise.all(silent)) expect(response.status).toBe(401);
  });

  test("returns 200 at /healthz", async () => {
    const response = await harness.send("/healthz");
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({ status: "ok" });
  });

  test("returns 503 with Retry-After during shutdown and stores nothing", async () => {
    harness.drain();
    for (const path of ["/github-webhook", "/healthz"]) {
      const response = await harness.send(path, await delivery("push", pushBody()));
      expect(response.status).toBe(503);
      expect(response.headers.get("retry-after")).toBe("30");
      expect(await response.json()).toEqual({ status: "unavailable" });
    }
    await expectNoEffect();
  });

  test("returns 503 with Retry-After when the store is unavailable", async () => {
    const accept = () => Promise.reject(new AppError("unavailable", "the disk is full"));
    await reopen({ targets: [targetOf("blog")], print: true, store: { accept } });
    const response = await harness.send("/github-webhook", await delivery("push", pushBody()));
    expect(response.status).toBe(503);
    expect(response.headers.get("retry-after")).toBe("30");
    expect(await response.json()).toEqual({ status: "unavailable" });
    await expectNoEffect();
  });

  test("logs at most ten store failures per second", async () => {
    const accept = () => Promise.reject(new AppError("unavailable", "the disk is full"));
    await reopen({ store: { accept } });
    for (let count = 0; count < 20; count++) {
      const response = await harness.send("/github-webhook", await delivery("push", pushBody()));
      expect(response.status).toBe(503);
    }
    const lines = harness.log.filter((line) => line.includes("the disk is full"));
    expect(lines).toHaveLength(10);
    expect(fieldsOf(lines[0] ?? "")).toMatchObject({ code: "unavailable" });
    expect([...new Set(messagesOf(lines))]).toMatchSnapshot();
  });

  test("returns 500 with an id from the log and without the text of the error", async () => {
    await reopen({ store: { accept: () => Promise.reject(new Error("secret path /etc/passwd")) } });
    const response = await harness.send("/github-webhook", await delivery("push", pushBody()));
    expect(response.status).toBe(500);
    const text = await response.text();
    const { status, id } = JSON.parse(text);
    expect(status).toBe("internal error");
    expect(text).not.toContain("passwd");
    expect(harness.log.join("\n")).toContain(id);
  });

  test("reads the client address from X-Forwarded-For only from a trusted proxy", async () => {
    await reopen({ trustedProxies: ["10.0.0.0/8"] });
    const from = (peer: string, forwardedFor: string) => ({
      peer,
      headers: { "x-forwarded-for": forwardedFor },
    });
    const handshake = ({ peer, headers }: ReturnType<typeof from>) =>
      harness.send(`/webhook?verify_token=${VERIFY_TOKEN}`, { headers }, peer);
    await handshake(from("10.0.0.1", "203.0.113.7, 198.51.100.4, 10.9.9.9"));
    await handshake(from("192.0.2.66", "203.0.113.8"));
    expect(await harness.store.findClient("webhook", "198.51.100.4")).not.toBeNull();
    expect(await harness.store.findClient("webhook", "192.0.2.66")).not.toBeNull();
    for (const address of ["203.0.113.7", "203.0.113.8", "10.0.0.1", "10.9.9.9"]) {
      expect(await harness.store.findClient("webhook", address)).toBeNull();
    }
  });
});

describe("a trusted proxy", () => {
  const show = { query: `/webhook?verify_token=${VERIFY_TOKEN}` };
  const handshake = (headers: Record<string, string>, peer: string) =>
    harness.send(show.query, { headers }, peer);
  const post = (headers: Record<string, string>, peer: string) =>
    harness.send(
      "/webhook",
      { method: "POST", body: "{}", headers: { "content-type": "application/json", ...headers } },
      peer,
    );
  const codes = () => harness.refusals.list(null, { limit: 100, before: null }).items.map(({ code }) => code);

  test.each([
    ["10.0.0.1", {}],
    ["10.0.0.1", { "x-forwarded-for": "unknown" }],
    ["10.0.0.1", { "x-real-ip": "203.0.113.5" }],
    ["10.0.0.1", { "x-forwarded-for": "10.0.0.2" }],
    ["unix", {}],
  ])("at %p that sends no client address with %p admits nobody", async (peer, headers) => {
    await reopen({ trustedProxies: ["10.0.0.0/8", "unix"] });
    const first = await handshake(headers, peer);
    expect([first.status, (await readReason(first)).others]).toEqual([401, { status: "not authorised" }]);
    const second = await post(headers, peer);
    expect([second.status, await second.json()]).toEqual([401, { status: "not authorised" }]);
    expect(codes()).toEqual(["client_address_unknown", "client_address_unknown"]);
    expect(await harness.countStored()).toBe(0);
    const warnings = harness.log.filter(
      (line) => line.includes("client_ip_header") && line.includes("proxy"),
    );
    expect(warnings.filter((line) => !line.startsWith("request refused"))).toHaveLength(1);
  });

  test("that sends no client address locks nobody out", async () => {
    await reopen({ trustedProxies: ["unix"] });
    for (let count = 0; count < 20; count++) {
      const response = await harness.send("/webhook?verify_token=wrong", {}, "unix");
      expect(response.status).toBe(401);
    }
    const known = { "x-forwarded-for": "198.51.100.4" };
    expect((await handshake(known, "unix")).status).toBe(200);
    expect((await post(known, "unix")).status).toBe(200);
  });

  test.each(["X-Real-IP", "CF-Connecting-IP"])("may send it in %s", async (clientIpHeader) => {
    await reopen({ trustedProxies: ["10.0.0.0/8"], clientIpHeader });
    const headers = { [clientIpHeader]: "203.0.113.5", "x-forwarded-for": "198.51.100.4" };
    expect((await handshake(headers, "10.0.0.1")).status).toBe(200);
    expect(await harness.store.findClient("webhook", "203.0.113.5")).not.toBeNull();
    expect((await post({ [clientIpHeader]: "203.0.113.6" }, "10.0.0.1")).status).toBe(401);
  });
});

describe("refused request", () => {
  const github = "/github-webhook";
  const signed = (event: string, body: string) => delivery(event, body);
  const json = { method: "POST", body: "{}", headers: { "content-type": "application/json" } };
  const cases: [code: string, path: string, init: RequestInit | Promise<RequestInit>][] = [
    ["method_not_allowed", github, { method: "PUT" }],
    ["payload_too_large", github, { ...json, body: "x".repeat(70_000) }],
    ["unsupported_media_type", github, { method: "POST", body: "x" }],
    ["signature_missing", github, json],
    ["signature_mismatch", github, { ...json, headers: { ...json.headers, "x-hub-signature-256": "x" } }],
    ["invalid_payload", github, signed("push", "no JSON")],
    ["unexpected_payload", github, signed("push", "{}")],
    ["client_unknown", "/webhook", json],
    ["token_missing", "/webhook", {}],
    ["token_mismatch", "/webhook?verify_token=x", {}],
    ["token_repeated", "/webhook?verify_token=x&verify_token=x", {}],
  ];

  test.each(cases)("is logged, remembered and counted with the code %s", async (code, path, init) => {
    const counted: unknown[] = [];
    await reopen({ count: (...response) => void counted.push(response) });
    const response = await harness.send(path, await init);
    const { status } = (await response.json()) as { status: string };
    const source = path === github ? "github" : "webhook";
    expect(counted).toEqual([[source, status, code]]);
    expect(harness.log).toHaveLength(1);
    expect(fieldsOf(harness.log[0] ?? "")).toMatchObject({ source, client: "192.0.2.1", code });
    const { items } = harness.refusals.list(null, { limit: 10, before: null });
    expect(items).toMatchObject([{ source, client: "192.0.2.1", code }]);
  });
});

describe("local proxy that is not in trusted_proxies", () => {
  const headers = { "x-forwarded-for": "203.0.113.7" };
  const warnings = () => messagesOf(harness.log.filter((line) => line.includes("trusted_proxies")));

  test("is logged once", async () => {
    await reopen({});
    for (const peer of ["192.0.2.1", null]) await harness.send("/webhook", { headers }, peer);
    await harness.send("/webhook", {}, "127.0.0.1");
    expect(warnings()).toEqual([]);
    for (const peer of ["::ffff:127.0.0.1", "::1"]) await harness.send("/webhook", { headers }, peer);
    expect(warnings()).toHaveLength(1);
    expect(warnings()).toMatchSnapshot();
  });

  test("is not logged when another proxy is trusted", async () => {
    await reopen({ trustedProxies: ["10.0.0.0/8"] });
    await harness.send("/webhook", { headers }, "127.0.0.1");
    expect(warnings()).toEqual([]);
  });
});

describe("request from an address outside the IP allowlist", () => {
  test("returns 401 before its body is read and stores nothing", async () => {
    const harness = await openPublic({ isAllowed: (source) => source.name !== "github" });
    const body = new ReadableStream({
      pull() {
        throw new Error("the body was read");
      },
    });
    const response = await harness.send("/github-webhook", { method: "POST", body });
    expect(response.status).toBe(401);
    const { reason, others } = await readReason(response);
    expect(others).toEqual({ status: "not authorised" });
    expect(await harness.countStored()).toBe(0);
    expect(harness.log.map(fieldsOf)).toMatchObject([
      { source: "github", client: "192.0.2.1", code: "address_not_allowed" },
    ]);
    expect([reason, ...messagesOf(harness.log)]).toMatchSnapshot();
    await harness.close();
  });
});

describe("address that sends wrong tokens", () => {
  const handshake = (harness: PublicHarness, token: string, peer?: string) =>
    harness.send("/webhook", { headers: { authorization: `Bearer ${token}` } }, peer);

  test("gets 429 after ten attempts in a minute, also for a correct token, while other addresses do not", async () => {
    const harness = await openPublic();
    for (let time = 0; time < 10; time++)
      expect((await handshake(harness, `wrong ${time}`)).status).toBe(401);
    const response = await handshake(harness, VERIFY_TOKEN);
    expect(response.status).toBe(429);
    expect(response.headers.get("retry-after")).toBe("60");
    expect(await response.json()).toEqual({ status: "too many attempts" });
    expect((await handshake(harness, VERIFY_TOKEN, "192.0.2.9")).status).toBe(200);
    harness.clock.advance(60_000);
    expect((await handshake(harness, VERIFY_TOKEN)).status).toBe(200);
    await harness.close();
  });

  test("can still send requests without a token, which do not count, and POST as an authorised client", async () => {
    const harness = await openPublic();
    expect((await handshake(harness, VERIFY_TOKEN)).status).toBe(200);
    for (let time = 0; time < 20; time++) expect((await harness.send("/webhook")).status).toBe(401);
    expect((await handshake(harness, "wrong")).status).toBe(401);
    for (let time = 0; time < 10; time++) await handshake(harness, "wrong");
    const post = { method: "POST", headers: { "content-type": "application/json" }, body: "{}" };
    expect((await harness.send("/webhook", post)).status).toBe(200);
    await harness.close();
  });
});
