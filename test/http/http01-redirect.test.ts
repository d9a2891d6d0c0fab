import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { createHttp01Redirect } from "../../src/http/http01-redirect.ts";
import { type Listener, openListener } from "../../src/http/server/listen.ts";
import { type RawAnswer, RawConnection } from "../support/raw.ts";

const TOKEN = "LoqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX0";
const KEY_AUTHORISATION = `${TOKEN}.9jg46WB3rR_AHD-EBXdN7cBkH1WOu0tA3M9fm21mqTI`;

let listener: Listener;
let lookups: string[];
let logged: { fields: unknown; message: string }[];

function open(publicPort: number): Promise<Listener> {
  const handle = createHttp01Redirect({
    async answerChallenge(token) {
      lookups.push(token);
      return token === TOKEN ? KEY_AUTHORISATION : null;
    },
    publicHost: "hooks.example.com",
    publicPort,
    sourcePaths: ["/github-webhook", "/webhook"],
    logThrottled: (fields, message) => void logged.push({ fields, message }),
  });
  return openListener({ host: "127.0.0.1", port: 0, certificate: null, maxBody: 64 * 1024, handle });
}

beforeEach(async () => {
  [lookups, logged] = [[], []];
  listener = await open(443);
});

afterEach(() => listener.stop(0));

/** Sends a request line, headers and a body without changing them. */
async function send(first: string, headers: readonly string[] = ["Host: hooks.example.com"], body = "") {
  const connection = new RawConnection(listener.url, !first.startsWith("HEAD "));
  connection.send(`${[first, ...headers].join("\r\n")}\r\n\r\n${body}`);
  const [response] = await connection.untilAnswered();
  return { connection, response: response ?? fail(first) };
}

function fail(first: string): RawAnswer {
  throw new Error(`no response to ${first}`);
}

describe("plain HTTP listener", () => {
  test("returns the key authorisation of an ACME challenge as text", async () => {
    const { response } = await send(`GET /.well-known/acme-challenge/${TOKEN} HTTP/1.1`);
    expect(response).toMatchObject({ status: 200, body: KEY_AUTHORISATION });
    expect(response.headers.get("content-type")).toBe("text/plain; charset=utf-8");
    const head = await send(`HEAD /.well-known/acme-challenge/${TOKEN} HTTP/1.1`);
    expect(head.response).toMatchObject({ status: 200, body: "" });
    expect(head.connection.unread).toBe("");
  });

  test.each(["another", "", `${TOKEN}/`, `%4c${TOKEN.slice(1)}`, `${TOKEN}%00`, "__proto__", `${TOKEN}.x`])(
    "returns 404 for the token %j and does not redirect",
    async (token) => {
      const { response } = await send(`GET /.well-known/acme-challenge/${token} HTTP/1.1`);
      expect(response).toMatchObject({ status: 404, body: '{"status":"not found"}' });
      expect(response.headers.has("location")).toBe(false);
      expect(lookups.every((each) => /^[\w-]+$/.test(each))).toBe(true);
    },
  );

  test.each([
    ["/", "/"],
    ["/healthz", "/healthz"],
    ["/webhook?verify_token=a%20b&c=/d?e", "/webhook?verify_token=a%20b&c=/d?e"],
    ["/a%2fb/%0d%0aX-Y:z", "/a%2fb/%0d%0aX-Y:z"],
    ["//evil.example/x", "//evil.example/x"],
    ["/\\evil.example", "//evil.example"],
    ["/@evil.example", "/@evil.example"],
    ["http://evil.example/x?y", "/x?y"],
    ["http://evil.example?y", "/?y"],
    ["/.well-known/acme-challenge/../../x", "/x"],
    ["/.well-known/acme-challenge", "/.well-known/acme-challenge"],
  ])("redirects a GET of %j to the public host with 308", async (target, path) => {
    for (const method of ["GET", "HEAD"]) {
      const { response, connection } = await send(`${method} ${target} HTTP/1.1`);
      expect(response).toMatchObject({ status: 308, body: "" });
      expect(response.headers.get("location")).toBe(`https://hooks.example.com${path}`);
      expect(connection.unread).toBe("");
    }
    expect(lookups).toEqual([]);
  });

  test.each([
    ["another Host header", ["Host: evil.example"]],
    ["several Host headers", ["Host: evil.example", "Host: hooks.example.com"]],
    ["a malformed Host header", ["Host: evil.example/x?"]],
    ["an empty Host header", ["Host:"]],
    ["an X-Forwarded-Host header", ["Host: hooks.example.com", "X-Forwarded-Host: evil.example"]],
  ])("redirects to the public host with %s", async (_what, headers) => {
    const { response } = await send("GET /x HTTP/1.1", headers);
    expect(response.headers.get("location")).toBe("https://hooks.example.com/x");
  });

  test("redirects to a port other than 443", async () => {
    await listener.stop(0);
    listener = await open(9000);
    const { response } = await send("GET /x HTTP/1.1");
    expect(response.headers.get("location")).toBe("https://hooks.example.com:9000/x");
  });

  test("rejects a webhook with 403, names the URL to configure, and logs it", async () => {
    const headers = ["Host: evil.example", "Content-Length: 2"];
    const { response } = await send("POST /github-webhook?a=b HTTP/1.1", headers, "{}");
    expect(response.status).toBe(403);
    const { status, reason, ...others } = JSON.parse(response.body);
    expect({ status, others }).toEqual({ status: "https required", others: {} });
    expect(logged.map(({ fields }) => fields)).toEqual([{ path: "/github-webhook", code: "https_required" }]);
    const texts = [reason, ...logged.map(({ message }) => message)];
    for (const text of texts) expect(text).toContain("https://hooks.example.com/github-webhook");
    expect(texts).toMatchSnapshot();
  });

  test.each(["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"])(
    "rejects %s of any other path with 403, names no source URL, and logs nothing",
    async (method) => {
      const { response } = await send(`${method} /.well-known/acme-challenge/${TOKEN} HTTP/1.1`);
      expect(response.status).toBe(403);
      const { reason } = JSON.parse(response.body);
      expect(reason).toMatch(/https:\/\/hooks\.example\.com(?!\/)/);
      expect(lookups).toEqual([]);
      expect(logged).toEqual([]);
    },
  );

  test.each([
    ["a length", ["Host: a", "Content-Length: 60000"], "{"],
    ["chunks", ["Host: a", "Transfer-Encoding: chunked"], "1\r\n{\r\n"],
  ])("responds without reading a body with %s and closes the connection", async (_what, headers, body) => {
    const { connection } = await send("POST /webhook HTTP/1.1", headers, body);
    const responses = await connection.untilClosed();
    expect(responses.map(({ status }) => status)).toEqual([403]);
    expect(responses[0]?.headers.get("connection")).toBe("close");
  });

  test("sets the security headers on every response", async () => {
    for (const first of ["GET / HTTP/1.1", "POST / HTTP/1.1", "GET /.well-known/acme-challenge/x HTTP/1.1"]) {
      const { headers } = (await send(first)).response;
      expect(headers.get("cache-control")).toBe("no-store");
      expect(headers.get("content-security-policy")).toBe("default-src 'none'; frame-ancestors 'none'");
      expect(headers.get("x-content-type-options")).toBe("nosniff");
      expect(headers.has("server")).toBe(false);
    }
  });
});
