import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { words } from "../support/words.ts";
import { AdminServer, page, statusJson } from "./admin-server.ts";
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
  test("lists the authorised addresses and marks the expired ones", async () => {
    const one = { source: "webhook", authorised_at: "2026-01-01T00:00:00.000Z" };
    server.respondWith({
      "GET /api/clients": page(
        { ...one, id: 2, address: "2001:db8::1", expires_at: "2126-01-02T00:00:00.000Z" },
        { ...one, id: 1, address: "192.0.2.1", expires_at: "2026-01-02T00:00:00.000Z" },
      ),
    });
    const { exitCode, stdout } = await hooklatch("client list --source webhook");
    expect(exitCode).toBe(0);
    expect(stdout).toMatchSnapshot();
    const [, valid = [], expired = []] = stdout.split("\n").map((line) => line.split(/ {2,}/));
    const times = ["webhook", "2026-01-01T00:00:00.000Z"];
    expect(valid.slice(0, 4)).toEqual(["2001:db8::1", ...times, "2126-01-02T00:00:00.000Z"]);
    expect(expired.slice(0, 4)).toEqual(["192.0.2.1", ...times, "2026-01-02T00:00:00.000Z"]);
    expect(valid.at(-1)).not.toBe(expired.at(-1));
    expect(server.requests[0]?.path).toBe("/api/clients?source=webhook");
  });
});

describe("hooklatch client revoke", () => {
  test("reports the sources at which the address is revoked", async () => {
    const times = { authorised_at: "2026-01-01T00:00:00.000Z", expires_at: "2026-01-02T00:00:00.000Z" };
    const clients = [{ address: "2001:db8::1", source: "webhook", ...times }];
    server.respondWith({
      "DELETE /api/clients/2001%3Adb8%3A%3A1": Response.json({ status: "revoked", clients }),
    });
    const { exitCode, stdout } = await hooklatch("client revoke 2001:db8::1 --source webhook");
    expect(exitCode).toBe(0);
    expect(stdout).toMatchSnapshot();
    expect(stdout).toContain("2001:db8::1");
    expect(stdout).toContain("webhook");
    expect(server.requests[0]?.path).toBe("/api/clients/2001%3Adb8%3A%3A1?source=webhook");
  });

  test("names the sources for a source that does not exist", async () => {
    server.respondWith({ "GET /api/status": Response.json(statusJson()) });
    const { exitCode, stdout, stderr } = await hooklatch("client revoke 192.0.2.1 --source nowhere");
    expect([exitCode, stdout]).toEqual([1, ""]);
    expect(stderr).toMatch(/nowhere.*\bgithub\b.*\bwebhook\b/);
    const existing = await hooklatch("client revoke 192.0.2.1 --source webhook");
    expect(existing.stderr).toMatch(/192\.0\.2\.1.*webhook/);
    expect(words(stderr + existing.stderr)).toMatchSnapshot();
  });

  test("exits with 1 for an unauthorised address and with 2 for an invalid one", async () => {
    const unauthorised = await hooklatch("client revoke 192.0.2.1");
    expect(unauthorised).toMatchObject({ exitCode: 1, stdout: "" });
    expect(unauthorised.stderr).toContain("192.0.2.1");
    server.requests.length = 0;
    const invalid = await hooklatch("client revoke example.com");
    expect(invalid.exitCode).toBe(2);
    expect(server.requests).toEqual([]);
    expect(words(unauthorised.stderr + invalid.stderr)).toMatchSnapshot();
  });
});
