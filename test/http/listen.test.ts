import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { connect, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Listener, type ListenOptions, openListener } from "../../src/http/server/listen.ts";
import { readCertificate } from "../../src/http/tls/certificate.ts";
import { AppError } from "../../src/lib/errors.ts";
import { openHttpServer } from "../../src/runtime/index.ts";
import { catchError } from "../providers/catch-error.ts";
import { makeCertificate } from "../support/certificate.ts";
import { words } from "../support/words.ts";

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

/** Opens a listener that responds with the address of the peer. */
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

/** Returns the message of the `failed` error that opening the listener rejects with. */
async function failureOf(options: Partial<ListenOptions> = {}): Promise<string> {
  const error = await catchError(() => openSocket(options));
  expect(error).toBeInstanceOf(AppError);
  expect(error).toMatchObject({ code: "failed" });
  return error.message;
}

async function fetchBody(): Promise<string> {
  return (await fetch("http://localhost/healthz", { unix: path() })).text();
}

/** Creates the stale socket that a killed server leaves. */
async function createStaleSocket(at: string): Promise<void> {
  const code = `Bun.serve({ unix: ${JSON.stringify(at)}, fetch: () => new Response() }); process.kill(process.pid, "SIGKILL")`;
  await Bun.spawn([process.execPath, "-e", code], { stderr: "ignore" }).exited;
  expect(statSync(at).isSocket()).toBe(true);
}

/** Opens a server on the socket that is not a listener under test. */
async function openOtherServer(at: string): Promise<Server> {
  const server = createServer((socket) => socket.end());
  await new Promise<void>((resolve) => server.listen(at, resolve));
  return server;
}

describe("listener on a unix socket", () => {
  test("has mode 0660 from the moment it is bound", async () => {
    const modes: string[] = [];
    const onBound = () => modes.push((statSync(path()).mode & 0o777).toString(8));
    const server = await openHttpServer({
      address: { kind: "socket", path: path(), onBound },
      certificate: null,
      maxBody: null,
      handle: async () => new Response(),
    });
    await server.stop(0);
    expect(modes).toEqual(["660"]);
  });

  test("serves requests with the peer `unix` and has mode 0660", async () => {
    const { url } = await openSocket();
    expect(url.href).toBe(`unix:${path()}`);
    expect(await fetchBody()).toBe("unix");
    expect(statSync(path()).mode & 0o777).toBe(0o660);
    expect(readdirSync(directory)).toEqual(["hook.sock"]);
  });

  test("serves TLS when it has a certificate", async () => {
    const certificate = readCertificate(makeCertificate(directory, "hook"), new Date());
    await openSocket({ certificate });
    const tls = { rejectUnauthorized: false };
    const response = await fetch("https://localhost/healthz", { unix: path(), tls });
    expect(await response.text()).toBe("unix");
  });

  test("removes the socket when it stops", async () => {
    const listener = await openSocket();
    await listener.stop(1000);
    expect(readdirSync(directory)).toEqual([]);
  });

  test("does not remove a socket that replaced its own", async () => {
    const listener = await openSocket();
    rmSync(path());
    const other = await openOtherServer(path());
    await listener.stop(0);
    expect(existsSync(path())).toBe(true);
    other.close();
  });

  test("replaces stale sockets of a killed server", async () => {
    await createStaleSocket(path());
    await createStaleSocket(`${path()}.new`);
    await openSocket();
    expect(await fetchBody()).toBe("unix");
  });

  test("fails when another server uses the socket, and that server keeps running", async () => {
    await openSocket();
    const failure = await failureOf({ handle: async () => new Response("second") });
    expect(failure).toContain(path());
    expect(words(failure)).toMatchSnapshot();
    expect(await fetchBody()).toBe("unix");
  });

  test("fails when the path is a file, and does not change the file", async () => {
    writeFileSync(path(), "precious");
    const failure = await failureOf();
    expect(failure).toContain(path());
    expect(words(failure)).toMatchSnapshot();
    expect(await Bun.file(path()).text()).toBe("precious");
    expect(readdirSync(directory)).toEqual(["hook.sock"]);
  });

  test("fails when the directory does not exist", async () => {
    const missing = join(directory, "gone");
    const failure = await failureOf({ host: `unix:${join(missing, "hook.sock")}` });
    expect(failure).toContain(missing);
    expect(words(failure)).toMatchSnapshot();
  });

  // No snapshot: `bun test -u` as root would delete it.
  test.skipIf(process.getuid?.() === 0)("fails when the directory is not writable and names it", async () => {
    chmodSync(directory, 0o500);
    const failure = await failureOf();
    expect(failure.replaceAll(path(), "")).toContain(directory);
    chmodSync(directory, 0o700);
  });
});

describe("listener on a port", () => {
  test("joins repeated headers in order, which reading the client address relies on", async () => {
    const handle = async ({ headers }: Request) => new Response(headers.get("x-forwarded-for"));
    const { url } = await openSocket({ host: "127.0.0.1", handle });
    const { promise, resolve } = Promise.withResolvers<string>();
    let response = "";
    const socket = connect(Number(url.port), "127.0.0.1");
    socket.on("data", (bytes) => {
      response += bytes;
    });
    socket.on("close", () => resolve(response));
    const lines = ["Host: hooks.test", "X-Forwarded-For: 1.1.1.1, 2.2.2.2", "Connection: close"];
    socket.write(`GET / HTTP/1.1\r\n${lines.join("\r\n")}\r\nx-forwarded-FOR: 3.3.3.3\r\n\r\n`);
    expect(await promise).toEndWith("\r\n\r\n1.1.1.1, 2.2.2.2, 3.3.3.3");
  });

  test("passes the address of the peer to its handler", async () => {
    const { url } = await openSocket({ host: "127.0.0.1" });
    expect(await (await fetch(url)).text()).toBe("127.0.0.1");
  });
});
