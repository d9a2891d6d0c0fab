import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { gunzipSync } from "node:zlib";
import { isSameOrigin } from "../../src/http/admin/session.ts";
import { secretOf } from "../support/public.ts";
import { type AdminHarness, HOST, openAdmin, TOKEN } from "./admin-harness.ts";
import { messagesOf } from "./log-lines.ts";
import { readEvents } from "./read-events.ts";

let admin: AdminHarness;

beforeEach(async () => {
  admin = await openAdmin();
});

afterEach(() => admin.close());

const SAME_ORIGIN = { "sec-fetch-site": "same-origin" };

interface Parts {
  readonly headers?: Record<string, string>;
  readonly body?: string;
  readonly host?: string;
  readonly peer?: string;
}

/** Sends a request without the token. */
function send(
  method: string,
  path: string,
  { headers = {}, body, host = HOST, peer = "127.0.0.1" }: Parts = {},
) {
  const init = { method, headers: { host, ...headers }, ...(body === undefined ? {} : { body }) };
  return admin.send(new Request(`http://${host}${path}`, init), peer);
}

/** Logs in with a token and returns the response. */
function logIn(token: string = TOKEN, parts: Parts = {}) {
  const headers = { "content-type": "application/json", ...SAME_ORIGIN, ...parts.headers };
  return send("POST", "/api/session", { body: JSON.stringify({ token }), ...parts, headers });
}

/** The cookie of a response as a browser sends it back. */
function cookieOf(response: Response): string {
  return (response.headers.get("set-cookie") ?? "").split(";")[0] ?? "";
}

const withCookie = (cookie: string, more: Record<string, string> = SAME_ORIGIN) => ({
  headers: { cookie, ...more },
});

describe("the page", () => {
  test.each([
    ["/", "text/html; charset=utf-8"],
    ["/dashboard.js", "text/javascript; charset=utf-8"],
    ["/dashboard.css", "text/css; charset=utf-8"],
    ["/dashboard.svg", "image/svg+xml"],
  ])("needs no session and allows nothing but its own files: %s", async (path, type) => {
    const response = await send("GET", path, { headers: { "accept-encoding": "gzip, br" } });
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toBe(type);
    const policy = response.headers.get("content-security-policy") ?? "";
    expect(policy.split("; ")).toEqual([
      "default-src 'none'",
      "script-src 'self'",
      "style-src 'self'",
      "img-src 'self'",
      "connect-src 'self'",
      "base-uri 'none'",
      "form-action 'none'",
      "frame-ancestors 'none'",
      "require-trusted-types-for 'script'",
      "trusted-types 'none'",
    ]);
    expect(response.headers.get("x-content-type-options")).toBe("nosniff");
    expect(response.headers.get("cross-origin-resource-policy")).toBe("same-origin");
    expect(response.headers.get("set-cookie")).toBeNull();
    expect(response.headers.get("content-encoding")).toBe("gzip");
    const plain = await send("GET", path);
    expect(plain.headers.get("content-encoding")).toBeNull();
    expect(gunzipSync(await response.bytes()).toString()).toBe(await plain.text());
  });

  test("is sent again only when it has changed", async () => {
    const etag = (await send("GET", "/dashboard.js")).headers.get("etag") ?? "";
    const again = await send("GET", "/dashboard.js", { headers: { "if-none-match": etag } });
    expect([again.status, await again.text()]).toEqual([304, ""]);
    const other = await send("GET", "/dashboard.js", { headers: { "if-none-match": '"other"' } });
    expect(other.status).toBe(200);
    expect(await (await send("HEAD", "/dashboard.js")).text()).toBe("");
  });

  test("is not served under another host name", async () => {
    expect((await send("GET", "/", { host: "evil.example:9001" })).status).toBe(421);
    expect((await logIn(TOKEN, { host: "evil.example:9001" })).status).toBe(421);
  });
});

describe("a login", () => {
  test("starts a session with a cookie for this server only, which the page cannot read", async () => {
    const response = await logIn();
    expect(response.status).toBe(200);
    expect(response.headers.get("set-cookie")).toMatch(
      /^hooklatch_session_9001=v1\.\d+\.\d+\.[0-9a-f]{32}\.[0-9a-f]{64}; Path=\/; Max-Age=43200; HttpOnly; SameSite=Strict$/,
    );
    expect(await response.text()).not.toContain(TOKEN);
    const cookie = cookieOf(response);
    expect((await send("GET", "/api/status", withCookie(cookie))).status).toBe(200);
    expect(await (await send("GET", "/api/session", withCookie(cookie))).json()).toEqual({ status: "open" });
    expect(messagesOf(admin.log)).toEqual(["login to the dashboard"]);
    expect(admin.log.join("")).not.toContain(TOKEN);
  });

  test("through HTTPS gets a cookie that the browser sends over HTTPS only", async () => {
    const headers = { "sec-fetch-site": "same-origin", origin: "https://hooklatch.internal" };
    const response = await logIn(TOKEN, { host: "hooklatch.internal", headers });
    expect(response.headers.get("set-cookie")).toMatch(
      /^__Host-hooklatch_session_default=\S+; Path=\/; Max-Age=43200; HttpOnly; SameSite=Strict; Secure$/,
    );
    const later = await send("GET", "/api/status", {
      host: "hooklatch.internal",
      ...withCookie(cookieOf(response)),
    });
    expect(later.status).toBe(200);
  });

  test("with a wrong token starts no session, and is logged without the token", async () => {
    const response = await logIn("a wrong token");
    expect(response.status).toBe(401);
    expect(response.headers.get("set-cookie")).toBeNull();
    expect(messagesOf(admin.log)).toEqual(["login to the dashboard refused: wrong token"]);
    expect(admin.log.join("")).not.toContain("a wrong token");
  });

  test("has to wait after ten wrong tokens of the address, also with the right one", async () => {
    for (let count = 0; count < 10; count += 1) expect((await logIn(`guess ${count}`)).status).toBe(401);
    const refused = await logIn();
    expect([refused.status, refused.headers.get("retry-after")]).toEqual([429, "60"]);
    expect(refused.headers.get("set-cookie")).toBeNull();
    // Another address, and a command on this machine, are not affected.
    expect((await logIn(TOKEN, { peer: "192.0.2.9" })).status).toBe(200);
    expect((await admin.request("GET", "/api/status", { peer: "127.0.0.1" })).status).toBe(200);
    admin.clock.advance(61_000);
    expect((await logIn()).status).toBe(200);
  });

  test.each([
    ["another site", { "sec-fetch-site": "cross-site" }],
    ["another port of the host", { "sec-fetch-site": "same-site" }],
    ["an address that was typed", { "sec-fetch-site": "none" }],
    ["another origin", { "sec-fetch-site": "", origin: "http://127.0.0.1:8080" }],
  ])("from %s is refused", async (_what, { "sec-fetch-site": site, ...headers }) => {
    const body = JSON.stringify({ token: TOKEN });
    const all = {
      "content-type": "application/json",
      ...headers,
      ...(site !== "" && { "sec-fetch-site": site }),
    };
    const response = await send("POST", "/api/session", { body, headers: all });
    expect([response.status, response.headers.get("set-cookie")]).toEqual([403, null]);
  });

  test.each([
    ["no JSON", "token", 400],
    ["no token", "{}", 422],
    ["a number", '{"token":5}', 422],
    ["nothing", "", 422],
    ["a list", "[]", 422],
  ])("with %s is refused", async (_what, body, code) => {
    const headers = { "content-type": "application/json", ...SAME_ORIGIN };
    expect((await send("POST", "/api/session", { body, headers })).status).toBe(code);
  });

  test("as a form is refused", async () => {
    const headers = { "content-type": "application/x-www-form-urlencoded", ...SAME_ORIGIN };
    expect((await send("POST", "/api/session", { body: `token=${TOKEN}`, headers })).status).toBe(415);
  });
});

describe("a session", () => {
  let cookie = "";

  beforeEach(async () => {
    cookie = cookieOf(await logIn());
  });

  const isOpen = async (more: Record<string, string> = SAME_ORIGIN) =>
    (await send("GET", "/api/status", withCookie(cookie, more))).status;

  test.each([
    ["another site", { "sec-fetch-site": "cross-site" }],
    ["another port of the host", { "sec-fetch-site": "same-site" }],
    ["no page at all", { "sec-fetch-site": "none" }],
    ["an old browser's other origin", { origin: "http://127.0.0.1:8080" }],
    ["an old browser's image", {}],
    ["a sandboxed page", { origin: "null" }],
  ])("does not open a request from %s, and nothing changes", async (_what, headers) => {
    const before = await admin.readStore();
    for (const path of [
      "/api/status",
      "/api/events",
      "/openapi.json",
      "/metrics",
      "/api/deployments/1/log",
    ]) {
      expect((await send("GET", path, withCookie(cookie, headers))).status).toBe(403);
    }
    const lock = { method: "POST", path: "/api/targets/blog/lock", body: '{"reason":"x"}' };
    const all = { "content-type": "application/json", ...headers };
    expect((await send(lock.method, lock.path, { ...withCookie(cookie, all), body: lock.body })).status).toBe(
      403,
    );
    expect(await admin.readStore()).toEqual(before);
  });

  test("opens a request of an old browser from this origin, and of one without fetch metadata with the page's header", async () => {
    expect(await isOpen({ origin: `http://${HOST}` })).toBe(200);
    expect(await isOpen({ "x-hooklatch-dashboard": "1" })).toBe(200);
    // A browser with fetch metadata cannot be talked round.
    expect(await isOpen({ "sec-fetch-site": "same-site", "x-hooklatch-dashboard": "1" })).toBe(403);
  });

  test("never allows another origin to send the page's header", async () => {
    const headers = { origin: "http://127.0.0.1:8080", "access-control-request-method": "GET" };
    const response = await send("OPTIONS", "/api/status", { headers });
    expect(response.status).toBe(401);
    expect([...response.headers.keys()].filter((name) => name.startsWith("access-control"))).toEqual([]);
  });

  test("changes the server like the token", async () => {
    const headers = { "content-type": "application/json", ...SAME_ORIGIN };
    const parts = { ...withCookie(cookie, headers), body: '{"reason":"freeze","by":"Mona"}' };
    expect((await send("POST", "/api/targets/blog/lock", parts)).status).toBe(200);
    expect(await admin.store.listLocks()).toMatchObject([{ target: "blog", by: "Mona" }]);
  });

  test.each([
    ["another time", (value: string) => value.replace(/^(v1\.\d+\.)(\d)/, "$19")],
    ["another login", (value: string) => value.replace(/^v1\.\d/, "v1.2")],
    ["another number", (value: string) => value.replace(/\.[0-9a-f]{32}\./, `.${"0".repeat(32)}.`)],
    ["another signature", (value: string) => value.replace(/[0-9a-f]{64}$/, "0".repeat(64))],
    ["no signature", (value: string) => value.replace(/\.[0-9a-f]{64}$/, "")],
    ["nothing", () => ""],
  ])("with %s is none", async (_what, change) => {
    const [name = "", value = ""] = cookie.split("=");
    const response = await send("GET", "/api/status", withCookie(`${name}=${change(value)}`));
    expect(response.status).toBe(401);
    expect((await send("GET", "/api/status", withCookie(`other=${value}`))).status).toBe(401);
  });

  test("is found among cookies of other servers, also under the same name", async () => {
    const all = `a=b; hooklatch_session_9001=planted; ${cookie}; hooklatch_session_9002=x`;
    expect((await send("GET", "/api/status", withCookie(all))).status).toBe(200);
  });

  test("ends 12 hours after the last request, and a request extends it", async () => {
    admin.clock.advance(11 * 3600_000);
    const response = await send("GET", "/api/status", withCookie(cookie));
    expect(response.status).toBe(200);
    const renewed = cookieOf(response);
    expect(renewed).not.toBe("");
    expect(renewed).not.toBe(cookie);
    admin.clock.advance(2 * 3600_000);
    expect(await isOpen()).toBe(401);
    cookie = renewed;
    expect(await isOpen()).toBe(200);
    admin.clock.advance(12 * 3600_000);
    expect(await isOpen()).toBe(401);
  });

  test("is extended at most once an hour, and never beyond seven days", async () => {
    admin.clock.advance(59 * 60_000);
    expect((await send("GET", "/api/status", withCookie(cookie))).headers.get("set-cookie")).toBeNull();
    let used = 0;
    for (; used < 40; used += 1) {
      admin.clock.advance(6 * 3600_000);
      const response = await send("GET", "/api/status", withCookie(cookie));
      if (response.status !== 200) break;
      cookie = cookieOf(response) || cookie;
    }
    // 59 minutes and 27 times 6 hours are less than 7 days, one time more is not.
    expect(used).toBe(27);
  });

  test("ends with the token: a server with another one does not know it", async () => {
    const other = await openAdmin({ token: secretOf("another admin token of the tests") });
    try {
      const request = new Request(`http://${HOST}/api/status`, {
        headers: { host: HOST, cookie, ...SAME_ORIGIN },
      });
      expect((await other.send(request)).status).toBe(401);
    } finally {
      await other.close();
    }
  });

  test("does not depend on the running server", async () => {
    const restarted = await openAdmin();
    try {
      const request = new Request(`http://${HOST}/api/status`, {
        headers: { host: HOST, cookie, ...SAME_ORIGIN },
      });
      expect((await restarted.send(request)).status).toBe(200);
    } finally {
      await restarted.close();
    }
  });

  test("is removed from the browser by a logout of this origin", async () => {
    const refused = await send(
      "DELETE",
      "/api/session",
      withCookie(cookie, { "sec-fetch-site": "cross-site" }),
    );
    expect([refused.status, refused.headers.get("set-cookie")]).toEqual([403, null]);
    const response = await send("DELETE", "/api/session", withCookie(cookie));
    expect(response.status).toBe(200);
    expect(response.headers.getSetCookie()).toEqual([
      "hooklatch_session_9001=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict",
      "__Host-hooklatch_session_9001=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict; Secure",
    ]);
  });

  test("reads event streams", async () => {
    const response = await send("GET", "/api/events", withCookie(cookie));
    expect(response.headers.get("content-type")).toBe("text/event-stream");
    admin.eventBus.publish({ kind: "client", source: "webhook", address: "192.0.2.1", change: "revoked" });
    const [event] = await readEvents(response, 1);
    expect(event).toMatchObject({ event: "client" });
  });

  test("never replaces a wrong token in the same request", async () => {
    const headers = { cookie, authorization: "Bearer wrong", ...SAME_ORIGIN };
    expect((await send("GET", "/api/status", { headers })).status).toBe(401);
  });
});

describe("wrong tokens", () => {
  test("of another machine have to wait, those of this machine do not", async () => {
    const show = (token: string, peer: string) =>
      admin.request("GET", "/api/status", { headers: { authorization: `Bearer ${token}` }, peer });
    for (const peer of ["192.0.2.7", "127.0.0.1", "::1"]) {
      for (let count = 0; count < 12; count += 1) await show("wrong", peer);
    }
    expect((await show(TOKEN, "192.0.2.7")).status).toBe(429);
    expect((await show(TOKEN, "127.0.0.1")).status).toBe(200);
    expect((await show(TOKEN, "::1")).status).toBe(200);
    expect((await logIn()).status).toBe(200);
  });
});

describe("without a dashboard", () => {
  test("there is no page, no login and no session", async () => {
    const cookie = cookieOf(await logIn());
    await admin.close();
    admin = await openAdmin({ dashboard: false });
    expect((await send("GET", "/")).status).toBe(404);
    for (const path of ["/dashboard.js", "/dashboard.css", "/dashboard.svg"]) {
      expect((await send("GET", path)).status).toBe(401);
      expect((await admin.request("GET", path)).status).toBe(404);
    }
    expect((await logIn()).status).toBe(401);
    expect((await send("GET", "/api/status", withCookie(cookie))).status).toBe(401);
    expect((await admin.request("GET", "/api/status")).status).toBe(200);
  });
});

describe("isSameOrigin", () => {
  const check = (headers: Record<string, string>) => isSameOrigin(new Headers(headers));

  test.each([
    ["http://[::1]:9001", "[::1]:9001", true],
    ["https://hooklatch.internal", "hooklatch.internal", true],
    ["https://hooklatch.internal", "hooklatch.internal:9001", false],
    ["http://127.0.0.1:9001", "127.0.0.1:90011", false],
    ["file://", "", false],
    ["null", "null", false],
  ])("origin %p and host %p", (origin, host, expected) => {
    expect(check({ origin, host })).toBe(expected);
  });
});
