import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { SECRET } from "../support/configuration.ts";
import { type Server, Workshop } from "../support/executable.ts";
import { deliver } from "../support/github.ts";
import { pingBody, pushBody } from "../support/payloads.ts";

setDefaultTimeout(120_000);

const TOKEN = "a token of the tests, long enough";

let workshop: Workshop;

const readAdminToken = () =>
  readFileSync(join(workshop.path, "hooklatch-data/secrets/admin.token"), "utf8").trim();

beforeEach(() => {
  workshop = new Workshop();
});

afterEach(() => workshop.dispose());

const hello = (server: Server, body: RequestInit["body"] = '{"hello":"world"}') =>
  fetch(new URL("/webhook", server.url), {
    method: "POST",
    body,
    headers: { "content-type": "application/json" },
  });

const show = (server: Server, token: string) =>
  fetch(new URL("/webhook", server.url), { headers: { authorization: `Bearer ${token}` } });

describe("a server without configuration", () => {
  test("remembers refused requests and says what to do", async () => {
    const server = await workshop.serve([], { PORT: "0" });
    await fetch(new URL("/github-webhook", server.url), {
      method: "POST",
      body: "{}",
      headers: { "content-type": "application/json", "x-github-delivery": "6f3a-11" },
    });
    await hello(server);
    const adminUrl = String(server.log.find(({ url }) => typeof url === "string")?.admin_url);
    const args = ["delivery", "list", "--refused", "--json", "--admin-url", adminUrl];
    const { stdout } = await workshop.run(args, { HOOKLATCH_ADMIN_TOKEN: readAdminToken() });
    const { items } = JSON.parse(stdout) as { items: { hint: string }[] };
    expect(items).toMatchObject([
      { source: "webhook", code: "client_unknown", client: "127.0.0.1", provider_id: null },
      { source: "github", code: "signature_missing", client: "127.0.0.1", provider_id: "6f3a-11" },
    ]);
    expect(items[1]?.hint).toContain("X-Hub-Signature-256");
  });

  test("creates secrets once, readable only by their owner, and logs their files but never their values", async () => {
    const server = await workshop.serve([], { PORT: "0" });
    const files = ["github.secret", "webhook.verify-token"].map((name) =>
      join(workshop.path, "hooklatch-data/secrets", name),
    );
    for (const file of files) {
      expect(statSync(file).mode & 0o777).toBe(0o600);
      const value = readFileSync(file, "utf8").trim();
      expect(value).toMatch(/^[0-9a-f]{64}$/);
      expect(server.stderr).toContain(file);
      expect(server.stderr + server.stdout).not.toContain(value);
    }
    expect(statSync(join(workshop.path, "hooklatch-data")).mode & 0o777).toBe(0o700);
    for (const name of readdirSync(join(workshop.path, "hooklatch-data")).filter((name) =>
      name.startsWith("hooklatch.db"),
    )) {
      expect(statSync(join(workshop.path, "hooklatch-data", name)).mode & 0o777).toBe(0o600);
    }
    const token = readFileSync(files[1] ?? "", "utf8").trim();
    await server.end("SIGTERM");
    const again = await workshop.serve([], { PORT: "0" });
    expect((await show(again, token)).status).toBe(200);
  });

  test("logs no secret that a request shows or that the configuration holds, also with --debug", async () => {
    const wrong = {
      token: "a wrong token of the tests",
      query: "a-wrong-token-in-the-query",
      user: "a wrong password",
    };
    const env = { PORT: "0", WEBHOOK_VERIFY_TOKEN: TOKEN, GITHUB_WEBHOOK_SECRET: SECRET };
    const server = await workshop.serve(["--debug"], env);
    expect((await show(server, TOKEN)).status).toBe(200);
    expect((await show(server, wrong.token)).status).toBe(401);
    for (const token of [TOKEN, wrong.query]) {
      await fetch(new URL(`/webhook?verify_token=${encodeURIComponent(token)}`, server.url));
    }
    const credentials = Buffer.from(`ada:${wrong.user}`).toString("base64");
    await fetch(new URL("/webhook", server.url), { headers: { authorization: `Basic ${credentials}` } });
    const github = new URL("/github-webhook", server.url);
    expect((await deliver(github, "ping", pingBody(), { secret: SECRET })).status).toBe(200);
    expect((await deliver(github, "ping", pingBody(), { secret: wrong.token })).status).toBe(401);
    const admin = String(server.log.find(({ url }) => typeof url === "string")?.admin_url);
    for (const token of [readAdminToken(), wrong.token]) {
      await fetch(new URL("/api/status", admin), { headers: { authorization: `Bearer ${token}` } });
    }
    await server.end("SIGTERM");
    expect(server.log.filter(({ level }) => level === "warn").length).toBeGreaterThan(3);
    const secrets = [TOKEN, SECRET, readAdminToken(), credentials, ...Object.values(wrong)];
    const shown = secrets.flatMap((secret) => [secret, encodeURIComponent(secret)]);
    expect(shown.filter((text) => (server.stderr + server.stdout).includes(text))).toEqual([]);
  });

  test.each(["", "?verify_token=", "?verify_token=undefined", "?verify_token=null"])(
    "rejects GET with %p as a bad token, and POST signed with a guessable secret",
    async (query) => {
      const server = await workshop.serve([], { PORT: "0" });
      const response = await fetch(new URL(`/webhook${query}`, server.url));
      expect(response.status).toBe(401);
      expect(await response.json()).toEqual({ status: "bad token" });
      for (const secret of ["undefined", "null", "development", "secret"]) {
        expect(
          (await deliver(new URL("/github-webhook", server.url), "ping", pingBody(), { secret })).status,
        ).toBe(401);
      }
    },
  );

  test("does not start with an empty secret in the environment", async () => {
    for (const name of ["WEBHOOK_VERIFY_TOKEN", "GITHUB_WEBHOOK_SECRET"]) {
      const { exitCode, stderr } = await workshop.run(["serve"], { [name]: "", PORT: "0" });
      expect(exitCode).toBe(2);
      expect(stderr).toContain(name);
    }
  });

  test("keeps clients authorised after a restart and prints each payload as one line of JSON", async () => {
    const env = { PORT: "0", WEBHOOK_VERIFY_TOKEN: TOKEN, GITHUB_WEBHOOK_SECRET: SECRET };
    const first = await workshop.serve([], env);
    expect((await hello(first)).status).toBe(401);
    expect((await show(first, TOKEN)).status).toBe(200);
    expect(await (await hello(first)).json()).toEqual({ status: "success", delivery: 1 });
    expect(await first.end("SIGTERM")).toBe(0);
    expect(first.stdout).toBe('{"hello":"world"}\n');

    const second = await workshop.serve([], env);
    expect(await (await hello(second)).json()).toEqual({ status: "success", delivery: 2 });
    expect(second.stderr + first.stderr).not.toContain(TOKEN);
  });

  test("loads neither .env nor bunfig.toml from the working directory", async () => {
    workshop.write(".env", `WEBHOOK_VERIFY_TOKEN=${TOKEN}\nPORT=1\n`);
    workshop.write("bunfig.toml", 'preload = ["./preload.ts"]\n');
    workshop.write("preload.ts", "await Bun.write('preloaded', '');");
    const server = await workshop.serve([], { PORT: "0" });
    expect((await show(server, TOKEN)).status).toBe(401);
    expect(readdirSync(workshop.path)).not.toContain("preloaded");
  });
});

describe("request bodies", () => {
  test("larger than max_body get 413 with and without Content-Length and are not stored", async () => {
    const config = workshop.write("hooklatch.toml", '[server]\nport = 0\nmax_body = "64KiB"\n');
    const server = await workshop.serve(["--config", config], { WEBHOOK_VERIFY_TOKEN: TOKEN });
    await show(server, TOKEN);
    const body = `"${"x".repeat(64 * 1024)}"`;
    for (const sent of [body, new Blob([body]).stream()]) {
      const response = await hello(server, sent);
      expect(response.status).toBe(413);
      expect(await response.json()).toEqual({ status: "payload too large" });
    }
    expect(await (await hello(server)).json()).toEqual({ status: "success", delivery: 1 });
  });

  test("that arrive incomplete are not stored, and the server continues", async () => {
    const server = await workshop.serve([], { PORT: "0", WEBHOOK_VERIFY_TOKEN: TOKEN });
    await show(server, TOKEN);
    const socket = connect(Number(server.url.port), server.url.hostname);
    socket.write(
      'POST /webhook HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"hello":',
    );
    await new Promise((resolve) => socket.once("connect", resolve));
    socket.destroy();
    expect(await (await hello(server)).json()).toEqual({ status: "success", delivery: 1 });
  });
});

describe("a github source", () => {
  test("returns the documented status for each kind of request", async () => {
    const server = await workshop.serve([], { PORT: "0", GITHUB_WEBHOOK_SECRET: SECRET });
    const url = new URL("/github-webhook", server.url);
    const pong = await deliver(url, "ping", pingBody(), { secret: SECRET });
    expect([pong.status, await pong.json()]).toEqual([200, { status: "pong", delivery: 1 }]);
    const skipped = await deliver(url, "push", pushBody(), { secret: SECRET, form: true });
    const { reason, ...body } = (await skipped.json()) as { reason: string };
    expect([skipped.status, body]).toEqual([200, { status: "skipped", delivery: 2 }]);
    expect(reason).toContain("github");
    expect(reason).toMatchSnapshot();
    const rejected = await deliver(url, "push", pushBody(), { secret: "another secret, just as long" });
    expect([rejected.status, await rejected.json()]).toEqual([
      401,
      { status: "signature verification failed" },
    ]);
    const invalid = await deliver(url, "push", '{"ref":1}', { secret: SECRET });
    expect(invalid.status).toBe(422);
    const nested = await deliver(url, "push", "[".repeat(100_000), { secret: SECRET });
    expect(nested.status).toBe(400);
    const get = await fetch(url);
    expect([get.status, get.headers.get("allow")]).toEqual([405, "POST"]);
    for (const path of ["/", "/github-webhook/", "/api/status", "/..%2fhealthz"]) {
      expect((await fetch(new URL(path, server.url), { redirect: "manual" })).status).toBe(404);
    }
    expect((await fetch(new URL("/healthz", server.url))).status).toBe(200);
  });
});
