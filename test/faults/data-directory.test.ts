import { Database } from "bun:sqlite";
import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { SECRET, writeConfiguration } from "../support/configuration.ts";
import { Server, Workshop } from "../support/executable.ts";
import { deliver } from "../support/github.ts";
import { Kept } from "../support/kept.ts";
import { pushBody } from "../support/payloads.ts";

setDefaultTimeout(120_000);

let workshop: Workshop;

beforeEach(() => {
  workshop = new Workshop();
  writeConfiguration(workshop);
});

afterEach(() => workshop.dispose());

const data = () => join(workshop.path, "data");
const file = () => join(data(), "hooklatch.db");
const serve = () => workshop.serve([], { SECRET });

function push(server: Server): Promise<Response> {
  const body = pushBody({ after: crypto.randomUUID().replaceAll("-", "").padEnd(40, "0") });
  return deliver(new URL("/github-webhook", server.url), "push", body, { secret: SECRET });
}

/** A data directory in which a server kept some deliveries. */
async function keepSome(): Promise<void> {
  const server = await serve();
  for (let count = 0; count < 20; count++) expect((await push(server)).status).toBe(200);
  expect(await server.end("SIGTERM")).toBe(0);
}

/** Expects that no server starts, for a reason that names the file and says what to do, in one line. */
async function expectRefusal(...words: readonly string[]): Promise<void> {
  const { exitCode, stdout, stderr } = await workshop.run(["serve"], { SECRET });
  expect(exitCode).toBe(1);
  expect(stdout).toBe("");
  const lines = stderr.split("\n").filter((line) => line !== "" && !line.startsWith("{"));
  expect(lines).toHaveLength(1);
  for (const word of [file(), ...words]) expect(lines[0]).toContain(word);
}

async function expectRefusalOfDamage(): Promise<void> {
  const before = readFileSync(file());
  await expectRefusal("damaged", "move it away", "backup");
  expect(readFileSync(file()).equals(before)).toBe(true);
}

describe("the start ends with 1, says what to do and loses nothing when the database", () => {
  test("has another file's bytes in it", async () => {
    await keepSome();
    writeFileSync(file(), "These are not the bytes of a database.\n".repeat(1000));
    await expectRefusalOfDamage();
  });

  test("lost its end", async () => {
    await keepSome();
    truncateSync(file(), 8192);
    await expectRefusalOfDamage();
  });

  test("was overwritten in its middle", async () => {
    await keepSome();
    const bytes = readFileSync(file());
    bytes.fill(0xa5, 4096);
    writeFileSync(file(), bytes);
    await expectRefusalOfDamage();
  });

  test("was written by a newer hooklatch", async () => {
    await keepSome();
    const database = new Database(file());
    database.run("PRAGMA user_version = 999");
    database.run("PRAGMA wal_checkpoint(TRUNCATE)");
    database.close(true);
    await expectRefusal("newer", "999", "backup");
    expect(Kept.read(data(), (kept) => kept.deliveries)).toBe(20);
  });
});

describe("a second server on the same data directory", () => {
  test("ends with 1 and names the first one's process id, and the first serves on", async () => {
    const first = await serve();
    const { exitCode, stderr } = await workshop.run(["serve"], { SECRET });
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(new RegExp(`\\b${first.pid}\\b`));
    expect(stderr).toContain(data());
    expect((await push(first)).status).toBe(200);
    expect(Kept.read(data(), (kept) => kept.deliveries)).toBe(1);
  });

  test("starts once the first was killed, and what the first kept is there", async () => {
    const first = await serve();
    expect((await push(first)).status).toBe(200);
    await first.end("SIGKILL");
    const second = await serve();
    expect((await push(second)).status).toBe(200);
    expect(Kept.read(data(), (kept) => kept.deliveries)).toBe(2);
  });

  test("is one of many that start at once, of which exactly one serves", async () => {
    const start = () => new Server(workshop.path, ["serve"], workshop.env({ SECRET }));
    const servers = Array.from({ length: 6 }, start);
    const hasDecided = ({ stderr }: Server) => /"listening on|^hooklatch: /m.test(stderr);
    await Promise.all(servers.map((server) => server.until(() => hasDecided(server))));
    const listening = servers.filter(({ stderr }) => stderr.includes('"listening on'));
    const codes = await Promise.all(servers.map((server) => server.end("SIGTERM")));
    expect(listening).toHaveLength(1);
    expect(codes.toSorted()).toEqual([0, 1, 1, 1, 1, 1]);
  });
});
