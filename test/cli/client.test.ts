import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { AdminServer, page } from "./admin-server.ts";
import { runHooklatch } from "./command-line.ts";

let server: AdminServer;

beforeEach(() => {
  server = new AdminServer();
});

afterEach(() => server.close());

function hooklatch(line: string) {
  return runHooklatch(`${line} --admin-url ${server.url}`, { cwd: "/", env: server.env });
}

describe("hooklatch client list", () => {
  test("tells who may POST, and whose time ran out", async () => {
    const one = { source: "webhook", authorised_at: "2026-01-01T00:00:00.000Z" };
    server.answerWith({
      "GET /api/clients": page(
        { ...one, id: 2, address: "2001:db8::1", expires_at: "2126-01-02T00:00:00.000Z" },
        { ...one, id: 1, address: "192.0.2.1", expires_at: "2026-01-02T00:00:00.000Z" },
      ),
    });
    const { exitCode, stdout } = await hooklatch("client list --source webhook");
    expect(exitCode).toBe(0);
    expect(stdout).toContain(
      "2001:db8::1  webhook  2026-01-01T00:00:00.000Z  2126-01-02T00:00:00.000Z  yes\n",
    );
    expect(stdout).toContain("2026-01-02T00:00:00.000Z  no, its time ran out\n");
    expect(server.asked[0]?.path).toBe("/api/clients?source=webhook");
  });
});

describe("hooklatch client revoke", () => {
  test("tells at which sources the address may POST no more", async () => {
    const clients = [{ address: "2001:db8::1", source: "webhook" }];
    server.answerWith({
      "DELETE /api/clients/2001%3Adb8%3A%3A1": Response.json({ status: "revoked", clients }),
    });
    const { exitCode, stdout } = await hooklatch("client revoke 2001:db8::1 --source webhook");
    expect([exitCode, stdout]).toEqual([0, "2001:db8::1 may POST to source webhook no more\n"]);
    expect(server.asked[0]?.path).toBe("/api/clients/2001%3Adb8%3A%3A1?source=webhook");
  });

  test("exits with 1 for an address that is not authorised, with 2 for what is none", async () => {
    expect(await hooklatch("client revoke 192.0.2.1")).toEqual({
      exitCode: 1,
      stdout: "",
      stderr: "hooklatch: 192.0.2.1 is not authorised at any source: hooklatch client list shows who is\n",
    });
    server.asked.length = 0;
    expect((await hooklatch("client revoke example.com")).exitCode).toBe(2);
    expect(server.asked).toEqual([]);
  });
});
