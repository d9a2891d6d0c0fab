import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Secret } from "../../src/lib/secret.ts";
import { sendPost } from "../../src/notify/post.ts";
import { makeCertificate, makeExpiredCertificate } from "../support/certificate.ts";
import { freePort } from "../support/free-port.ts";
import { until } from "../support/until.ts";
import { receive } from "./receiver.ts";
import { expectRejection, LONG_TIMEOUT, reasonOf } from "./samples.ts";

const directory = mkdtempSync(join(tmpdir(), "hooklatch-post-"));
afterAll(() => rmSync(directory, { recursive: true }));

/** Sends to a URL whose path and query are secret. */
function send(origin: string, { timeout = 5000, signal = LONG_TIMEOUT.signal } = {}) {
  return sendPost(
    () => ({ url: `${origin}/hush?key=hush`, headers: {}, body: "{}" }),
    () => null,
    { timeout, signal },
  );
}

describe("notification sender", () => {
  test.each([200, 201, 204])("accepts the response %d", async (status) => {
    await using receiver = receive(() => new Response(null, { status }));
    expect(await send(receiver.origin)).toEqual({ kind: "taken" });
  });

  test.each([301, 302, 303, 307, 308])("does not follow the redirect %d", async (status) => {
    await using receiver = receive(() => new Response(null, { status, headers: { location: "/elsewhere" } }));
    const outcome = await send(receiver.origin);
    expectRejection(outcome, "refused", receiver, status);
    expect(reasonOf(outcome)).toMatchSnapshot();
    expect(receiver.received.map(({ path }) => path)).toEqual(["/hush?key=hush"]);
  });

  test("cancels an endless response body without reading it", async () => {
    let ended = false;
    const endless = () =>
      new ReadableStream({
        pull: (controller) => controller.enqueue(new Uint8Array(65_536)),
        cancel: () => {
          ended = true;
        },
      });
    await using receiver = receive(() => new Response(endless()));
    expect(await send(receiver.origin)).toEqual({ kind: "taken" });
    await until(() => ended);
  });

  test("stops when the signal is aborted, with an outcome that allows a retry", async () => {
    const ended = new AbortController();
    await using receiver = receive(() => {
      ended.abort();
      return new Promise<Response>(() => {});
    });
    const outcome = await send(receiver.origin, { signal: ended.signal });
    const { host } = new URL(receiver.origin);
    expect(outcome).toEqual({ kind: "failed", reason: expect.stringContaining(host) });
    expect(reasonOf(outcome)).toMatchSnapshot();
  });

  test("allows a retry when the connection is refused", async () => {
    const host = `127.0.0.1:${freePort()}`;
    const outcome = await send(`http://${host}`);
    expect(outcome).toEqual({ kind: "failed", reason: expect.stringContaining(host) });
    expect(reasonOf(outcome)).toMatchSnapshot();
  });

  test.each([
    ["self-signed", makeCertificate, "DEPTH_ZERO_SELF_SIGNED_CERT"],
    ["expired", makeExpiredCertificate, "CERT_HAS_EXPIRED"],
  ])("does not send to a server with a certificate that is %s", async (name, make, code) => {
    const { cert, key } = make(directory, name);
    await using receiver = receive(undefined, {
      cert: readFileSync(cert, "utf8"),
      key: readFileSync(key, "utf8"),
    });
    const outcome = await send(receiver.origin);
    const { host } = new URL(receiver.origin);
    expect(outcome).toEqual({ kind: "failed", reason: expect.stringContaining(host) });
    expect(reasonOf(outcome)).toContain(code);
    expect(reasonOf(outcome)).toMatchSnapshot();
    expect(receiver.received).toEqual([]);
  });

  test.each(["file:///etc/hostname", "data:text/plain,hush", "s3://bucket/hush", "hush", ""])(
    "rejects the URL %p",
    async (url) => {
      const outcome = await sendPost(
        () => ({ url, headers: {}, body: "" }),
        () => null,
        LONG_TIMEOUT,
      );
      expect(outcome).toEqual({ kind: "refused", reason: expect.any(String) });
      expect(reasonOf(outcome)).not.toContain("hush");
      expect(reasonOf(outcome)).toMatchSnapshot();
    },
  );

  test("does not show the credentials of the URL", async () => {
    await using receiver = receive(() => new Response(null, { status: 500 }));
    const { host } = new URL(receiver.origin);
    const outcome = await send(`http://hush:hush@${host}`);
    expectRejection(outcome, "failed", receiver, 500);
    expect(reasonOf(outcome)).not.toContain("hush");
    expect(reasonOf(outcome)).toMatchSnapshot();
  });

  test("does not show an invalid header", async () => {
    await using receiver = receive();
    const outcome = await sendPost(
      () => ({ url: receiver.origin, headers: { authorization: "Bearer hush\nhush" }, body: "" }),
      () => null,
      LONG_TIMEOUT,
    );
    const { host } = new URL(receiver.origin);
    expect(outcome).toEqual({ kind: "failed", reason: expect.stringContaining(host) });
    expect(reasonOf(outcome)).not.toContain("hush");
    expect(reasonOf(outcome)).toMatchSnapshot();
    expect(receiver.received).toEqual([]);
  });

  test("names a secret that is missing", async () => {
    const secret = new Secret({ kind: "env", name: "CHAT_URL" });
    const compose = () => ({ url: secret.reveal(), headers: {}, body: "" });
    const outcome = await sendPost(compose, () => null, LONG_TIMEOUT);
    expect(outcome).toEqual({ kind: "failed", reason: expect.stringContaining("env:CHAT_URL") });
    expect(reasonOf(outcome)).toMatchSnapshot();
  });
});

describe("notification sender without a response", () => {
  const sockets = new Set<Socket>();
  let server: Server;
  let host: string;
  let greeting = "";

  beforeAll(async () => {
    server = createServer((socket) => {
      sockets.add(socket.on("error", () => undefined));
      socket.write(greeting);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    host = `127.0.0.1:${typeof address === "object" ? address?.port : ""}`;
  });

  afterAll(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });

  test.each([
    ["only accepts the connection", "http", ""],
    ["does not complete the TLS handshake", "https", ""],
    ["sends incomplete headers", "http", "HTTP/1.1 200 OK\r\nx-more: "],
  ])("times out when the server %s", async (_, protocol, bytes) => {
    greeting = bytes;
    const outcome = await send(`${protocol}://${host}`, { timeout: 200 });
    expect(outcome).toEqual({ kind: "failed", reason: expect.stringContaining(host) });
    expect(reasonOf(outcome)).toContain("0.2 s");
    expect(reasonOf(outcome)).toMatchSnapshot();
  });
});
