import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { connect as connectTcp } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, type TLSSocket } from "node:tls";
import { Fault } from "../../src/domain/fault.ts";
import { type Certificate, readCertificate } from "../../src/http/certificate.ts";
import { type Listener, type ListenOptions, openListener } from "../../src/http/listen.ts";
import { makeCertificate } from "../support/certificate.ts";
import { until } from "../support/until.ts";

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

/** Opens a listener that answers with how long the body was. */
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

/** A client that collects what it is answered. */
class Client {
  /** The certificate that it was shown, in base64. */
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

  async untilAnswered(body: string): Promise<void> {
    await until(() => this.received.endsWith(`\r\n\r\n${body}`) || this.closed);
    expect(this.received).toStartWith("HTTP/1.1 200");
    expect(this.received).toEndWith(`\r\n\r\n${body}`);
  }
}

const connectTo = ({ url }: Listener) => Client.connect({ host: "127.0.0.1", port: Number(url.port) });

const GET = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";

/** One request on a connection of its own. Gives the certificate that was shown. */
async function ask(listener: Listener): Promise<string> {
  const client = await connectTo(listener);
  client.send(GET);
  await client.untilAnswered("0");
  client.socket.destroy();
  return client.certificate;
}

const flat = ({ cert }: Certificate) => cert.replaceAll(/-----[^-]+-----|\s/g, "");

describe("renewing the certificate of a port", () => {
  test("shows the new one to all who connect from then on", async () => {
    const listener = await openTls();
    expect(await ask(listener)).toBe(flat(old));
    await listener.renew(renewed);
    for (let count = 0; count < 20; count++) expect(await ask(listener)).toBe(flat(renewed));
  });

  test("shows the newest where they follow each other at once", async () => {
    const listener = await openTls();
    for (let count = 0; count < 5; count++) {
      await Promise.all([listener.renew(renewed), listener.renew(old), listener.renew(renewed)]);
      for (let asked = 0; asked < 10; asked++) expect(await ask(listener)).toBe(flat(renewed));
    }
  });

  test("answers a request that is under way", async () => {
    let answer = () => {};
    let asked = false;
    const listener = await openTls({
      async handle() {
        asked = true;
        await new Promise<void>((resolve) => {
          answer = resolve;
        });
        return new Response("done");
      },
    });
    const client = await connectTo(listener);
    client.send(GET);
    await until(() => asked);
    await listener.renew(renewed);
    answer();
    await client.untilAnswered("done");
    expect(client.certificate).toBe(flat(old));
  });

  test("answers a request whose head, or body, came half before and half after", async () => {
    const listener = await openTls();
    const [head, body] = [await connectTo(listener), await connectTo(listener)];
    head.send(GET.slice(0, 20));
    body.send("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n12345");
    expect(await ask(listener)).toBe(flat(old));
    await listener.renew(renewed);
    expect(await ask(listener)).toBe(flat(renewed));
    head.send(GET.slice(20));
    body.send("67890");
    await head.untilAnswered("0");
    await body.untilAnswered("10");
  });

  test("serves who was connected before and begins the handshake after", async () => {
    const listener = await openTls();
    const socket = connectTcp({ host: "127.0.0.1", port: Number(listener.url.port) });
    await new Promise<void>((resolve) => socket.once("connect", resolve));
    expect(await ask(listener)).toBe(flat(old));
    await listener.renew(renewed);
    expect(await ask(listener)).toBe(flat(renewed));
    const client = await Client.connect({ socket });
    client.send(GET);
    await client.untilAnswered("0");
    expect(client.certificate).toBe(flat(old));
  });

  test("answers the next request on a connection that is kept alive, and closes it then", async () => {
    const listener = await openTls();
    const client = await connectTo(listener);
    client.send(GET);
    await client.untilAnswered("0");
    expect(client.received).not.toMatch(/connection: close/i);
    await listener.renew(renewed);
    client.received = "";
    client.send(GET);
    await client.untilAnswered("0");
    expect(client.received).toMatch(/\r\nconnection: close\r\n/i);
    await until(() => client.closed);
  });

  test("loses nobody of those who connect all the time", async () => {
    const listener = await openTls();
    let isOver = false;
    let answered = 0;
    const clients = Array.from({ length: 8 }, async () => {
      while (!isOver) {
        await ask(listener);
        answered += 1;
      }
    });
    for (let swap = 0; swap < 20; swap++) {
      const enough = answered + 16;
      await until(() => answered >= enough);
      await listener.renew(swap % 2 === 0 ? renewed : old);
    }
    isOver = true;
    // One that was cut off would reject here.
    await Promise.all(clients);
  });

  test("keeps the old one when the runtime cannot serve with the new one", async () => {
    const listener = await openTls();
    const broken = { ...renewed, key: old.key };
    const refused = listener.renew(broken);
    await expect(refused).rejects.toBeInstanceOf(Fault);
    await expect(refused).rejects.toThrow("cannot be served with this certificate and key");
    expect(await ask(listener)).toBe(flat(old));
    await listener.renew(renewed);
    expect(await ask(listener)).toBe(flat(renewed));
  });

  test("leaves the port to nobody else, before, during and after", async () => {
    const listener = await openTls();
    const port = Number(listener.url.port);
    for (let count = 0; count < 3; count++) {
      await expect(openTls({ port })).rejects.toThrow(`port ${port} on 127.0.0.1 is in use`);
      await listener.renew(renewed);
    }
    expect(await ask(listener)).toBe(flat(renewed));
  });

  test("is refused where plain HTTP is spoken", async () => {
    const listener = await openTls({ certificate: null });
    await expect(listener.renew(renewed)).rejects.toThrow("a certificate is of no use to plain HTTP");
    expect((await fetch(listener.url)).status).toBe(200);
  });
});

describe("stopping a listener after a renewal", () => {
  test("answers what is under way on either certificate, and frees the port", async () => {
    const answers: (() => void)[] = [];
    const listener = await openTls({
      async handle() {
        await new Promise<void>((resolve) => answers.push(resolve));
        return new Response("done");
      },
    });
    const before = await connectTo(listener);
    before.send(GET);
    await until(() => answers.length === 1);
    await listener.renew(renewed);
    const after = await connectTo(listener);
    after.send(GET);
    await until(() => answers.length === 2);
    const stopped = listener.stop(60_000);
    await listener.renew(old);
    for (const answer of answers) answer();
    await Promise.all([before.untilAnswered("done"), after.untilAnswered("done"), stopped]);
    const next = await openTls({ port: Number(listener.url.port) });
    expect(await ask(next)).toBe(flat(old));
  });

  test("cuts what is still under way when the grace is over", async () => {
    let asked = 0;
    const listener = await openTls({
      handle() {
        asked += 1;
        return new Promise(() => {});
      },
    });
    const before = await connectTo(listener);
    before.send(GET);
    await until(() => asked === 1);
    await listener.renew(renewed);
    await listener.stop(10);
    await until(() => before.closed);
    expect(before.received).toBe("");
  });
});

describe("renewing the certificate of a unix socket", () => {
  test("shows the new one there, and removes the socket at the end", async () => {
    const path = join(directory, "hook.sock");
    const listener = await openTls({ host: `unix:${path}` });
    const before = await Client.connect({ path });
    await listener.renew(renewed);
    await listener.renew(renewed);
    const after = await Client.connect({ path });
    expect([before.certificate, after.certificate]).toEqual([flat(old), flat(renewed)]);
    before.send(GET);
    await before.untilAnswered("0");
    await listener.stop(0);
    expect(readdirSync(directory).filter((name) => name.includes("sock"))).toEqual([]);
  });
});
