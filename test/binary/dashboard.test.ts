import { afterEach, describe, expect, test } from "bun:test";
import { once } from "node:events";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { page } from "../../src/web/index.ts";
import { readEvents } from "../http/read-events.ts";
import { writeConfiguration } from "../support/configuration.ts";
import { EXECUTABLE, Workshop } from "../support/executable.ts";
import { freePort } from "../support/free-port.ts";

const workshops: Workshop[] = [];

afterEach(async () => {
  for (const workshop of workshops.splice(0)) await workshop.dispose();
});

const SECRET = "a secret of the tests, long enough";

async function start() {
  const workshop = new Workshop();
  workshops.push(workshop);
  const adminPort = freePort();
  const file = writeConfiguration(workshop, { adminPort });
  const server = await workshop.serve([], { SECRET });
  const url = `http://127.0.0.1:${adminPort}`;
  const token = () => readFileSync(join(workshop.path, "data/secrets/admin.token"), "utf8").trim();
  return { workshop, file, server, url, token };
}

/** Logs in as a browser does, and returns the cookie. */
async function logIn(url: string, token: string): Promise<string> {
  const response = await fetch(`${url}/api/session`, {
    method: "POST",
    headers: { "content-type": "application/json", origin: url },
    body: JSON.stringify({ token }),
  });
  expect(response.status).toBe(200);
  return (response.headers.get("set-cookie") ?? "").split(";")[0] ?? "";
}

describe("the dashboard of the executable", () => {
  test("is the page of the source, compressed for browsers and plain for others", async () => {
    const { url } = await start();
    for (const [path, base64] of [
      ["/", page.html],
      ["/dashboard.js", page.script],
      ["/dashboard.css", page.style],
      ["/dashboard.svg", page.icon],
    ] as const) {
      const text = gunzipSync(Buffer.from(base64, "base64")).toString();
      for (const encoding of ["gzip", "identity"]) {
        const response = await fetch(url + path, { headers: { "accept-encoding": encoding } });
        expect([path, response.status, await response.text()]).toEqual([path, 200, text]);
      }
    }
  });

  test("ends its sessions and their event streams when a reload brings another token", async () => {
    const { workshop, file, server, url, token } = await start();
    const cookie = await logIn(url, token());
    const headers = { cookie, "sec-fetch-site": "same-origin" };
    const stream = await fetch(`${url}/api/events`, { headers });
    expect(stream.status).toBe(200);
    // A reload with the same token leaves the stream open.
    process.kill(server.pid, "SIGHUP");
    await server.until(() => server.stderr.includes("configuration reloaded"));
    expect((await fetch(`${url}/api/status`, { headers })).status).toBe(200);
    writeFileSync(
      file,
      readFileSync(file, "utf8").replace(
        "[admin]\n",
        '[admin]\ntoken = "another token, which is a literal"\n',
      ),
    );
    const reloads = () => server.stderr.split("configuration reloaded").length - 1;
    process.kill(server.pid, "SIGHUP");
    await server.until(() => reloads() === 2);
    expect(await readEvents(stream)).toEqual([]);
    expect((await fetch(`${url}/api/status`, { headers })).status).toBe(401);
    expect(server.stderr).not.toContain(token());
    expect(existsSync(join(workshop.path, "data"))).toBe(true);
  });

  test("goes away and comes back with a reload", async () => {
    const { file, server, url } = await start();
    const text = readFileSync(file, "utf8");
    const reload = async (count: number) => {
      process.kill(server.pid, "SIGHUP");
      await server.until(() => server.stderr.split("configuration reloaded").length - 1 === count);
    };
    writeFileSync(file, text.replace("[admin]\n", "[admin]\ndashboard = false\n"));
    await reload(1);
    expect((await fetch(`${url}/`)).status).toBe(404);
    writeFileSync(file, text);
    await reload(2);
    expect((await fetch(`${url}/`)).status).toBe(200);
  });

  test("is named by `hooklatch dashboard`, without the token", async () => {
    const { workshop, url, token } = await start();
    const { exitCode, stdout, stderr } = await workshop.run(["dashboard"], { SECRET });
    expect([exitCode, stderr]).toEqual([0, ""]);
    expect(stdout).toStartWith(`${url}/\n`);
    expect(stdout).toContain(join(workshop.path, "data/secrets/admin.token"));
    expect(stdout).not.toContain(token());
  });

  test("reports the file systems of the data directory and the targets once each", async () => {
    const { url, token } = await start();
    const response = await fetch(`${url}/api/status`, { headers: { authorization: `Bearer ${token()}` } });
    const { disks } = (await response.json()) as { disks: { free_bytes: number; total_bytes: number }[] };
    expect(disks).toHaveLength(1);
    expect(disks[0]?.free_bytes).toBeGreaterThan(0);
    expect(disks[0]?.total_bytes).toBeGreaterThanOrEqual(disks[0]?.free_bytes ?? 0);
  });
});

test("hooklatch demo --keep leaves the dashboard open until it is stopped, also when its port is in use", async () => {
  const other = createServer().listen({ host: "127.0.0.1", port: 9001, exclusive: true });
  // Another server of this machine may have the default port already.
  await Promise.race([once(other, "listening"), once(other, "error")]);
  const workshop = new Workshop();
  workshops.push(workshop);
  const child = Bun.spawn([EXECUTABLE, "demo", "--keep"], {
    cwd: workshop.path,
    env: workshop.env({ TMPDIR: workshop.path }),
    stdout: "pipe",
    stderr: "inherit",
  });
  let output = "";
  const decoder = new TextDecoder();
  for await (const chunk of child.stdout) {
    output += decoder.decode(chunk, { stream: true });
    if (output.includes("Ctrl-C stops the server")) break;
  }
  other.close();
  const [, address = ""] = /The dashboard is at (http:\S+);/.exec(output) ?? [];
  const token = readFileSync(/^ {2}cat (\S+admin\.token)$/m.exec(output)?.[1] ?? "", "utf8").trim();
  expect(output).not.toContain(token);
  const cookie = await logIn(new URL(address).origin, token);
  const response = await fetch(new URL("/api/targets", address), {
    headers: { cookie, "sec-fetch-site": "same-origin" },
  });
  expect(((await response.json()) as { items: unknown[] }).items).toMatchObject([
    { name: "blog", live: { subject: "Hello from the second push", author: "Mona" } },
  ]);
  child.kill("SIGINT");
  expect(await child.exited).toBe(0);
});
