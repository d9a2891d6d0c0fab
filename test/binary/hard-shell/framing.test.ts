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

/** Requests that are right but for one thing: each is sent with a right signature. */
function refuses(code: number, cases: readonly (readonly [what: string, request: RawRequest | string])[]) {
  test.each([...cases])(`%s gets ${code}, and nothing is kept`, async (_what, request) => {
    const bytes = typeof request === "string" ? request : writeRequest(request);
    await shell.keepsNothing(async () => expect(await shell.codes(bytes)).toEqual([code]));
  });
}

function takes(cases: readonly (readonly [what: string, request: RawRequest])[]) {
  test.each([...cases])("%s is taken, once", async (_what, request) => {
    await shell.keepsOne(async () =>
      expect((await shell.codes(writeRequest(request))).filter((code) => code >= 200)).toEqual([200]),
    );
  });
}

const sized = (...values: readonly string[]): RawRequest => ({
  lines: values.map((value) => `Content-Length: ${value}`),
});
const encoded = (line: string, framed = chunked()): RawRequest => ({ lines: [line], framed });
const inChunks = (framed: string): RawRequest => encoded(CHUNKED, framed);

describe("the head", () => {
  refuses(431, [
    ["over 16 KiB", { lines: [`X-Long: ${"a".repeat(17_000)}`] }],
    ["with a path over 16 KiB", { target: `/${"a".repeat(17_000)}` }],
    ["with 250 headers", { lines: Array.from({ length: 250 }, (_, index) => `X-${index}: a`) }],
  ]);

  refuses(400, [
    ["NUL in a value", { lines: ["X-A: a\0b"] }],
    ["NUL in a name", { lines: ["X\0A: ab"] }],
    ["NUL in the signature", { lines: [`X-Hub-Signature-256: sha256=\0${"0".repeat(64)}`] }],
    ["a space in a name", { lines: ["X A: ab"] }],
    ["a space before the colon", { lines: ["X-A : ab"] }],
    ["a line without a colon", { lines: ["X-A=ab"] }],
    ["an empty name", { lines: [": ab"] }],
    ["a name that is not ASCII", { lines: ["X-\xc3\xa4: ab"] }],
    ["a folded line (RFC 9112, section 5.2)", { lines: ["X-A: a\r\n b"] }],
    ["a folded signature", writeRequest().replace("256: sha", "256:\r\n sha")],
    ["a bare CR", { lines: ["X-A: a\rX-B: b"] }],
    ["a bare LF", { lines: ["X-A: a\nX-B: b"] }],
    ["a space before the method", ` ${writeRequest()}`],
    ["no Host", { lines: ["Host"] }],
    ["two Hosts", { lines: ["Host: hooks.test", "Host: evil.example"] }],
    ["the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0"],
    ["a TLS handshake", `\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03${"a".repeat(600)}`],
    ["bytes at random", "\xff\xfe\0\x80\r\n\r\n"],
  ]);

  refuses(505, [
    ["HTTP/0.9", "GET /healthz\r\n\r\n"],
    ["HTTP/1.2", { version: "HTTP/1.2" }],
    ["HTTP/1.10", { version: "HTTP/1.10" }],
    ["HTTP/2.0", { version: "HTTP/2.0" }],
    ["http/1.1", { version: "http/1.1" }],
    ["bare LF for every end of a line", writeRequest().replaceAll("\r\n", "\n")],
  ]);

  takes([
    ["HTTP/1.0", { version: "HTTP/1.0" }],
    ["HTTP/1.0 without Host", { version: "HTTP/1.0", lines: ["Host"] }],
    ["a Host of one letter", { lines: ["Host: x"] }],
    ["a value that is not ASCII", { lines: ["X-A: \xc3\xa4"] }],
    ["Expect: 100-continue", { lines: ["Expect: 100-continue"] }],
  ]);

  test("Expect: 100-continue is answered before the body is sent", async () => {
    const [head = "", body = ""] = writeRequest({ lines: ["Expect: 100-continue"] }).split(/(?<=\r\n\r\n)/);
    await shell.keepsOne(async () => {
      const connection = shell.connect().send(head);
      await connection.untilAnswered(1);
      const answers = await connection.send(body).untilClosed();
      expect(answers.map(({ status }) => status)).toEqual([100, 200]);
    });
  });
});

describe("headers that come twice", () => {
  const [signature = ""] = /X-Hub.*/.exec(writeRequest()) ?? [];

  refuses(401, [
    ["the signature, the same twice", { lines: [signature, signature] }],
    ["the signature, a wrong one first", { lines: ["X-Hub-Signature-256: sha256=0", signature] }],
    ["the signature, a wrong one last", { lines: [signature, "X-Hub-Signature-256: sha256=0"] }],
    ["the signature, an empty one first", { lines: ["X-Hub-Signature-256:", signature] }],
  ]);
  refuses(415, [
    ["the type, another one last", { lines: ["Content-Type: application/json", "Content-Type: text/plain"] }],
    [
      "the type, the same twice",
      { lines: ["Content-Type: application/json", "Content-Type: application/json"] },
    ],
  ]);
  refuses(400, [
    ["the event", { lines: ["X-GitHub-Event: ping", "X-GitHub-Event: push"] }],
    ["the delivery's id", { lines: ["X-GitHub-Delivery: one", "X-GitHub-Delivery: two"] }],
    ["the hook's id", { lines: ["X-GitHub-Hook-Id: 1", "X-GitHub-Hook-Id: 2"] }],
  ]);
});

describe("the body's length", () => {
  refuses(400, [
    ["two that differ", sized(`${LENGTH}`, "5")],
    ["a list", sized(`${LENGTH}, ${LENGTH}`)],
    ["with a plus", sized(`+${LENGTH}`)],
    ["below zero", sized("-1")],
    ["in hex", sized("0x23")],
    ["with an exponent", sized("35e0")],
    ["with a fraction", sized("35.0")],
    ["empty", sized("")],
    ["of 20 digits", sized("99999999999999999999")],
    ["2^64 more than it is", sized(String(2n ** 64n + BigInt(LENGTH)))],
    ["beside chunks", { lines: [`Content-Length: ${LENGTH}`, CHUNKED], framed: chunked() }],
    ["after chunks", { lines: [CHUNKED, `Content-Length: ${LENGTH}`], framed: chunked() }],
    ["neither, and no body", { framed: "", body: "" }],
  ]);
  refuses(401, [["shorter than what was signed", sized(`${LENGTH - 2}`)]]);

  takes([
    ["twice the same (RFC 9110, section 8.6)", sized(`${LENGTH}`, `${LENGTH}`)],
    ["with zeros before it", sized(`0000${LENGTH}`)],
  ]);

  test("longer than what comes: whoever leaves then has nothing kept", async () => {
    await shell.keepsNothing(async () => {
      const connection = shell.connect().send(writeRequest(sized(`${LENGTH + 1}`)));
      // A second connection is served meanwhile.
      expect(await shell.codes(writeRequest({ method: "GET", target: "/healthz" }))).toEqual([200]);
      expect(connection.answers).toEqual([]);
      connection.drop();
    });
  });

  test("shorter than what comes: the rest is no second request", async () => {
    await shell.keepsNothing(async () => {
      const lines = [`Content-Length: ${LENGTH - 2}`, "Connection: keep-alive"];
      expect(await shell.codes(writeRequest({ lines }))).toEqual([401, 400]);
    });
  });
});

describe("the transfer encoding", () => {
  refuses(400, [
    ["xchunked", encoded("Transfer-Encoding: xchunked")],
    ["chunked, identity", encoded("Transfer-Encoding: chunked, identity")],
    ["identity, chunked", encoded("Transfer-Encoding: identity, chunked")],
    ["gzip, chunked", encoded("Transfer-Encoding: gzip, chunked")],
    ["identity", encoded("Transfer-Encoding: identity", PING)],
    ["a parameter", encoded("Transfer-Encoding: chunked;a=b")],
    ["quotes", encoded('Transfer-Encoding: "chunked"')],
    ["a vertical tab", encoded("Transfer-Encoding: \x0bchunked")],
    [
      "a space before its colon",
      { lines: ["Transfer-Encoding : chunked", `Content-Length: ${LENGTH}`], framed: chunked() },
    ],
    ["nothing, beside a length", { lines: ["Transfer-Encoding:", `Content-Length: ${LENGTH}`] }],
    ["chunked twice", { lines: [CHUNKED, CHUNKED], framed: chunked() }],
    ["chunked, then identity", { lines: [CHUNKED, "Transfer-Encoding: identity"], framed: chunked() }],
    ["chunked in HTTP/1.0", { version: "HTTP/1.0", ...encoded(CHUNKED) }],
  ]);

  takes([
    ["chunked", encoded(CHUNKED)],
    ["CHUNKED", encoded("Transfer-Encoding: CHUNKED")],
    ["chunked after spaces and a tab", encoded("Transfer-Encoding: \t chunked \t")],
  ]);
});

describe("chunks", () => {
  refuses(400, [
    ["a size that is no hex", inChunks(`zz\r\n${PING}\r\n0\r\n\r\n`)],
    ["a size below zero", inChunks(`-${SIZE}\r\n${PING}\r\n0\r\n\r\n`)],
    ["a size with 0x", inChunks(`0x${SIZE}\r\n${PING}\r\n0\r\n\r\n`)],
    ["a size with spaces", inChunks(` ${SIZE} \r\n${PING}\r\n0\r\n\r\n`)],
    ["a size of 17 digits", inChunks(`fffffffffffffffff\r\n${PING}\r\n0\r\n\r\n`)],
    ["a size 2^64 more than it is", inChunks(`10000000000000023\r\n${PING}\r\n0\r\n\r\n`)],
    ["no size", inChunks(`\r\n${PING}\r\n0\r\n\r\n`)],
    ["more data than the size", inChunks(`${SIZE}\r\n${PING}extra\r\n0\r\n\r\n`)],
    ["no line's end after the data", inChunks(`${SIZE}\r\n${PING}XX0\r\n\r\n`)],
    ["bare LF", inChunks(`${SIZE}\n${PING}\n0\n\n`)],
    ["an extension that ends with a bare LF", inChunks(`${SIZE};a\n${PING}\r\n0\r\n\r\n`)],
    ["garbage instead of the last chunk", inChunks(`${SIZE}\r\n${PING}\r\nzz\r\n\r\n`)],
  ]);
  refuses(413, [
    ["an extension of 20,000 bytes", inChunks(`${SIZE};${"a".repeat(20_000)}\r\n${PING}\r\n0\r\n\r\n`)],
  ]);

  takes([
    ["an extension", inChunks(`${SIZE};name="value"\r\n${PING}\r\n0;last\r\n\r\n`)],
    ["zeros before the size", inChunks(`0000${SIZE}\r\n${PING}\r\n0\r\n\r\n`)],
    ["one for each byte", inChunks(`${Array.from(PING, (byte) => `1\r\n${byte}\r\n`).join("")}0\r\n\r\n`)],
  ]);

  test.each(["X-Hub-Signature-256: sha256=0", "X-GitHub-Event: push", "Content-Length: 5"])(
    "the trailer %p changes nothing: the body is kept as it is or not at all, and no 2xx follows",
    async (trailer) => {
      const before = shell.kept;
      expect(
        await shell.codes(writeRequest(inChunks(`${SIZE}\r\n${PING}\r\n0\r\n${trailer}\r\n\r\n`))),
      ).toEqual([400]);
      const [answer] = await shell.exchange(writeRequest());
      // The body was whole and signed when the trailer came.
      expect(JSON.parse(answer?.body ?? "").delivery).toBeLessThanOrEqual(before + 2);
    },
  );
});

describe("several requests at once on one connection", () => {
  const keepAlive = ["Connection: keep-alive"];

  test("are answered in their order where they are refused", async () => {
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
    await shell.keepsNothing(async () => {
      const codes = await shell.codes(requests.map((request) => writeRequest(request)).join(""));
      expect([200, 404, 405, 415, 401, 401, 200].slice(0, codes.length)).toEqual([...codes]);
      expect(codes.length).toBeGreaterThan(3);
    });
  });

  test("are never confused where one is still being kept: the connection is closed, and it can be sent again", async () => {
    const before = shell.kept;
    const first = writeRequest({ lines: keepAlive });
    const codes = await shell.codes(first + writeRequest({ method: "GET", target: "/healthz" }));
    expect([[], [200], [200, 200]]).toContainEqual([...codes]);
    const [answer] = await shell.exchange(writeRequest());
    expect(JSON.parse(answer?.body ?? "").delivery).toBeLessThanOrEqual(before + 2);
  });

  test("one after the other are each answered", async () => {
    const connection = shell.connect();
    for (let count = 1; count <= 5; count += 1) {
      const before = shell.kept;
      const answers = await connection.send(writeRequest({ lines: keepAlive })).untilAnswered(count);
      expect(JSON.parse(answers.at(-1)?.body ?? "")).toEqual({ status: "pong", delivery: before + 1 });
    }
    connection.drop();
  });

  test.each<readonly [string, RawRequest]>([
    ["a refused one's body", { target: "/nowhere", lines: keepAlive }],
    ["a body of another type", { lines: [...keepAlive, "Content-Type: text/plain"] }],
    ["a body with a wrong signature", { lines: [...keepAlive, "X-Hub-Signature-256: sha256=0"] }],
  ])("%s is never read as a request, though it is one", async (_what, request) => {
    await shell.keepsNothing(async () => {
      const codes = await shell.codes(
        writeRequest({ ...request, body: writeRequest() }) +
          writeRequest({ method: "GET", target: "/healthz" }),
      );
      expect(codes.length).toBeLessThanOrEqual(2);
      expect(codes[0] ?? 404).toBeGreaterThanOrEqual(400);
    });
  });
});
