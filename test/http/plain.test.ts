import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { type Listener, listen } from "../../src/http/listen.ts";
import { createPlain } from "../../src/http/plain.ts";
import { type RawAnswer, RawConnection } from "../support/raw.ts";

const TOKEN = "LoqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX0";
const KEY_AUTHORISATION = `${TOKEN}.9jg46WB3rR_AHD-EBXdN7cBkH1WOu0tA3M9fm21mqTI`;

let listener: Listener;
let asked: string[];
let complaints: unknown[];

function open(publicPort: number): Listener {
  const handle = createPlain({
    answerChallenge(token) {
      asked.push(token);
      return token === TOKEN ? KEY_AUTHORISATION : null;
    },
    publicHost: "hooks.example.com",
    publicPort,
    sourcePaths: ["/github-webhook", "/webhook"],
    complain: (fields, message) => void complaints.push([fields, message]),
  });
  return listen({ host: "127.0.0.1", port: 0, certificate: null, maxBody: 64 * 1024, handle });
}

beforeEach(() => {
  [asked, complaints] = [[], []];
  listener = open(443);
});

afterEach(() => listener.stop(0));

/** Sends a head as it is written, with what may follow it. */
async function send(first: string, headers: readonly string[] = ["Host: hooks.example.com"], body = "") {
  const connection = new RawConnection(listener.url, !first.startsWith("HEAD "));
  connection.send(`${[first, ...headers].join("\r\n")}\r\n\r\n${body}`);
  const [answer] = await connection.untilAnswered();
  return { connection, answer: answer ?? fail(first) };
}

function fail(first: string): RawAnswer {
  throw new Error(`no answer to ${first}`);
}

describe("the plain listener", () => {
  test("answers the CA's challenge with its key authorisation as text", async () => {
    const { answer } = await send(`GET /.well-known/acme-challenge/${TOKEN} HTTP/1.1`);
    expect(answer).toMatchObject({ status: 200, body: KEY_AUTHORISATION });
    expect(answer.headers.get("content-type")).toBe("text/plain; charset=utf-8");
    const head = await send(`HEAD /.well-known/acme-challenge/${TOKEN} HTTP/1.1`);
    expect(head.answer).toMatchObject({ status: 200, body: "" });
    expect(head.connection.unread).toBe("");
  });

  test.each(["another", "", `${TOKEN}/`, `%4c${TOKEN.slice(1)}`, `${TOKEN}%00`, "__proto__", `${TOKEN}.x`])(
    "answers 404 to the token %j and sends nobody elsewhere",
    async (token) => {
      const { answer } = await send(`GET /.well-known/acme-challenge/${token} HTTP/1.1`);
      expect(answer).toMatchObject({ status: 404, body: '{"status":"not found"}' });
      expect(answer.headers.has("location")).toBe(false);
      expect(asked.every((each) => /^[\w-]+$/.test(each))).toBe(true);
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
  ])("sends a GET of %j to the public host by 308", async (target, path) => {
    for (const method of ["GET", "HEAD"]) {
      const { answer, connection } = await send(`${method} ${target} HTTP/1.1`);
      expect(answer).toMatchObject({ status: 308, body: "" });
      expect(answer.headers.get("location")).toBe(`https://hooks.example.com${path}`);
      expect(connection.unread).toBe("");
    }
    expect(asked).toEqual([]);
  });

  test.each([
    ["another", ["Host: evil.example"]],
    ["several", ["Host: evil.example", "Host: hooks.example.com"]],
    ["an unreadable", ["Host: evil.example/x?"]],
    ["an empty", ["Host:"]],
    ["a forwarded", ["Host: hooks.example.com", "X-Forwarded-Host: evil.example"]],
  ])("sends it to the public host whatever the Host header: %s", async (_what, headers) => {
    const { answer } = await send("GET /x HTTP/1.1", headers);
    expect(answer.headers.get("location")).toBe("https://hooks.example.com/x");
  });

  test("names the port where it is not HTTPS's own", async () => {
    await listener.stop(0);
    listener = open(9000);
    const { answer } = await send("GET /x HTTP/1.1");
    expect(answer.headers.get("location")).toBe("https://hooks.example.com:9000/x");
  });

  test("answers a webhook 403 with the address to configure, and says so in the log", async () => {
    const headers = ["Host: evil.example", "Content-Length: 2"];
    const { answer } = await send("POST /github-webhook?a=b HTTP/1.1", headers, "{}");
    expect(answer.status).toBe(403);
    expect(JSON.parse(answer.body)).toEqual({
      status: "https required",
      reason: "senders do not follow redirects: configure https://hooks.example.com/github-webhook",
    });
    expect(complaints).toEqual([
      [
        { path: "/github-webhook" },
        "refused a webhook over plain HTTP: its sender has to be given https://hooks.example.com/github-webhook",
      ],
    ]);
  });

  test.each(["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"])(
    "answers %s of any other path 403, without an address of a source and without a line in the log",
    async (method) => {
      const { answer } = await send(`${method} /.well-known/acme-challenge/${TOKEN} HTTP/1.1`);
      expect(answer.status).toBe(403);
      expect(JSON.parse(answer.body).reason).toBe(
        "senders do not follow redirects: configure https://hooks.example.com",
      );
      expect(asked).toEqual([]);
      expect(complaints).toEqual([]);
    },
  );

  test.each([
    ["a length", ["Host: a", "Content-Length: 60000"], "{"],
    ["chunks", ["Host: a", "Transfer-Encoding: chunked"], "1\r\n{\r\n"],
  ])(
    "reads no body with %s: the sender is answered and the connection closed",
    async (_what, headers, body) => {
      const { connection } = await send("POST /webhook HTTP/1.1", headers, body);
      const answers = await connection.untilClosed();
      expect(answers.map(({ status }) => status)).toEqual([403]);
      expect(answers[0]?.headers.get("connection")).toBe("close");
    },
  );

  test("has the security headers of the other listeners on every answer", async () => {
    for (const first of ["GET / HTTP/1.1", "POST / HTTP/1.1", "GET /.well-known/acme-challenge/x HTTP/1.1"]) {
      const { headers } = (await send(first)).answer;
      expect(headers.get("cache-control")).toBe("no-store");
      expect(headers.get("content-security-policy")).toBe("default-src 'none'; frame-ancestors 'none'");
      expect(headers.get("x-content-type-options")).toBe("nosniff");
      expect(headers.has("server")).toBe(false);
    }
  });
});
