import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checkPorts } from "../../../src/cli/check/port.ts";
import { Secret } from "../../../src/domain/secret.ts";
import { freePort } from "../../support/free-port.ts";
import { serverWith } from "./settings.ts";

setDefaultTimeout(120_000);

const servers: Bun.Server<undefined>[] = [];

afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop(true);
});

/** Listens, and gives the port and every request's Authorization. */
function listen(answer: () => Response) {
  const shown: (string | null)[] = [];
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch(request) {
      shown.push(request.headers.get("authorization"));
      return answer();
    },
  });
  servers.push(server);
  return { port: server.port ?? 0, shown };
}

/** Whether Linux lets only some have this port, and whoever runs the tests is none of them (ip(7)). */
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
};

async function remarksOf(
  port: number,
  adminPort: number,
  { isConfigured = true, host = "127.0.0.1", httpPort = 0 } = {},
) {
  const admin = { host: "127.0.0.1", port: adminPort, isConfigured, token: TOKEN };
  const acme = httpPort === 0 ? null : { settings: SETTINGS, httpPort };
  const remarks = await checkPorts({ server: serverWith({ host, port, acme }), admin });
  return remarks.map(({ level, text }) => `${level} ${text}`);
}

describe("check of the ports", () => {
  test("takes those that are free, and leaves them free", async () => {
    const [port, admin] = [freePort(), freePort()];
    const expected = [
      `ok port ${port} on 127.0.0.1 is free: no server is running there`,
      `ok admin port ${admin} on 127.0.0.1 is free: no server is running there`,
    ];
    expect(await remarksOf(port, admin)).toEqual(expected);
    expect(await remarksOf(port, admin)).toEqual(expected);
  });

  test("says nothing of ports that the system picks", async () => {
    expect(await remarksOf(0, 0)).toEqual([]);
  });

  test("takes a socket that can be made, knows a hooklatch at it, and another program", async () => {
    const root = mkdtempSync(join(tmpdir(), "hooklatch-check-"));
    const socket = join(root, "hooklatch.sock");
    const look = async (path = socket) => (await remarksOf(9000, 0, { host: `unix:${path}` })).join("\n");
    try {
      expect(await look()).toBe(`ok socket ${socket} is free: no server is running there`);
      expect(readdirSync(root)).toEqual([]);
      let answer = () => Response.json({ status: "ok" });
      servers.push(Bun.serve({ unix: socket, fetch: () => answer() }));
      expect(await look()).toBe(`ok socket ${socket}: hooklatch is running`);
      answer = () => new Response("hello");
      expect(await look()).toStartWith(`fail socket ${socket} is taken by another program: `);
      expect(await look(join(root, "none/x.sock"))).toStartWith(
        `fail socket ${join(root, "none/x.sock")} cannot be made: ${join(root, "none")} is not there`,
      );
    } finally {
      rmSync(root, { recursive: true });
    }
  });

  test("fails an admin port that another hooklatch has, which it has when ours is not running", async () => {
    const admin = listen(() => Response.json({ status: "not authorised" }, { status: 401 }));
    expect((await remarksOf(freePort(), admin.port))[1]).toBe(
      `fail admin port ${admin.port} on 127.0.0.1 is another hooklatch's: choose another port in [admin]`,
    );
    expect((await remarksOf(freePort(), admin.port, { isConfigured: false }))[1]).toStartWith("warn ");
    expect((await remarksOf(0, admin.port))[0]).toEndWith(": hooklatch is running");
  });

  test("looks at the port for the CA's challenges, too", async () => {
    const httpPort = freePort();
    const look = async () => (await remarksOf(freePort(), 0, { httpPort }))[1];
    expect(await look()).toBe(`ok http_port ${httpPort} on 127.0.0.1 is free: no server is running there`);
    servers.push(Bun.serve({ hostname: "127.0.0.1", port: httpPort, fetch: () => new Response("hello") }));
    expect(await look()).toStartWith(
      `fail http_port ${httpPort} on 127.0.0.1 is taken by another program: stop it`,
    );
  });

  test("knows a hooklatch that waits for its first certificate, and its admin port for its own", async () => {
    const admin = listen(() => Response.json({ status: "not authorised" }, { status: 401 }));
    const plain = listen(() => Response.json({ status: "not found" }, { status: 404 }));
    const port = freePort();
    expect(await remarksOf(port, admin.port, { httpPort: plain.port })).toEqual([
      `warn port ${port} on 127.0.0.1: hooklatch is running and waits for its first certificate, until which it takes no deliveries; its log tells what keeps it`,
      `ok http_port ${plain.port} on 127.0.0.1: hooklatch is running`,
      `ok admin port ${admin.port} on 127.0.0.1: hooklatch is running`,
    ]);
    expect((await remarksOf(0, admin.port, { httpPort: plain.port })).join()).not.toContain("waits");
    const { port: taken } = listen(() => new Response("hello"));
    expect((await remarksOf(taken, 0, { httpPort: plain.port }))[0]).toStartWith("fail ");
  });

  test("knows a hooklatch by its answers, and shows nobody the token", async () => {
    const open = listen(() => Response.json({ status: "ok" }));
    const admin = listen(() => Response.json({ status: "not authorised" }, { status: 401 }));
    expect(await remarksOf(open.port, admin.port)).toEqual([
      `ok port ${open.port} on 127.0.0.1: hooklatch is running`,
      `ok admin port ${admin.port} on 127.0.0.1: hooklatch is running`,
    ]);
    expect([...open.shown, ...admin.shown]).toEqual([null, null]);
  });

  test("fails those that another program has, but only warns of an admin port that nobody chose", async () => {
    const { port } = listen(() => new Response("hello"));
    expect(await remarksOf(port, port)).toEqual([
      `fail port ${port} on 127.0.0.1 is taken by another program: stop it (ss -lxtp names it), or choose another`,
      expect.stringMatching(/^fail admin port \d+ on 127\.0\.0\.1 is taken by another program/),
    ]);
    const [, admin] = await remarksOf(port, port, { isConfigured: false });
    expect(admin).toStartWith(`warn admin port ${port} on 127.0.0.1 is taken by another program`);
  });

  test("fails a host that is not of this machine", async () => {
    expect((await remarksOf(freePort(), 0, { host: "192.0.2.1" }))[0]).toMatch(
      /^fail port \d+ on 192\.0\.2\.1 cannot be opened: the host is no address of this machine/,
    );
  });

  test.skipIf(!isPrivileged(1))("fails a port that this user has no privilege for", async () => {
    expect((await remarksOf(1, 0))[0]).toStartWith(
      "fail port 1 on 127.0.0.1 needs a privilege that this user has not: give the service AmbientCapabilities=CAP_NET_BIND_SERVICE",
    );
  });
});
