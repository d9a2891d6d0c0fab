import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checkPorts } from "../../src/doctor/port.ts";
import { Secret } from "../../src/lib/secret.ts";
import { freePort } from "../support/free-port.ts";
import { levelsOf, linesOf, wordsOf } from "./results.ts";
import { serverWith } from "./settings.ts";

setDefaultTimeout(120_000);

const servers: Bun.Server<undefined>[] = [];

/** A data directory that this process uses, as a server does. */
let dataDir: string;
let lock: number;

beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), "hooklatch-check-"));
  lock = openSync(join(dataDir, "hooklatch.lock"), "w");
  writeFileSync(join(dataDir, "hooklatch.pid"), `${process.pid}\n`);
});

afterEach(async () => {
  closeSync(lock);
  rmSync(dataDir, { recursive: true });
  for (const server of servers.splice(0)) await server.stop(true);
});

/** Starts a server. `authorizations` has the Authorization header of each request that it receives. */
function listen(respond: (request: Request) => Response) {
  const authorizations: (string | null)[] = [];
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch(request) {
      authorizations.push(request.headers.get("authorization"));
      return respond(request);
    },
  });
  servers.push(server);
  return { port: server.port ?? 0, authorizations };
}

/** An admin listener that accepts this token. */
function listenAsAdmin(token = TOKEN.reveal()) {
  return listen((request) =>
    request.headers.get("authorization") === `Bearer ${token}`
      ? Response.json({ status: "ok" })
      : Response.json({ status: "not authorised" }, { status: 401 }),
  );
}

/** Whether the port needs a privilege that the user of the tests does not have (ip(7)). */
function isPrivileged(port: number): boolean {
  const file = "/proc/sys/net/ipv4/ip_unprivileged_port_start";
  return process.getuid?.() !== 0 && existsSync(file) && port < Number(readFileSync(file, "utf8"));
}

const TOKEN = new Secret({ kind: "env", name: "TOKEN" });
TOKEN.load("a token of the tests, long enough");

const SETTINGS = {
  domains: ["hooks.example.com"],
  email: null,
  directory: "https://ca.example/dir",
  ca: null,
  eab: null,
};

async function check(
  port: number,
  adminPort: number,
  { isConfigured = true, host = "127.0.0.1", httpPort = 0, directory = dataDir } = {},
) {
  const admin = {
    host: "127.0.0.1",
    port: adminPort,
    isConfigured,
    token: TOKEN,
    dashboard: true,
    hosts: [],
  };
  const acme = httpPort === 0 ? null : { settings: SETTINGS, httpPort };
  const store = { keepDeliveries: 1, keepDeployments: 1, postgres: null };
  const server = serverWith({ host, port, acme });
  return linesOf(await checkPorts({ dataDir: directory, server, admin, store }));
}

/** Expects one line for each port, in this order, with its level, its name, its number and the host. */
function expectPorts(
  lines: readonly string[],
  ports: readonly (readonly [level: string, name: string, port: number])[],
): void {
  expect(lines).toHaveLength(ports.length);
  for (const [at, [level, name, port]] of ports.entries()) {
    expect(lines[at]).toStartWith(`${level} `);
    for (const fact of [name, `${port}`, "127.0.0.1"]) expect(lines[at]).toContain(fact);
  }
}

/** The lines for a snapshot. Numbers of four or more digits are ports. */
const wordsWithoutPorts = (lines: readonly string[]) =>
  wordsOf(lines).map((line) => line.replace(/\b\d{4,}\b/g, "<port>"));

describe("port check", () => {
  test("accepts free ports and does not occupy them", async () => {
    const [port, admin] = [freePort(), freePort()];
    const lines = await check(port, admin);
    expectPorts(lines, [
      ["ok", "port", port],
      ["ok", "admin", admin],
    ]);
    expect(wordsWithoutPorts(lines)).toMatchSnapshot();
    expect(await check(port, admin)).toEqual(lines);
  });

  test("returns no results for ports that the system assigns", async () => {
    expect(await check(0, 0)).toEqual([]);
  });

  test("distinguishes a free socket, hooklatch, another program and a missing directory", async () => {
    const root = mkdtempSync(join(tmpdir(), "hooklatch-check-"));
    const socket = join(root, "hooklatch.sock");
    const checkSocket = (path = socket) => check(9000, 0, { host: `unix:${path}` });
    try {
      const free = await checkSocket();
      expect(readdirSync(root)).toEqual([]);
      let respond = () => Response.json({ status: "ok" });
      servers.push(Bun.serve({ unix: socket, fetch: () => respond() }));
      const hooklatch = await checkSocket();
      respond = () => new Response("hello");
      const otherProgram = await checkSocket();
      const noDirectory = await checkSocket(join(root, "none/x.sock"));
      const lines = [...free, ...hooklatch, ...otherProgram, ...noDirectory];
      expect(levelsOf(lines)).toEqual(["ok", "ok", "fail", "fail"]);
      for (const line of lines.slice(0, 3)) expect(line).toContain(`socket ${socket}`);
      expect(lines[3]).toContain(`socket ${join(root, "none/x.sock")}`);
      expect(hooklatch).not.toEqual(free);
      expect(wordsOf(lines)).toMatchSnapshot();
    } finally {
      rmSync(root, { recursive: true });
    }
  });

  test("fails an admin port that another hooklatch uses", async () => {
    const admin = listenAsAdmin("another token");
    // The public port is free, so that the admin port does not belong to a server with this configuration.
    const lines = await check(freePort(), admin.port);
    expectPorts(lines.slice(1), [["fail", "admin", admin.port]]);
    expect(lines[1]).toContain("[admin]");
    expect(wordsWithoutPorts(lines.slice(1))).toMatchSnapshot();
    expect(levelsOf(await check(freePort(), admin.port, { isConfigured: false }))).toEqual(["ok", "warn"]);
    expectPorts(await check(0, admin.port), [["fail", "admin", admin.port]]);
  });

  test("checks the port for the challenges of the CA", async () => {
    const httpPort = freePort();
    const checkHttpPort = async () => (await check(freePort(), 0, { httpPort })).slice(1);
    const free = await checkHttpPort();
    servers.push(Bun.serve({ hostname: "127.0.0.1", port: httpPort, fetch: () => new Response("hello") }));
    const occupied = await checkHttpPort();
    expectPorts(free, [["ok", "http_port", httpPort]]);
    expectPorts(occupied, [["fail", "http_port", httpPort]]);
    expect(wordsWithoutPorts([...free, ...occupied])).toMatchSnapshot();
  });

  test("recognises a hooklatch that waits for its first certificate, and its admin port", async () => {
    const admin = listenAsAdmin();
    const plain = listen(() => Response.json({ status: "not found" }, { status: 404 }));
    const port = freePort();
    const lines = await check(port, admin.port, { httpPort: plain.port });
    expectPorts(lines, [
      ["warn", "port", port],
      ["ok", "http_port", plain.port],
      ["ok", "admin", admin.port],
    ]);
    expect(wordsWithoutPorts(lines)).toMatchSnapshot();
    expectPorts(await check(0, admin.port, { httpPort: plain.port }), [
      ["ok", "http_port", plain.port],
      ["ok", "admin", admin.port],
    ]);
    const { port: occupied } = listen(() => new Response("hello"));
    expect(levelsOf(await check(occupied, 0, { httpPort: plain.port }))[0]).toBe("fail");
  });

  test("recognises its own server by the responses, the data directory and the token", async () => {
    const open = listen(() => Response.json({ status: "ok" }));
    const admin = listenAsAdmin();
    const lines = await check(open.port, admin.port);
    expectPorts(lines, [
      ["ok", "port", open.port],
      ["ok", "admin", admin.port],
    ]);
    expect(wordsWithoutPorts(lines)).toMatchSnapshot();
    expect([...open.authorizations, ...admin.authorizations]).toEqual([
      null,
      null,
      `Bearer ${TOKEN.reveal()}`,
    ]);
  });

  test("fails the ports of another hooklatch, when no server uses the data directory, and sends no token", async () => {
    const open = listen(() => Response.json({ status: "ok" }));
    const admin = listenAsAdmin();
    const stale = mkdtempSync(join(tmpdir(), "hooklatch-check-"));
    try {
      const lines = await check(open.port, admin.port, { directory: join(stale, "none") });
      expectPorts(lines, [
        ["fail", "port", open.port],
        ["fail", "admin", admin.port],
      ]);
      expect(wordsWithoutPorts(lines)).toMatchSnapshot();
      // A server that was killed leaves its number, which another process may have now.
      writeFileSync(join(stale, "hooklatch.lock"), "");
      writeFileSync(join(stale, "hooklatch.pid"), `${process.pid}\n`);
      expect(await check(open.port, admin.port, { directory: stale })).toEqual(lines);
      expect([...open.authorizations, ...admin.authorizations]).toEqual([null, null, null, null]);
    } finally {
      rmSync(stale, { recursive: true });
    }
  });

  test("fails the admin port of another hooklatch that rejects the token of the running server", async () => {
    const open = listen(() => Response.json({ status: "ok" }));
    const admin = listenAsAdmin("another token");
    expectPorts(await check(open.port, admin.port), [
      ["ok", "port", open.port],
      ["fail", "admin", admin.port],
    ]);
    expect(levelsOf(await check(open.port, admin.port, { isConfigured: false }))).toEqual(["ok", "warn"]);
  });

  test("fails ports of another program, but only warns about the default admin port", async () => {
    const { port } = listen(() => new Response("hello"));
    const lines = await check(port, port);
    expectPorts(lines, [
      ["fail", "port", port],
      ["fail", "admin", port],
    ]);
    expect(wordsWithoutPorts(lines)).toMatchSnapshot();
    expectPorts(await check(port, port, { isConfigured: false }), [
      ["fail", "port", port],
      ["warn", "admin", port],
    ]);
  });

  test("fails a host that is not an address of this machine", async () => {
    const lines = await check(freePort(), 0, { host: "192.0.2.1" });
    expect(levelsOf(lines)).toEqual(["fail"]);
    expect(lines[0]).toContain("192.0.2.1");
    expect(wordsWithoutPorts(lines)).toMatchSnapshot();
  });

  test.skipIf(!isPrivileged(1))("fails a port that needs a privilege", async () => {
    const lines = await check(1, 0);
    expectPorts(lines, [["fail", "port", 1]]);
    // There is no snapshot, because `bun test -u` deletes the snapshots of skipped tests.
    expect(lines[0]).toContain("AmbientCapabilities=CAP_NET_BIND_SERVICE");
  });
});
