import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { version } from "../../../package.json";
import type { RawAnswer } from "../../support/raw.ts";
import { PING, type RawRequest, Shell, TOKEN, writeRequest } from "./shell.ts";

setDefaultTimeout(120_000);

let shell: Shell;

beforeAll(async () => {
  shell = await Shell.open();
});

afterAll(() => shell.close());

describe("a request target", () => {
  test.each([
    "/",
    "/api/status",
    "/metrics",
    "/openapi.json",
    "/readyz",
    "/.env",
    "/.git/config",
    "/healthz/",
    "/github-webhook/",
    "//github-webhook",
    "//hooks.test/github-webhook",
    "/GITHUB-WEBHOOK",
    "/%67ithub-webhook",
    "/github-webhook%2f",
    "/github-webhook%00",
    "/github-webhook\\",
    "/github-webhook;a=b",
    "/github-webhook#a",
    "/..%2fgithub-webhook",
    "/github-webhook/..%2f..",
    "/github-webhook/../metrics",
    "/%zz",
    "/\xc3\xa9",
    "http://hooks.test/metrics",
  ])("%p gets 404 despite a valid signature and is not stored", async (target) => {
    await shell.storesNothing(async () => {
      const [answer, ...others] = await shell.exchange(writeRequest({ target }));
      expect(others).toEqual([]);
      expect([answer?.status, answer?.body]).toEqual([404, '{"status":"not found"}']);
    });
  });

  test.each(["*", "github-webhook", "\\github-webhook", "?", "hooks.test:443"])(
    "%p is not a path and gets 400",
    async (target) => {
      await shell.storesNothing(async () =>
        expect(await shell.codes(writeRequest({ target }))).toEqual([400]),
      );
    },
  );

  test.each([
    ["a space", "/github-webhook x"],
    ["NUL", "/github-webhook\0"],
    ["NUL in the query", "/github-webhook?a=\0"],
    ["a control character", "/github-webhook\x7f\x01"],
  ])("with %s gets an error and is not stored", async (_case, target) => {
    await shell.storesNothing(async () => {
      for (const { status, body } of await shell.exchange(writeRequest({ target }))) {
        expect([400, 404, 505]).toContain(status);
        if (status !== 404) expect(body).toBe("");
      }
    });
  });

  test.each(["/./github-webhook", "/x/../github-webhook", "/x/%2e%2e/github-webhook", "/github-webhook?%zz"])(
    "%p is equivalent to the path of the source (RFC 3986, section 6.2.2) and needs a valid signature",
    async (target) => {
      await shell.storesOne(async () => expect(await shell.codes(writeRequest({ target }))).toEqual([200]));
      const lines = ["X-Hub-Signature-256"];
      await shell.storesNothing(async () =>
        expect(await shell.codes(writeRequest({ target, lines }))).toEqual([401]),
      );
    },
  );

  test.each(["http://hooks.test", "http://evil.example", "https://u:p@evil.example:99"])(
    "a path after %p is served whatever the host (RFC 9112, section 3.2.2)",
    async (origin) => {
      const target = `${origin}/github-webhook`;
      await shell.storesOne(async () => expect(await shell.codes(writeRequest({ target }))).toEqual([200]));
    },
  );
});

describe("a request method", () => {
  const cors = ["Origin: https://evil.example", "Access-Control-Request-Method: POST"];

  test.each(["GET", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PROPFIND"])(
    "%s on a source gets 405 without permissions for other origins and is not stored",
    async (method) => {
      await shell.storesNothing(async () => {
        const lines = [...cors, "WebHook-Request-Origin: evil.example"];
        const [answer] = await shell.exchange(writeRequest({ method, lines }));
        expect([answer?.status, answer?.headers.get("allow")]).toEqual([405, "POST"]);
        for (const name of answer?.headers.keys() ?? []) {
          expect(name).not.toStartWith("access-control-");
          expect(name).not.toBe("webhook-allowed-origin");
        }
        expect(answer?.body).toBe('{"status":"method not allowed"}');
      });
    },
  );

  test.each([
    ["OPTIONS", "/healthz", "GET, HEAD"],
    ["POST", "/healthz", "GET, HEAD"],
    ["OPTIONS", "/webhook", "GET, POST"],
    ["DELETE", "/webhook", "GET, POST"],
  ])("%s on %s gets 405 with Allow: %s", async (method, target, allow) => {
    const [answer] = await shell.exchange(writeRequest({ method, target, lines: cors }));
    expect([answer?.status, answer?.headers.get("allow")]).toEqual([405, allow]);
  });

  test("HEAD gets the status of GET without a body", async () => {
    const lines = ["Content-Length"];
    for (const [target, code] of [
      ["/healthz", 200],
      ["/github-webhook", 405],
      ["/", 404],
    ] as const) {
      const answers = await shell.exchange(writeRequest({ method: "HEAD", target, lines, body: "" }), false);
      expect(answers.map(({ status }) => status)).toEqual([code]);
    }
  });

  test.each(["FOO", "post", "get", "PRI", "P\xc3\x96ST"])(
    "%p is unknown and gets no 2xx despite a valid signature",
    async (method) => {
      await shell.storesNothing(async () => {
        for (const code of await shell.codes(writeRequest({ method })))
          expect([400, 405, 501, 505]).toContain(code);
      });
    },
  );

  test("OPTIONS * and CONNECT get an error and store nothing", async () => {
    await shell.storesNothing(async () => {
      expect(await shell.codes(writeRequest({ method: "OPTIONS", target: "*" }))).toEqual([400]);
      const [answer] = await shell.exchange(
        writeRequest({ method: "CONNECT", target: "evil.example:443", lines: ["Content-Length"], body: "" }),
      );
      expect([400, 404]).toContain(answer?.status ?? 0);
    });
  });

  test.each([
    ["websocket", ["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13"]],
    ["h2c", ["HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA"]],
    ["TLS/1.2", []],
  ])("an upgrade to %s is ignored and the request gets its usual response", async (protocol, more) => {
    const lines = ["Connection: Upgrade, close", `Upgrade: ${protocol}`, "Content-Length", ...more];
    for (const [target, code] of [
      ["/healthz", 200],
      ["/github-webhook", 405],
    ] as const) {
      expect(await shell.codes(writeRequest({ method: "GET", target, lines, body: "" }))).toEqual([code]);
    }
  });
});

describe("each response", () => {
  const RESPONSES: readonly { name: string; code: number; request: RawRequest }[] = [
    { name: "a health check", code: 200, request: { method: "GET", target: "/healthz" } },
    { name: "a stored delivery", code: 200, request: {} },
    { name: "invalid JSON", code: 400, request: { body: "{" } },
    { name: "a wrong signature", code: 401, request: { lines: ["X-Hub-Signature-256: sha256=0"] } },
    { name: "a wrong token", code: 401, request: { method: "GET", target: "/webhook?verify_token=x" } },
    { name: "an unknown client", code: 401, request: { target: "/webhook" } },
    { name: "an unknown path", code: 404, request: { target: "/server-status" } },
    { name: "an unsupported method", code: 405, request: { method: "PUT" } },
    {
      name: "a body that is too large",
      code: 413,
      request: { lines: ["Content-Length: 26214401"], framed: "" },
    },
    { name: "a huge body", code: 413, request: { lines: ["Content-Length: 1099511627776"], framed: "" } },
    { name: "an unsupported type", code: 415, request: { lines: ["Content-Type: text/plain"] } },
    { name: "an invalid payload", code: 422, request: { body: "null" } },
    {
      name: "a challenge that is echoed",
      code: 200,
      request: {
        method: "GET",
        target: `/webhook?hub.mode=subscribe&hub.challenge=<script>&hub.verify_token=${encodeURIComponent(TOKEN)}`,
      },
    },
  ];

  test.each(RESPONSES.map(({ name, code, request }) => [name, code, request] as const))(
    "to %s (%d) has the security headers and reveals nothing about the server",
    async (_name, code, request) => {
      const [answer] = await shell.exchange(writeRequest(request));
      expect(answer?.status).toBe(code);
      expectSecurityHeaders(answer);
    },
  );

  test("to too many attempts (429) has the security headers and Retry-After", async () => {
    const attacked = await Shell.open();
    const guess = writeRequest({ method: "GET", target: "/webhook?verify_token=a-guess" });
    let answers = await attacked.exchange(guess);
    for (let count = 0; count < 20 && answers[0]?.status === 401; count += 1) {
      answers = await attacked.exchange(guess);
    }
    expect(answers.map(({ status }) => status)).toEqual([429]);
    expect(answers[0]?.headers.get("retry-after")).toMatch(/^\d+$/);
    expectSecurityHeaders(answers[0]);
    await attacked.close();
  });

  test.each([
    ["a head that is too large", 431, `GET / HTTP/1.1\r\nHost: x\r\nX: ${"a".repeat(20_000)}\r\n\r\n`],
    ["bytes that are not HTTP", 400, "\0\x01\x02\r\n\r\n"],
    ["an unsupported version", 505, "GET / HTTP/3.0\r\nHost: x\r\n\r\n"],
  ])("to %s (%d) has no body and reveals nothing about the server", async (_case, code, bytes) => {
    const [answer] = await shell.exchange(bytes);
    expect([answer?.status, answer?.body]).toEqual([code, ""]);
    expectNoServerDetails(answer);
  });

  test("is one line of JSON and repeats nothing from an unverified request", async () => {
    const mark = "x-marks-the-spot";
    for (const request of [
      { target: `/${mark}` },
      { target: `/webhook?${mark}`, lines: [`X-Mark: ${mark}`] },
      { method: "GET", target: `/webhook?verify_token=${mark}` },
      { lines: [`X-Hub-Signature-256: ${mark}`, `User-Agent: ${mark}`], body: `"${mark}"` },
      { lines: [`Content-Type: ${mark}/${mark}`] },
      { lines: [`Host: ${mark}`, "X-Hub-Signature-256"], body: PING },
    ]) {
      const [answer] = await shell.exchange(writeRequest(request));
      expect(answer?.body).toMatch(/^\{"status":.*\}$/);
      expect(answer?.body).not.toContain(mark);
    }
  });
});

function expectSecurityHeaders(answer: RawAnswer | undefined): void {
  expect(Object.fromEntries(answer?.headers ?? [])).toMatchObject({
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "content-type": expect.stringMatching(/^(application\/json|text\/plain);\s?charset=utf-8$/),
  });
  expectNoServerDetails(answer);
}

function expectNoServerDetails(answer: RawAnswer | undefined): void {
  const names = [...(answer?.headers.keys() ?? [])];
  for (const name of ["server", "x-powered-by", "via", "set-cookie", "location"]) {
    expect(names).not.toContain(name);
  }
  const text = JSON.stringify([[...(answer?.headers ?? [])], answer?.body]);
  expect(text).not.toMatch(/bun|elysia|hooklatch/i);
  expect(text).not.toContain(version);
}
