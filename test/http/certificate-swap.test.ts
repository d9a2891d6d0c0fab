import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { connect as connectTcp } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, type TLSSocket } from "node:tls";
import { type Listener, type ListenOptions, openListener } from "../../src/http/server/listen.ts";
import { type Certificate, readCertificate } from "../../src/http/tls/certificate.ts";
import { AppError } from "../../src/lib/errors.ts";
import { catchError } from "../providers/catch-error.ts";
import { makeCertificate } from "../support/certificate.ts";
import { until } from "../support/until.ts";
import { words } from "../support/words.ts";

setDefaultTimeout(120_000);

let directory: string;
let old: Certificate;
let renewed: Certificate;
let open: Listener[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "hooklatch-renew-"));
  old = make("old");
  renewed = make("renewed");
});
afterEach(async () => {
  await Promise.all(open.map((listener) => listener.stop(0)));
  open = [];
  rmSync(directory, { recursive: true });
});

function make(name: string): Certificate {
  return readCertificate(makeCertificate(directory, name), new Date());
}

/** Opens a listener that responds with the length of the request body. */
async function openTls(options: Partial<ListenOptions> = {}): Promise<Listener> {
  const listener = await openListener({
    host: "127.0.0.1",
    port: 0,
    certificate: old,
    maxBody: 1024 * 1024,
    handle: async (request) => new Response(String((await request.bytes()).length)),
    ...options,
  });
  open.push(listener);
  return listener;
}

/** A TLS client that collects the bytes it receives. */
class Client {
  /** The certificate of the server, in base64. */
  certificate = "";
  received = "";
  closed = false;
  private constructor(readonly socket: TLSSocket) {
    socket.on("data", (data) => {
      this.received += data;
    });
    socket.on("error", () => {});
    socket.on("close", () => {
      this.closed = true;
    });
  }

  static async connect(to: Parameters<typeof connect>[0]): Promise<Client> {
    const socket = connect({ ...to, rejectUnauthorized: false });
    const client = new Client(socket);
    await new Promise<void>((resolve, reject) => {
      socket.once("secureConnect", resolve);
      socket.once("error", reject);
      socket.once("close", () => reject(new Error("closed in the handshake")));
    });
    client.certificate = socket.getPeerCertificate().raw.toString("base64");
    return client;
  }

  send(text: string): void {
    this.socket.write(text);
  }

  async untilResponse(body: string): Promise<void> {
    await until(() => this.received.endsWith(`\r\n\r\n${body}`) || this.closed);
    expect(this.received).toStartWith("HTTP/1.1 200");
    expect(this.received).toEndWith(`\r\n\r\n${body}`);
  }
}

const connectTo = ({ url }: Listener) => Client.connect({ host: "127.0.0.1", port: Number(url.port) });

const GET = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";

/** Sends one request on a new connection. Returns the certificate of the server. */
async function request(listener: Listener): Promise<string> {
  const client = await connectTo(listener);
  client.send(GET);
  await client.untilResponse("0");
  client.socket.destroy();
  return client.certificate;
}

const flat = ({ cert }: Certificate) => cert.replaceAll(/-----[^-]+-----|\s/g, "");

describe("certificate swap on a port", () => {
  test("uses the new certificate for every later connection", async () => {
    const listener = await openTls();
    expect(await request(listener)).toBe(flat(old));
    await listener.renew(renewed);
    for (let count = 0; count < 20; count++) expect(await request(listener)).toBe(flat(renewed));
  });

  test("uses the latest certificate after several concurrent swaps", async () => {
    const listener = await openTls();
    for (let count = 0; count < 5; count++) {
      await Promise.all([listener.renew(renewed), listener.renew(old), listener.renew(renewed)]);
      for (let requests = 0; requests < 10; requests++) expect(await request(listener)).toBe(flat(renewed));
    }
  });

  test("finishes a request in progress", async () => {
    let finish = () => {};
    let isHandling = false;
    const listener = await openTls({
      async handle() {
        isHandling = true;
        await new Promise<void>((resolve) => {
          finish = resolve;
        });
        return new Response("done");
      },
    });
    const client = await connectTo(listener);
    client.send(GET);
    await until(() => isHandling);
    await listener.renew(renewed);
    finish();
    await client.untilResponse("done");
    expect(client.certificate).toBe(flat(old));
  });

  test("finishes a request whose head or body arrives partly before and partly after the swap", async () => {
    const listener = await openTls();
    const [head, body] = [await connectTo(listener), await connectTo(listener)];
    head.send(GET.slice(0, 20));
    body.send("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n12345");
    expect(await request(listener)).toBe(flat(old));
    await listener.renew(renewed);
    expect(await request(listener)).toBe(flat(renewed));
    head.send(GET.slice(20));
    body.send("67890");
    await head.untilResponse("0");
    await body.untilResponse("10");
  });

  test("serves a client that connected before the swap and starts the TLS handshake after it", async () => {
    const listener = await openTls();
    const socket = connectTcp({ host: "127.0.0.1", port: Number(listener.url.port) });
    await new Promise<void>((resolve) => socket.once("connect", resolve));
    expect(await request(listener)).toBe(flat(old));
    await listener.renew(renewed);
    expect(await request(listener)).toBe(flat(renewed));
    const client = await Client.connect({ socket });
    client.send(GET);
    await client.untilResponse("0");
    expect(client.certificate).toBe(flat(old));
  });

  test("serves the next request on a keep-alive connection and then closes it", async () => {
    const listener = await openTls();
    const client = await connectTo(listener);
    client.send(GET);
    await client.untilResponse("0");
    expect(client.received).not.toMatch(/connection: close/i);
    await listener.renew(renewed);
    client.received = "";
    client.send(GET);
    await client.untilResponse("0");
    expect(client.received).toMatch(/\r\nconnection: close\r\n/i);
    await until(() => client.closed);
  });

  test("loses no connection while clients connect continuously", async () => {
    const listener = await openTls();
    let isOver = false;
    let completed = 0;
    const clients = Array.from({ length: 8 }, async () => {
      while (!isOver) {
        await request(listener);
        completed += 1;
      }
    });
    for (let swap = 0; swap < 20; swap++) {
      const enough = completed + 16;
      await until(() => completed >= enough);
      await listener.renew(swap % 2 === 0 ? renewed : old);
    }
    isOver = true;
    // A dropped connection rejects here.
    await Promise.all(clients);
  });

  test("keeps the old certificate when the runtime rejects the new one", async () => {
    const listener = await openTls();
    const broken = { ...renewed, key: old.key };
    const error = await catchError(() => listener.renew(broken));
    expect(error).toBeInstanceOf(AppError);
    expect(words(error.message)).toMatchSnapshot();
    expect(await request(listener)).toBe(flat(old));
    await listener.renew(renewed);
    expect(await request(listener)).toBe(flat(renewed));
  });

  test("never lets another listener open the port", async () => {
    const listener = await openTls();
    const port = Number(listener.url.port);
    const failures: string[] = [];
    for (let count = 0; count < 3; count++) {
      const error = await catchError(() => openTls({ port }));
      expect(error).toBeInstanceOf(AppError);
      expect(error.message).toContain(String(port));
      failures.push(words(error.message));
      await listener.renew(renewed);
    }
    expect(failures).toMatchSnapshot();
    expect(await request(listener)).toBe(flat(renewed));
  });

  test("fails on a plain HTTP listener", async () => {
    const listener = await openTls({ certificate: null });
    const error = await catchError(() => listener.renew(renewed));
    expect(error).toBeInstanceOf(AppError);
    expect(words(error.message)).toMatchSnapshot();
    expect((await fetch(listener.url)).status).toBe(200);
  });
});

describe("stopping a listener after a certificate swap", () => {
  test("finishes requests in progress on both certificates and frees the port", async () => {
    const finish: (() => void)[] = [];
    const listener = await openTls({
      async handle() {
        await new Promise<void>((resolve) => finish.push(resolve));
        return new Response("done");
      },
    });
    const before = await connectTo(listener);
    before.send(GET);
    await until(() => finish.length === 1);
    await listener.renew(renewed);
    const after = await connectTo(listener);
    after.send(GET);
    await until(() => finish.length === 2);
    const stopped = listener.stop(60_000);
    await listener.renew(old);
    for (const each of finish) each();
    await Promise.all([before.untilResponse("done"), after.untilResponse("done"), stopped]);
    const next = await openTls({ port: Number(listener.url.port) });
    expect(await request(next)).toBe(flat(old));
  });

  test("closes requests in progress when the grace period ends", async () => {
    let requests = 0;
    const listener = await openTls({
      handle() {
        requests += 1;
        return new Promise(() => {});
      },
    });
    const before = await connectTo(listener);
    before.send(GET);
    await until(() => requests === 1);
    await listener.renew(renewed);
    await listener.stop(10);
    await until(() => before.closed);
    expect(before.received).toBe("");
  });
});

describe("certificate swap on a unix socket", () => {
  test("uses the new certificate and removes the socket when the listener stops", async () => {
    const path = join(directory, "hook.sock");
    const listener = await openTls({ host: `unix:${path}` });
    const before = await Client.connect({ path });
    await listener.renew(renewed);
    await listener.renew(renewed);
    const after = await Client.connect({ path });
    expect([before.certificate, after.certificate]).toEqual([flat(old), flat(renewed)]);
    before.send(GET);
    await before.untilResponse("0");
    await listener.stop(0);
    expect(readdirSync(directory).filter((name) => name.includes("sock"))).toEqual([]);
  });
});
