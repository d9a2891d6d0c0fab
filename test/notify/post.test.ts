import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Secret } from "../../src/domain/secret.ts";
import { sendPost } from "../../src/notify/post.ts";
import { makeCertificate, makeExpiredCertificate } from "../support/certificate.ts";
import { freePort } from "../support/free-port.ts";
import { until } from "../support/until.ts";
import { PATIENT } from "./news.ts";
import { receive } from "./receiver.ts";

const directory = mkdtempSync(join(tmpdir(), "hooklatch-post-"));
afterAll(() => rmSync(directory, { recursive: true }));

/** Posts to an address whose path and query are secret. */
function send(origin: string, { timeout = 5000, signal = PATIENT.signal } = {}) {
  return sendPost(
    () => ({ url: `${origin}/hush?key=hush`, headers: {}, body: "{}" }),
    () => null,
    { timeout, signal },
  );
}

describe("a post", () => {
  test.each([200, 201, 204])("is taken with a %d", async (status) => {
    await using receiver = receive(() => new Response(null, { status }));
    expect(await send(receiver.origin)).toEqual({ kind: "taken" });
  });

  test.each([301, 302, 303, 307, 308])("follows no %d", async (status) => {
    await using receiver = receive(() => new Response(null, { status, headers: { location: "/elsewhere" } }));
    expect(await send(receiver.origin)).toEqual({
      kind: "refused",
      reason: `${new URL(receiver.origin).host} answered ${status}: it redirects; configure the final address`,
    });
    expect(receiver.received.map(({ path }) => path)).toEqual(["/hush?key=hush"]);
  });

  test("is taken without reading an endless answer, whose sender is cut off", async () => {
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

  test("is given up at once when nobody waits any more, and may be sent again", async () => {
    const ended = new AbortController();
    await using receiver = receive(() => {
      ended.abort();
      return new Promise<Response>(() => {});
    });
    expect(await send(receiver.origin, { signal: ended.signal })).toEqual({
      kind: "failed",
      reason: `hooklatch stopped before ${new URL(receiver.origin).host} answered`,
    });
  });

  test("may be sent again when nobody listens", async () => {
    const host = `127.0.0.1:${freePort()}`;
    expect(await send(`http://${host}`)).toEqual({
      kind: "failed",
      reason: `cannot post to ${host} (ECONNREFUSED)`,
    });
  });

  test.each([
    ["self-signed", makeCertificate, "DEPTH_ZERO_SELF_SIGNED_CERT"],
    ["expired", makeExpiredCertificate, "CERT_HAS_EXPIRED"],
  ])("is not sent to a server with a %s certificate", async (name, make, code) => {
    const { cert, key } = make(directory, name);
    await using receiver = receive(undefined, {
      cert: readFileSync(cert, "utf8"),
      key: readFileSync(key, "utf8"),
    });
    expect(await send(receiver.origin)).toEqual({
      kind: "failed",
      reason: `cannot post to ${new URL(receiver.origin).host} (${code})`,
    });
    expect(receiver.received).toEqual([]);
  });

  test.each(["file:///etc/hostname", "data:text/plain,hush", "s3://bucket/hush", "hush", ""])(
    "is sent to no %p",
    async (url) => {
      expect(
        await sendPost(
          () => ({ url, headers: {}, body: "" }),
          () => null,
          PATIENT,
        ),
      ).toEqual({
        kind: "refused",
        reason: "its address is not an http or https URL",
      });
    },
  );

  test("tells no credentials of its address", async () => {
    await using receiver = receive(() => new Response(null, { status: 500 }));
    const { host } = new URL(receiver.origin);
    expect(await send(`http://hush:hush@${host}`)).toEqual({
      kind: "failed",
      reason: `${host} answered 500`,
    });
  });

  test("tells no header that cannot be sent", async () => {
    await using receiver = receive();
    const outcome = await sendPost(
      () => ({ url: receiver.origin, headers: { authorization: "Bearer hush\nhush" }, body: "" }),
      () => null,
      PATIENT,
    );
    expect(outcome).toEqual({
      kind: "failed",
      reason: `cannot post to ${new URL(receiver.origin).host} (TypeError)`,
    });
    expect(receiver.received).toEqual([]);
  });

  test("says which secret is missing", async () => {
    const secret = new Secret({ kind: "env", name: "CHAT_URL" });
    const compose = () => ({ url: secret.reveal(), headers: {}, body: "" });
    expect(await sendPost(compose, () => null, PATIENT)).toEqual({
      kind: "failed",
      reason: "cannot write the message: env:CHAT_URL was not loaded",
    });
  });
});

describe("a server that gives no answer", () => {
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
    ["takes the connection only", "http", ""],
    ["never shakes hands", "https", ""],
    ["stops within the head", "http", "HTTP/1.1 200 OK\r\nx-more: "],
  ])("is given up when it %s", async (_, protocol, words) => {
    greeting = words;
    expect(await send(`${protocol}://${host}`, { timeout: 200 })).toEqual({
      kind: "failed",
      reason: `${host} gave no answer within 0.2 s`,
    });
  });
});
