import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { sign } from "@octokit/webhooks-methods";
import { Fault } from "../../src/domain/fault.ts";
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

/** The promise behind every refusal: no delivery, no deployment, nobody woken, nothing printed, no secret told. */
async function expectNothingHappened(): Promise<void> {
  expect(await harness.kept()).toBe(0);
  expect(harness.woken()).toBe(0);
  expect(harness.printed).toEqual([]);
  expect(harness.log.join("\n")).not.toContain(GITHUB_SECRET);
  expect(harness.log.join("\n")).not.toContain(VERIFY_TOKEN);
}

describe("a github source", () => {
  test("answers pong to a ping, also to a repeated one, and keeps each", async () => {
    for (const id of [1, 2]) {
      const response = await harness.send("/github-webhook", await delivery("ping", pingBody()));
      expect(response.status).toBe(200);
      expect(await response.json()).toEqual({ status: "pong", delivery: id });
    }
    expect(harness.woken()).toBe(0);
  });

  test("answers 202 with the deployment to a push that a target watches", async () => {
    const body = pushBody();
    const response = await harness.send("/github-webhook", await delivery("push", body));
    expect(response.status).toBe(202);
    expect(await response.json()).toEqual({
      status: "ok",
      delivery: 1,
      deployments: [{ id: 1, target: "blog" }],
    });
    expect(harness.woken()).toBe(1);
    const kept = await harness.store.readDelivery(1);
    expect(Buffer.from(kept?.body ?? []).toString()).toBe(body);
    expect(kept).toMatchObject({
      source: "github",
      event: "push",
      status: "ok",
      reason: null,
      client: "192.0.2.1",
      identity: { id: "72d3162e-cc78-11e3-81ab-4c9367dc0958", hook: null },
      decisions: [{ target: "blog", deploy: true, reason: null }],
      deployments: [1],
    });
  });

  test("takes GitHub's default form as well", async () => {
    const body = `payload=${encodeURIComponent(pushBody())}`;
    const type = { "content-type": "application/x-www-form-urlencoded" };
    const response = await harness.send("/github-webhook", await delivery("push", body, type));
    expect(response.status).toBe(202);
  });

  test("takes a signature by any of its secrets, so that one can be rotated", async () => {
    const body = pushBody();
    const signature = await sign("an older secret, still valid", body);
    const response = await harness.send(
      "/github-webhook",
      await delivery("push", body, { "x-hub-signature-256": signature }),
    );
    expect(response.status).toBe(202);
  });

  test.each([
    [{ ref: "refs/heads/feature/main" }, 'blog: branch "feature/main" is not "main"'],
    [{ ref: "refs/tags/main" }, 'blog: tag "main" is not branch "main"'],
    [
      { deleted: true, after: "0".repeat(40), head_commit: null, commits: [] },
      'blog: branch "main" was deleted',
    ],
    [{ full_name: "octocat/other" }, 'blog: repository "octocat/other" is not "octocat/blog"'],
    [{ ref: "refs/heads/$(touch${IFS}x)" }, 'blog: branch "$(touch${IFS}x)" is not "main"'],
    [{ ref: "refs/heads/;id" }, 'blog: branch ";id" is not "main"'],
    [{ ref: "refs/heads/--upload-pack=x" }, 'blog: branch "--upload-pack=x" is not "main"'],
  ])("skips a push %p and says why", async (changes, reason) => {
    const response = await harness.send("/github-webhook", await delivery("push", pushBody(changes)));
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({ status: "skipped", delivery: 1, reason });
    expect(await harness.store.readDelivery(1)).toMatchObject({ status: "skipped", reason, deployments: [] });
    expect(harness.log.join("\n")).toContain(JSON.stringify(reason));
    expect(harness.woken()).toBe(0);
  });

  test("names what did not fit target by target, and deploys the ones that fit", async () => {
    const dev = { repository: "octocat/blog", ref: { kind: "branch", name: "dev" }, cloneUrl: "x" } as const;
    await reopen({ targets: [targetOf("blog"), targetOf("preview", { watch: dev }), targetOf("BLOG-2")] });
    const response = await harness.send(
      "/github-webhook",
      await delivery("push", pushBody({ full_name: "Octocat/Blog" })),
    );
    expect(response.status).toBe(202);
    expect(await response.json()).toEqual({
      status: "ok",
      delivery: 1,
      deployments: [
        { id: 1, target: "blog" },
        { id: 2, target: "BLOG-2" },
      ],
      reason: 'preview: branch "main" is not "dev"',
    });
  });

  test("skips another event, and says so when no target listens", async () => {
    const issues = await harness.send("/github-webhook", await delivery("issues", '{"action":"opened"}'));
    expect(issues.status).toBe(200);
    expect(await issues.json()).toEqual({
      status: "skipped",
      delivery: 1,
      reason: 'blog: event "issues" is not a push',
    });
    await reopen({});
    const push = await harness.send("/github-webhook", await delivery("push", pushBody()));
    expect(await push.json()).toEqual({
      status: "skipped",
      delivery: 1,
      reason: "no target listens to source github",
    });
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
  ])("answers 401 and keeps nothing when the signature is %s", async (_what, signature) => {
    const request = await delivery("push", pushBody());
    const headers = new Headers(request.headers);
    if (signature === null) headers.delete("x-hub-signature-256");
    else headers.set("x-hub-signature-256", signature);
    const response = await harness.send("/github-webhook", { ...request, headers });
    expect(response.status).toBe(401);
    expect(await response.json()).toEqual({ status: "signature verification failed" });
    await expectNothingHappened();
  });

  test("answers 401 and keeps nothing when only the old SHA-1 signature is right", async () => {
    const request = await delivery("push", "Hello, World!");
    const headers = new Headers(request.headers);
    headers.delete("x-hub-signature-256");
    headers.set("x-hub-signature", "sha1=01dc10d0c83e72ed246219cdd91669667fe2ca59");
    const response = await harness.send("/github-webhook", { ...request, headers });
    expect(response.status).toBe(401);
    await expectNothingHappened();
  });

  test("answers 401 and keeps nothing when a form is signed over its decoded payload", async () => {
    const json = pushBody();
    const request = await delivery("push", `payload=${encodeURIComponent(json)}`, {
      "content-type": "application/x-www-form-urlencoded",
      "x-hub-signature-256": await sign(GITHUB_SECRET, json),
    });
    expect((await harness.send("/github-webhook", request)).status).toBe(401);
    await expectNothingHappened();
  });

  test.each([
    [400, "no JSON", "push", "not json"],
    [400, "no JSON after a byte order mark", "push", "\ufeff{}"],
    [400, "without an event name", "", "{}"],
    [422, "not the shape of a push", "push", '{"ref":"refs/heads/main"}'],
    [422, "a push under the name of a ping", "ping", pushBody()],
    [422, "a push under another event's name", "issues", pushBody()],
    [422, "a ping under the name of a push", "push", pingBody()],
  ])("answers %d and keeps nothing when a signed body is %s", async (code, _what, event, body) => {
    const response = await harness.send("/github-webhook", await delivery(event, body));
    expect(response.status).toBe(code);
    expect(await response.json()).toMatchObject({ status: "invalid payload", reason: expect.any(String) });
    await expectNothingHappened();
  });

  test("answers 400 and keeps nothing when a signed body is not UTF-8", async () => {
    const body = new Uint8Array([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]);
    const signature = `sha256=${new Bun.CryptoHasher("sha256", GITHUB_SECRET).update(body).digest("hex")}`;
    const request = await delivery("push", "x", { "x-hub-signature-256": signature });
    const response = await harness.send("/github-webhook", { ...request, body });
    expect(response.status).toBe(400);
    await expectNothingHappened();
  });

  test("names the fields that are wrong and never their values", async () => {
    const body = pushBody({ after: "hunter2", deleted: "hunter3" });
    const response = await harness.send("/github-webhook", await delivery("push", body));
    expect(response.status).toBe(422);
    const { reason } = (await response.json()) as { reason: string };
    expect(reason).toContain("/after");
    expect(reason).toContain("/deleted");
    expect(reason + harness.log.join("\n")).not.toContain("hunter");
  });

  test("keeps only headers that are on its list", async () => {
    const request = await delivery("push", pushBody(), {
      "user-agent": "GitHub-Hookshot/044aadd",
      "x-github-hook-id": "292430182",
      authorization: "Bearer swordfish",
      cookie: "swordfish",
      "x-github-encoded-secret": "swordfish",
    });
    await harness.send("/github-webhook?token=swordfish", request);
    const kept = await harness.store.readDelivery(1);
    expect(Object.keys(kept?.headers ?? {}).sort()).toEqual([
      "content-type",
      "user-agent",
      "x-github-delivery",
      "x-github-event",
      "x-github-hook-id",
    ]);
    expect(JSON.stringify(kept) + harness.log.join("\n")).not.toContain("swordfish");
  });
});

describe("a push that came before", () => {
  const from = (id: string, hook: string) => ({ "x-github-delivery": id, "x-github-hook-id": hook });
  const send = async (body: string, headers: Record<string, string>) =>
    (await harness.send("/github-webhook", await delivery("push", body, headers))).json();

  test("runs again when somebody pressed Redeliver: same id, same hook", async () => {
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
    ["through a second hook", pushBody({ organization: { login: "octocat" } }), from("a", "2")],
    ["under a new id", pushBody(), from("b", "1")],
    ["without an id", pushBody(), { "x-github-delivery": "b", "x-github-hook-id": "9" }],
  ])("is a duplicate of the first %s, and runs nothing", async (_how, body, headers) => {
    await send(pushBody(), from("a", "1"));
    const kept = await harness.kept();
    expect(await send(body, headers)).toEqual({ status: "duplicate", delivery: 1 });
    expect(await harness.kept()).toBe(kept);
    expect(harness.woken()).toBe(1);
  });

  test("does not count when it was refused", async () => {
    const request = await delivery("push", pushBody(), { "x-hub-signature-256": `sha256=${"0".repeat(64)}` });
    expect((await harness.send("/github-webhook", request)).status).toBe(401);
    expect(await send(pushBody(), from("a", "1"))).toMatchObject({ status: "ok", delivery: 1 });
  });

  test("may be a ping, or an event that does nothing", async () => {
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

describe("a generic source", () => {
  const show = (query: string, headers: Record<string, string> = {}, peer?: string) =>
    harness.send(`/webhook${query}`, { headers }, peer);

  test("answers 401 to a stranger's POST and keeps nothing", async () => {
    const response = await harness.send("/webhook", hello);
    expect(response.status).toBe(401);
    expect(await response.json()).toEqual({ status: "not authorised" });
    await expectNothingHappened();
  });

  test.each([
    ["?verify_token=", `?verify_token=${VERIFY_TOKEN}`, {}],
    ["a Bearer header", "", { authorization: `Bearer ${VERIFY_TOKEN}` }],
    ["hub.verify_token", `?hub.mode=subscribe&hub.verify_token=${VERIFY_TOKEN}`, {}],
  ])(
    "admits the client's address to this source when it shows the token by %s",
    async (_form, query, headers) => {
      const shown = await show(query, headers);
      expect(shown.status).toBe(200);
      expect(await shown.json()).toEqual({ status: "success" });
      const posted = await harness.send("/webhook", hello);
      expect(posted.status).toBe(200);
      expect(await posted.json()).toEqual({ status: "success", delivery: 1 });
      expect((await harness.send("/webhook", hello, "192.0.2.2")).status).toBe(401);
      expect(harness.log.join("\n")).not.toContain(VERIFY_TOKEN);
    },
  );

  test("says in the log who was let in and who was not, and nothing of what they showed", async () => {
    await show("?verify_token=a-wrong-one");
    await harness.send("/webhook", hello, "192.0.2.2");
    await harness.send("/github-webhook", {
      ...hello,
      headers: { "content-type": "application/json", "x-hub-signature-256": "sha256=0" },
    });
    await show(`?verify_token=${VERIFY_TOKEN}`);
    const lines = harness.log.join("\n");
    for (const words of [
      "refused a client: bad token",
      "refused a delivery: not authorised",
      "authorised a client",
    ])
      expect(lines).toContain(words);
    expect(lines).toContain("refused a delivery: signature verification failed");
    for (const shown of ["a-wrong-one", VERIFY_TOKEN, "sha256=0"]) expect(lines).not.toContain(shown);
  });

  test("echoes a hub.challenge as plain text", async () => {
    const response = await show(
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
      "shown in two ways",
      `?verify_token=${VERIFY_TOKEN}&hub.mode=subscribe&hub.verify_token=${VERIFY_TOKEN}`,
    ],
    ["shown without hub.mode", `?hub.verify_token=${VERIFY_TOKEN}`],
    ["cut short", `?verify_token=${VERIFY_TOKEN.slice(0, -1)}`],
  ])("answers 401 and admits nobody when the token is %s", async (_what, query) => {
    const response = await show(query);
    expect(response.status).toBe(401);
    expect(await response.json()).toEqual({ status: "bad token" });
    expect((await harness.send("/webhook", hello)).status).toBe(401);
    await expectNothingHappened();
  });

  test("admits until the time ran out, then forgets; a POST does not extend it, another GET does", async () => {
    await show(`?verify_token=${VERIFY_TOKEN}`);
    harness.clock.advance(DAY);
    expect((await harness.send("/webhook", hello)).status).toBe(200);
    harness.clock.advance(1);
    const late = await harness.send("/webhook", hello);
    expect(late.status).toBe(401);
    expect(await late.json()).toEqual({ status: "authorisation timeout" });
    expect(await (await harness.send("/webhook", hello)).json()).toEqual({ status: "not authorised" });
    await show(`?verify_token=${VERIFY_TOKEN}`);
    harness.clock.advance(DAY - 1);
    await show(`?verify_token=${VERIFY_TOKEN}`);
    harness.clock.advance(DAY - 1);
    expect((await harness.send("/webhook", hello)).status).toBe(200);
  });

  test("takes an IPv4 address and its IPv6-mapped form for one client", async () => {
    await show(`?verify_token=${VERIFY_TOKEN}`, {}, "::ffff:192.0.2.9");
    expect((await harness.send("/webhook", hello, "192.0.2.9")).status).toBe(200);
    expect((await harness.send("/webhook", hello, "::FFFF:c000:0209")).status).toBe(200);
  });

  test("does not open a github source", async () => {
    await show(`?verify_token=${VERIFY_TOKEN}`);
    const response = await harness.send("/github-webhook", hello);
    expect(response.status).toBe(401);
  });

  test("prints each accepted payload as one line of JSON, and no refused one", async () => {
    await reopen({ print: true });
    await harness.send("/webhook", { ...hello, body: '{"refused": true}' });
    await show(`?verify_token=${VERIFY_TOKEN}`);
    await harness.send("/webhook", { ...hello, body: '{\n  "two":\n "lines\u202e"}' });
    expect(harness.printed).toEqual(['{"two":"lines\\u202e"}']);
  });

  test("answers 202 with deployments when a target without a repository listens", async () => {
    await reopen({ targets: [targetOf("job", { source: "webhook", watch: null })] });
    await show(`?verify_token=${VERIFY_TOKEN}`);
    const response = await harness.send("/webhook", hello);
    expect(response.status).toBe(202);
    expect(await response.json()).toEqual({
      status: "success",
      delivery: 1,
      deployments: [{ id: 1, target: "job" }],
    });
  });

  test("answers 400 to what is not JSON and keeps nothing", async () => {
    await show(`?verify_token=${VERIFY_TOKEN}`);
    const response = await harness.send("/webhook", { ...hello, body: "hello" });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ status: "invalid payload" });
    await expectNothingHappened();
  });
});

describe("the public listener", () => {
  test.each([
    ["text/plain", {}],
    ["application/xml", {}],
    ["application/json; charset=latin1", {}],
    ["application/json", { "content-encoding": "gzip" }],
    ["application/json", { "content-encoding": "identity" }],
  ])("answers 415 to %s %p", async (type, headers) => {
    const request = await delivery("push", pushBody(), { "content-type": type, ...headers });
    const response = await harness.send("/github-webhook", request);
    expect(response.status).toBe(415);
    expect(await response.json()).toMatchObject({ status: "unsupported media type" });
    await expectNothingHappened();
  });

  test("takes a body of exactly max_body and answers 413 to one byte more, with and without its length told", async () => {
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
    expect(await harness.kept()).toBe(1);
  });

  test.each([
    ["GET", "/github-webhook", "POST"],
    ["PUT", "/github-webhook", "POST"],
    ["OPTIONS", "/github-webhook", "POST"],
    ["HEAD", "/github-webhook", "POST"],
    ["DELETE", "/webhook", "GET, POST"],
    ["HEAD", "/webhook", "GET, POST"],
    ["POST", "/healthz", "GET, HEAD"],
  ])("answers 405 to %s %s and names the methods", async (method, path, allow) => {
    const response = await harness.send(path, { method });
    expect(response.status).toBe(405);
    expect(response.headers.get("allow")).toBe(allow);
    await expectNothingHappened();
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
  ])("answers 404 to %s and never redirects", async (path) => {
    const response = await harness.send(path, await delivery("push", pushBody()));
    expect(response.status).toBe(404);
    expect(await response.json()).toEqual({ status: "not found" });
    await expectNothingHappened();
  });

  test.each(["x", "app", "localhost:9000", "a b%%[[", ""])(
    "routes alike whatever Host says: %p",
    async (host) => {
      const base = host === "" ? "" : `http://${host}`;
      const request = (path: string, init?: RequestInit) => {
        const made = new Request(`http://hooks.test${path}`, init);
        // What the runtime hands over for an odd Host is no URL that a constructor would take.
        Object.defineProperty(made, "url", { value: `${base}${path}` });
        return made;
      };
      expect((await harness.handle(request("/healthz"))).status).toBe(200);
      expect((await harness.handle(request("/foo/webhook", hello))).status).toBe(404);
      const shown = await harness.handle(request(`/webhook?verify_token=${VERIFY_TOKEN}`));
      expect(shown.status).toBe(200);
      const posted = await harness.handle(request("/webhook", hello));
      expect(await posted.json()).toEqual({ status: "success", delivery: 1 });
      expect((await harness.handle(request("/webhook?verify_token=swordfish"))).status).toBe(401);
      expect(harness.log.join("\n")).not.toContain("swordfish");
    },
  );

  test("answers 503 to the largest body when too much is held for strangers, and serves the others", async () => {
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
    expect(await harness.kept()).toBe(1);
  });

  test("takes a push although many say that they send, and send nothing", async () => {
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

  test("says at /healthz that it is there", async () => {
    const response = await harness.send("/healthz");
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({ status: "ok" });
  });

  test("answers 503 with Retry-After while it shuts down, and keeps nothing", async () => {
    harness.drain();
    for (const path of ["/github-webhook", "/healthz"]) {
      const response = await harness.send(path, await delivery("push", pushBody()));
      expect(response.status).toBe(503);
      expect(response.headers.get("retry-after")).toBe("30");
      expect(await response.json()).toEqual({ status: "unavailable" });
    }
    await expectNothingHappened();
  });

  test("answers 503 with Retry-After when the store cannot keep it", async () => {
    const accept = () => Promise.reject(new Fault("unavailable", "the disk is full"));
    await reopen({ targets: [targetOf("blog")], print: true, store: { accept } });
    const response = await harness.send("/github-webhook", await delivery("push", pushBody()));
    expect(response.status).toBe(503);
    expect(response.headers.get("retry-after")).toBe("30");
    expect(await response.json()).toEqual({ status: "unavailable" });
    await expectNothingHappened();
  });

  test("tells of ten requests a second that cannot be kept, however many there are", async () => {
    const accept = () => Promise.reject(new Fault("unavailable", "the disk is full"));
    await reopen({ store: { accept } });
    for (let count = 0; count < 20; count++) {
      const response = await harness.send("/github-webhook", await delivery("push", pushBody()));
      expect(response.status).toBe(503);
    }
    const told = harness.log.filter((line) => line.includes("the disk is full"));
    expect(told).toHaveLength(10);
  });

  test("answers 500 with an id that the log has too, and never the fault's text", async () => {
    await reopen({ store: { accept: () => Promise.reject(new Error("secret path /etc/passwd")) } });
    const response = await harness.send("/github-webhook", await delivery("push", pushBody()));
    expect(response.status).toBe(500);
    const text = await response.text();
    const { status, id } = JSON.parse(text);
    expect(status).toBe("internal error");
    expect(text).not.toContain("passwd");
    expect(harness.log.join("\n")).toContain(id);
  });

  test("takes the client's address from X-Forwarded-For only where a trusted proxy sends it", async () => {
    await reopen({ trustedProxies: ["10.0.0.0/8"] });
    const from = (peer: string, forwardedFor: string) => ({
      peer,
      headers: { "x-forwarded-for": forwardedFor },
    });
    const show = ({ peer, headers }: ReturnType<typeof from>) =>
      harness.send(`/webhook?verify_token=${VERIFY_TOKEN}`, { headers }, peer);
    await show(from("10.0.0.1", "203.0.113.7, 198.51.100.4, 10.9.9.9"));
    await show(from("192.0.2.66", "203.0.113.8"));
    expect(await harness.store.findClient("webhook", "198.51.100.4")).not.toBeNull();
    expect(await harness.store.findClient("webhook", "192.0.2.66")).not.toBeNull();
    for (const address of ["203.0.113.7", "203.0.113.8", "10.0.0.1", "10.9.9.9"]) {
      expect(await harness.store.findClient("webhook", address)).toBeNull();
    }
  });
});

describe("a proxy on this machine that nobody named", () => {
  const headers = { "x-forwarded-for": "203.0.113.7" };
  const told = () => harness.log.filter((line) => line.includes("name it in trusted_proxies"));

  test("is told in the log, once", async () => {
    await reopen({});
    for (const peer of ["192.0.2.1", null]) await harness.send("/webhook", { headers }, peer);
    await harness.send("/webhook", {}, "127.0.0.1");
    expect(told()).toEqual([]);
    for (const peer of ["::ffff:127.0.0.1", "::1"]) await harness.send("/webhook", { headers }, peer);
    expect(told()).toHaveLength(1);
  });

  test("is none where proxies are named", async () => {
    await reopen({ trustedProxies: ["10.0.0.0/8"] });
    await harness.send("/webhook", { headers }, "127.0.0.1");
    expect(told()).toEqual([]);
  });
});

describe("a request from an address that may not send", () => {
  test("is answered 401 before its body is read, and nothing of it is kept", async () => {
    const harness = await openPublic({ isAllowed: (source) => source.name !== "github" });
    const body = new ReadableStream({
      pull() {
        throw new Error("nobody reads this");
      },
    });
    const response = await harness.send("/github-webhook", { method: "POST", body });
    expect(response.status).toBe(401);
    expect(await response.json()).toEqual({
      status: "not authorised",
      reason: "this address may not send here",
    });
    expect(await harness.kept()).toBe(0);
    expect(harness.log.join()).toContain("its address is not among those allowed");
    await harness.close();
  });
});

describe("an address that shows wrong tokens", () => {
  const show = (harness: PublicHarness, token: string, peer?: string) =>
    harness.send("/webhook", { headers: { authorization: `Bearer ${token}` } }, peer);

  test("is answered 429 after the tenth in a minute, the right one included, and others are not", async () => {
    const harness = await openPublic();
    for (let time = 0; time < 10; time++) expect((await show(harness, `wrong ${time}`)).status).toBe(401);
    const response = await show(harness, VERIFY_TOKEN);
    expect(response.status).toBe(429);
    expect(response.headers.get("retry-after")).toBe("60");
    expect(await response.json()).toEqual({ status: "too many attempts" });
    expect((await show(harness, VERIFY_TOKEN, "192.0.2.9")).status).toBe(200);
    harness.clock.advance(60_000);
    expect((await show(harness, VERIFY_TOKEN)).status).toBe(200);
    await harness.close();
  });

  test("may go on without a token, which is no guess, and may POST as the client that it is", async () => {
    const harness = await openPublic();
    expect((await show(harness, VERIFY_TOKEN)).status).toBe(200);
    for (let time = 0; time < 20; time++) expect((await harness.send("/webhook")).status).toBe(401);
    expect((await show(harness, "wrong")).status).toBe(401);
    for (let time = 0; time < 10; time++) await show(harness, "wrong");
    const post = { method: "POST", headers: { "content-type": "application/json" }, body: "{}" };
    expect((await harness.send("/webhook", post)).status).toBe(200);
    await harness.close();
  });
});
