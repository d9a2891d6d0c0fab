import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { chunked, PING, type RawRequest, Shell, writeRequest } from "./shell.ts";

setDefaultTimeout(120_000);

let shell: Shell;

beforeAll(async () => {
  shell = await Shell.open();
});

afterAll(() => shell.close());

const LENGTH = PING.length;
const SIZE = LENGTH.toString(16);
const CHUNKED = "Transfer-Encoding: chunked";

/** Each request has a valid signature and one fault. */
function rejects(code: number, cases: readonly (readonly [name: string, request: RawRequest | string])[]) {
  test.each([...cases])(`%s gets ${code} and is not stored`, async (_case, request) => {
    const bytes = typeof request === "string" ? request : writeRequest(request);
    await shell.storesNothing(async () => expect(await shell.codes(bytes)).toEqual([code]));
  });
}

function accepts(cases: readonly (readonly [name: string, request: RawRequest])[]) {
  test.each([...cases])("%s is stored once", async (_case, request) => {
    await shell.storesOne(async () =>
      expect((await shell.codes(writeRequest(request))).filter((code) => code >= 200)).toEqual([200]),
    );
  });
}

const sized = (...values: readonly string[]): RawRequest => ({
  lines: values.map((value) => `Content-Length: ${value}`),
});
const encoded = (line: string, framed = chunked()): RawRequest => ({ lines: [line], framed });
const inChunks = (framed: string): RawRequest => encoded(CHUNKED, framed);

describe("a request head", () => {
  rejects(431, [
    ["of more than 16 KiB", { lines: [`X-Long: ${"a".repeat(17_000)}`] }],
    ["with a path of more than 16 KiB", { target: `/${"a".repeat(17_000)}` }],
    ["with 250 headers", { lines: Array.from({ length: 250 }, (_, index) => `X-${index}: a`) }],
  ]);

  rejects(400, [
    ["with NUL in a value", { lines: ["X-A: a\0b"] }],
    ["with NUL in a name", { lines: ["X\0A: ab"] }],
    ["with NUL in the signature", { lines: [`X-Hub-Signature-256: sha256=\0${"0".repeat(64)}`] }],
    ["with a space in a name", { lines: ["X A: ab"] }],
    ["with a space before the colon", { lines: ["X-A : ab"] }],
    ["with a line without a colon", { lines: ["X-A=ab"] }],
    ["with an empty name", { lines: [": ab"] }],
    ["with a name that is not ASCII", { lines: ["X-\xc3\xa4: ab"] }],
    ["with a folded line (RFC 9112, section 5.2)", { lines: ["X-A: a\r\n b"] }],
    ["with a folded signature", writeRequest().replace("256: sha", "256:\r\n sha")],
    ["with a bare CR", { lines: ["X-A: a\rX-B: b"] }],
    ["with a bare LF", { lines: ["X-A: a\nX-B: b"] }],
    ["with a space before the method", ` ${writeRequest()}`],
    ["without Host", { lines: ["Host"] }],
    ["with two Hosts", { lines: ["Host: hooks.test", "Host: evil.example"] }],
    ["that is the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0"],
    ["that is a TLS handshake", `\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03${"a".repeat(600)}`],
    ["of random bytes", "\xff\xfe\0\x80\r\n\r\n"],
  ]);

  rejects(505, [
    ["of HTTP/0.9", "GET /healthz\r\n\r\n"],
    ["of HTTP/1.2", { version: "HTTP/1.2" }],
    ["of HTTP/1.10", { version: "HTTP/1.10" }],
    ["of HTTP/2.0", { version: "HTTP/2.0" }],
    ["of http/1.1", { version: "http/1.1" }],
    ["with only bare LF", writeRequest().replaceAll("\r\n", "\n")],
  ]);

  accepts([
    ["of HTTP/1.0", { version: "HTTP/1.0" }],
    ["of HTTP/1.0 without Host", { version: "HTTP/1.0", lines: ["Host"] }],
    ["with a Host of one letter", { lines: ["Host: x"] }],
    ["with a value that is not ASCII", { lines: ["X-A: \xc3\xa4"] }],
    ["with Expect: 100-continue", { lines: ["Expect: 100-continue"] }],
  ]);

  test("with Expect: 100-continue gets 100 before the client sends the body", async () => {
    const [head = "", body = ""] = writeRequest({ lines: ["Expect: 100-continue"] }).split(/(?<=\r\n\r\n)/);
    await shell.storesOne(async () => {
      const connection = shell.connect().send(head);
      await connection.untilAnswered(1);
      const answers = await connection.send(body).untilClosed();
      expect(answers.map(({ status }) => status)).toEqual([100, 200]);
    });
  });
});

describe("a duplicate header", () => {
  const [signature = ""] = /X-Hub.*/.exec(writeRequest()) ?? [];

  rejects(401, [
    ["(the same signature twice)", { lines: [signature, signature] }],
    ["(a wrong signature first)", { lines: ["X-Hub-Signature-256: sha256=0", signature] }],
    ["(a wrong signature last)", { lines: [signature, "X-Hub-Signature-256: sha256=0"] }],
    ["(an empty signature first)", { lines: ["X-Hub-Signature-256:", signature] }],
  ]);
  rejects(415, [
    [
      "(another content type last)",
      { lines: ["Content-Type: application/json", "Content-Type: text/plain"] },
    ],
    [
      "(the same content type twice)",
      { lines: ["Content-Type: application/json", "Content-Type: application/json"] },
    ],
  ]);
  rejects(400, [
    ["(event)", { lines: ["X-GitHub-Event: ping", "X-GitHub-Event: push"] }],
    ["(delivery id)", { lines: ["X-GitHub-Delivery: one", "X-GitHub-Delivery: two"] }],
    ["(hook id)", { lines: ["X-GitHub-Hook-Id: 1", "X-GitHub-Hook-Id: 2"] }],
  ]);
});

describe("Content-Length", () => {
  rejects(400, [
    ["with two different values", sized(`${LENGTH}`, "5")],
    ["with a list of values", sized(`${LENGTH}, ${LENGTH}`)],
    ["with a plus sign", sized(`+${LENGTH}`)],
    ["with a negative value", sized("-1")],
    ["with a hexadecimal value", sized("0x23")],
    ["with an exponent", sized("35e0")],
    ["with a fraction", sized("35.0")],
    ["with an empty value", sized("")],
    ["with 20 digits", sized("99999999999999999999")],
    ["that is 2^64 too large", sized(String(2n ** 64n + BigInt(LENGTH)))],
    ["before Transfer-Encoding", { lines: [`Content-Length: ${LENGTH}`, CHUNKED], framed: chunked() }],
    ["after Transfer-Encoding", { lines: [CHUNKED, `Content-Length: ${LENGTH}`], framed: chunked() }],
    ["that is missing, without a body,", { framed: "", body: "" }],
  ]);
  rejects(401, [["shorter than the signed body", sized(`${LENGTH - 2}`)]]);

  accepts([
    ["with the same value twice (RFC 9110, section 8.6)", sized(`${LENGTH}`, `${LENGTH}`)],
    ["with leading zeros", sized(`0000${LENGTH}`)],
  ]);

  test("longer than the body stores nothing when the client disconnects", async () => {
    await shell.storesNothing(async () => {
      const connection = shell.connect().send(writeRequest(sized(`${LENGTH + 1}`)));
      // The server still responds on another connection.
      expect(await shell.codes(writeRequest({ method: "GET", target: "/healthz" }))).toEqual([200]);
      expect(connection.answers).toEqual([]);
      connection.drop();
    });
  });

  test("shorter than the body does not make the rest a second request", async () => {
    await shell.storesNothing(async () => {
      const lines = [`Content-Length: ${LENGTH - 2}`, "Connection: keep-alive"];
      // The runtime may close the connection before the refusal of the first request.
      const codes = await shell.codes(writeRequest({ lines }));
      expect(codes.filter((code) => code !== 401)).toEqual([400]);
    });
  });
});

describe("Transfer-Encoding", () => {
  rejects(400, [
    ["xchunked", encoded("Transfer-Encoding: xchunked")],
    ["chunked, identity", encoded("Transfer-Encoding: chunked, identity")],
    ["identity, chunked", encoded("Transfer-Encoding: identity, chunked")],
    ["gzip, chunked", encoded("Transfer-Encoding: gzip, chunked")],
    ["identity", encoded("Transfer-Encoding: identity", PING)],
    ["with a parameter", encoded("Transfer-Encoding: chunked;a=b")],
    ["in quotes", encoded('Transfer-Encoding: "chunked"')],
    ["with a vertical tab", encoded("Transfer-Encoding: \x0bchunked")],
    [
      "with a space before the colon",
      { lines: ["Transfer-Encoding : chunked", `Content-Length: ${LENGTH}`], framed: chunked() },
    ],
    [
      "with an empty value and a Content-Length",
      { lines: ["Transfer-Encoding:", `Content-Length: ${LENGTH}`] },
    ],
    ["chunked twice", { lines: [CHUNKED, CHUNKED], framed: chunked() }],
    ["chunked, then identity", { lines: [CHUNKED, "Transfer-Encoding: identity"], framed: chunked() }],
    ["chunked in HTTP/1.0", { version: "HTTP/1.0", ...encoded(CHUNKED) }],
  ]);

  accepts([
    ["chunked", encoded(CHUNKED)],
    ["CHUNKED", encoded("Transfer-Encoding: CHUNKED")],
    ["chunked after spaces and a tab", encoded("Transfer-Encoding: \t chunked \t")],
  ]);
});

describe("a chunked body", () => {
  rejects(400, [
    ["with a size that is not hexadecimal", inChunks(`zz\r\n${PING}\r\n0\r\n\r\n`)],
    ["with a negative size", inChunks(`-${SIZE}\r\n${PING}\r\n0\r\n\r\n`)],
    ["with 0x before the size", inChunks(`0x${SIZE}\r\n${PING}\r\n0\r\n\r\n`)],
    ["with spaces around the size", inChunks(` ${SIZE} \r\n${PING}\r\n0\r\n\r\n`)],
    ["with a size of 17 digits", inChunks(`fffffffffffffffff\r\n${PING}\r\n0\r\n\r\n`)],
    ["with a size that is 2^64 too large", inChunks(`10000000000000023\r\n${PING}\r\n0\r\n\r\n`)],
    ["without a size", inChunks(`\r\n${PING}\r\n0\r\n\r\n`)],
    ["with more data than the size", inChunks(`${SIZE}\r\n${PING}extra\r\n0\r\n\r\n`)],
    ["without a line end after the data", inChunks(`${SIZE}\r\n${PING}XX0\r\n\r\n`)],
    ["with bare LF", inChunks(`${SIZE}\n${PING}\n0\n\n`)],
    ["with an extension that ends with a bare LF", inChunks(`${SIZE};a\n${PING}\r\n0\r\n\r\n`)],
    ["with garbage instead of the last chunk", inChunks(`${SIZE}\r\n${PING}\r\nzz\r\n\r\n`)],
  ]);
  rejects(413, [
    ["with an extension of 20,000 bytes", inChunks(`${SIZE};${"a".repeat(20_000)}\r\n${PING}\r\n0\r\n\r\n`)],
  ]);

  accepts([
    ["with an extension", inChunks(`${SIZE};name="value"\r\n${PING}\r\n0;last\r\n\r\n`)],
    ["with leading zeros in the size", inChunks(`0000${SIZE}\r\n${PING}\r\n0\r\n\r\n`)],
    [
      "with one chunk for each byte",
      inChunks(`${Array.from(PING, (byte) => `1\r\n${byte}\r\n`).join("")}0\r\n\r\n`),
    ],
  ]);

  test.each(["X-Hub-Signature-256: sha256=0", "X-GitHub-Event: push", "Content-Length: 5"])(
    "with the trailer %p gets 400 and is stored at most once",
    async (trailer) => {
      const before = shell.storedCount;
      expect(
        await shell.codes(writeRequest(inChunks(`${SIZE}\r\n${PING}\r\n0\r\n${trailer}\r\n\r\n`))),
      ).toEqual([400]);
      const [answer] = await shell.exchange(writeRequest());
      // The body was complete and verified before the trailer arrived, so the server may have stored it.
      expect(JSON.parse(answer?.body ?? "").delivery).toBeLessThanOrEqual(before + 2);
    },
  );
});

describe("requests on one connection", () => {
  const keepAlive = ["Connection: keep-alive"];

  test("get their responses in order when they are pipelined and rejected", async () => {
    const wrong = ["X-Hub-Signature-256: sha256=0", ...keepAlive];
    const requests: readonly RawRequest[] = [
      { method: "GET", target: "/healthz", lines: [...keepAlive, "Content-Length"], body: "" },
      { target: "/nowhere", lines: keepAlive },
      { method: "DELETE", lines: keepAlive },
      { lines: [...keepAlive, "Content-Type: text/plain"] },
      { lines: wrong },
      { target: "/webhook", lines: keepAlive },
      { method: "GET", target: "/healthz" },
    ];
    await shell.storesNothing(async () => {
      const codes = await shell.codes(requests.map((request) => writeRequest(request)).join(""));
      expect([200, 404, 405, 415, 401, 401, 200].slice(0, codes.length)).toEqual([...codes]);
      expect(codes.length).toBeGreaterThan(3);
    });
  });

  test("never get each other's responses when one arrives while another is being stored", async () => {
    const before = shell.storedCount;
    const first = writeRequest({ lines: keepAlive });
    const codes = await shell.codes(first + writeRequest({ method: "GET", target: "/healthz" }));
    expect([[], [200], [200, 200]]).toContainEqual([...codes]);
    const [answer] = await shell.exchange(writeRequest());
    expect(JSON.parse(answer?.body ?? "").delivery).toBeLessThanOrEqual(before + 2);
  });

  test("each get a response when they are sent one after the other", async () => {
    const connection = shell.connect();
    for (let count = 1; count <= 5; count += 1) {
      const before = shell.storedCount;
      const answers = await connection.send(writeRequest({ lines: keepAlive })).untilAnswered(count);
      expect(JSON.parse(answers.at(-1)?.body ?? "")).toEqual({ status: "pong", delivery: before + 1 });
    }
    connection.drop();
  });

  test.each<readonly [string, RawRequest]>([
    ["the body of a rejected request", { target: "/nowhere", lines: keepAlive }],
    ["a body of an unsupported type", { lines: [...keepAlive, "Content-Type: text/plain"] }],
    ["a body with a wrong signature", { lines: [...keepAlive, "X-Hub-Signature-256: sha256=0"] }],
  ])("never include %s, even if that body is a request", async (_case, request) => {
    await shell.storesNothing(async () => {
      const codes = await shell.codes(
        writeRequest({ ...request, body: writeRequest() }) +
          writeRequest({ method: "GET", target: "/healthz" }),
      );
      expect(codes.length).toBeLessThanOrEqual(2);
      expect(codes[0] ?? 404).toBeGreaterThanOrEqual(400);
    });
  });
});
