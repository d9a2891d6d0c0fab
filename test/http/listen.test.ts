import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { connect, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Fault } from "../../src/domain/fault.ts";
import { readCertificate } from "../../src/http/certificate.ts";
import { type Listener, type ListenOptions, openListener } from "../../src/http/listen.ts";
import { makeCertificate } from "../support/certificate.ts";

setDefaultTimeout(120_000);

let directory = "";
let open: Listener[] = [];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "hooklatch-socket-"));
});
afterEach(async () => {
  await Promise.all(open.map((listener) => listener.stop(0)));
  open = [];
  rmSync(directory, { recursive: true });
});

const path = () => join(directory, "hook.sock");

/** Opens a listener that answers with the peer it was told. */
async function openSocket(options: Partial<ListenOptions> = {}): Promise<Listener> {
  const listener = await openListener({
    host: `unix:${path()}`,
    port: 0,
    certificate: null,
    maxBody: 1024,
    handle: async (_request, peer) => new Response(String(peer)),
    ...options,
  });
  open.push(listener);
  return listener;
}

async function ask(): Promise<string> {
  return (await fetch("http://localhost/healthz", { unix: path() })).text();
}

/** What a killed server leaves: a socket that nobody listens on. */
async function leaveBehind(at: string): Promise<void> {
  const code = `Bun.serve({ unix: ${JSON.stringify(at)}, fetch: () => new Response() }); process.kill(process.pid, "SIGKILL")`;
  await Bun.spawn([process.execPath, "-e", code], { stderr: "ignore" }).exited;
  expect(statSync(at).isSocket()).toBe(true);
}

async function listenOtherwise(at: string): Promise<Server> {
  const server = createServer((socket) => socket.end());
  await new Promise<void>((resolve) => server.listen(at, resolve));
  return server;
}

describe("a listener on a unix socket", () => {
  test("answers there, with `unix` for the peer, to its owner and group alone", async () => {
    const { url } = await openSocket();
    expect(url.href).toBe(`unix:${path()}`);
    expect(await ask()).toBe("unix");
    expect(statSync(path()).mode & 0o777).toBe(0o660);
    expect(readdirSync(directory)).toEqual(["hook.sock"]);
  });

  test("speaks TLS with a certificate", async () => {
    const certificate = readCertificate(makeCertificate(directory, "hook"), new Date());
    await openSocket({ certificate });
    const tls = { rejectUnauthorized: false };
    const answer = await fetch("https://localhost/healthz", { unix: path(), tls });
    expect(await answer.text()).toBe("unix");
  });

  test("is removed when it is stopped", async () => {
    const listener = await openSocket();
    await listener.stop(1000);
    expect(readdirSync(directory)).toEqual([]);
  });

  test("leaves the socket alone that somebody put in its place", async () => {
    const listener = await openSocket();
    rmSync(path());
    const other = await listenOtherwise(path());
    await listener.stop(0);
    expect(existsSync(path())).toBe(true);
    other.close();
  });

  test("takes the place of sockets that a killed server left", async () => {
    await leaveBehind(path());
    await leaveBehind(`${path()}.new`);
    await openSocket();
    expect(await ask()).toBe("unix");
  });

  test("is refused where another process listens, which goes on to", async () => {
    await openSocket();
    const second = openSocket({ handle: async () => new Response("second") });
    await expect(second).rejects.toEqual(
      new Fault("failed", `the socket ${path()} is in use; is another hooklatch running?`),
    );
    expect(await ask()).toBe("unix");
  });

  test("is refused where a file is, which stays", async () => {
    writeFileSync(path(), "precious");
    await expect(openSocket()).rejects.toThrow("is there and is no socket");
    expect(await Bun.file(path()).text()).toBe("precious");
    expect(readdirSync(directory)).toEqual(["hook.sock"]);
  });

  test("is refused in a directory that is not there, with the reason", async () => {
    const host = `unix:${join(directory, "gone", "hook.sock")}`;
    await expect(openSocket({ host })).rejects.toThrow(
      `the directory ${join(directory, "gone")} does not exist`,
    );
  });

  test.skipIf(process.getuid?.() === 0)(
    "is refused in a directory that is not ours, with the reason",
    async () => {
      chmodSync(directory, 0o500);
      await expect(openSocket()).rejects.toThrow(`this user may not write to ${directory}`);
      chmodSync(directory, 0o700);
    },
  );
});

describe("a listener on a port", () => {
  test("gives all lines of a header as one, in their order, as a client's address is looked for in it", async () => {
    const handle = async ({ headers }: Request) => new Response(headers.get("x-forwarded-for"));
    const { url } = await openSocket({ host: "127.0.0.1", handle });
    const { promise, resolve } = Promise.withResolvers<string>();
    let answer = "";
    const socket = connect(Number(url.port), "127.0.0.1");
    socket.on("data", (bytes) => {
      answer += bytes;
    });
    socket.on("close", () => resolve(answer));
    const lines = ["Host: hooks.test", "X-Forwarded-For: 1.1.1.1, 2.2.2.2", "Connection: close"];
    socket.write(`GET / HTTP/1.1\r\n${lines.join("\r\n")}\r\nx-forwarded-FOR: 3.3.3.3\r\n\r\n`);
    expect(await promise).toEndWith("\r\n\r\n1.1.1.1, 2.2.2.2, 3.3.3.3");
  });

  test("tells its handler the peer's address", async () => {
    const { url } = await openSocket({ host: "127.0.0.1" });
    expect(await (await fetch(url)).text()).toBe("127.0.0.1");
  });
});
