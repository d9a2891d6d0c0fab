import { Database } from "bun:sqlite";
import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { SECRET, writeConfiguration } from "../support/configuration.ts";
import { Server, Workshop } from "../support/executable.ts";
import { deliver } from "../support/github.ts";
import { pushBody } from "../support/payloads.ts";
import { Kept } from "../support/stored-data.ts";
import { words } from "../support/words.ts";

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

/** Fills the data directory with some deliveries. */
async function storeDeliveries(): Promise<void> {
  const server = await serve();
  for (let count = 0; count < 20; count++) expect((await push(server)).status).toBe(200);
  expect(await server.end("SIGTERM")).toBe(0);
}

/** The lines of standard error that are not log entries. */
function messagesIn(stderr: string): readonly string[] {
  return stderr.split("\n").filter((line) => line !== "" && !line.startsWith("{"));
}

/** Expects that the server does not start and reports why in one line, which contains the file and the facts. */
async function expectStartupError(...facts: readonly string[]): Promise<void> {
  const { exitCode, stdout, stderr } = await workshop.run(["serve"], { SECRET });
  expect(exitCode).toBe(1);
  expect(stdout).toBe("");
  const messages = messagesIn(stderr);
  expect(messages).toHaveLength(1);
  for (const fact of [file(), ...facts]) expect(messages[0]).toContain(fact);
  // The number of migrations changes with every new one.
  const message = messages
    .join("\n")
    .replace(/this is hooklatch \S+ with schema \d+/, "this is hooklatch <version> with schema <schema>");
  expect(words(message)).toMatchSnapshot();
}

async function expectDamageReport(): Promise<void> {
  const before = readFileSync(file());
  await expectStartupError();
  expect(readFileSync(file()).equals(before)).toBe(true);
}

describe("the server exits with 1, reports what to do and loses no data when the database", () => {
  test("contains the bytes of another file", async () => {
    await storeDeliveries();
    writeFileSync(file(), "These are not the bytes of a database.\n".repeat(1000));
    await expectDamageReport();
  });

  test("is truncated", async () => {
    await storeDeliveries();
    truncateSync(file(), 8192);
    await expectDamageReport();
  });

  test("is overwritten in the middle", async () => {
    await storeDeliveries();
    const bytes = readFileSync(file());
    bytes.fill(0xa5, 4096);
    writeFileSync(file(), bytes);
    await expectDamageReport();
  });

  test("was written by a newer hooklatch", async () => {
    await storeDeliveries();
    const database = new Database(file());
    database.run("PRAGMA user_version = 999");
    database.run("PRAGMA wal_checkpoint(TRUNCATE)");
    database.close(true);
    await expectStartupError("999");
    expect(Kept.read(data(), (store) => store.deliveries)).toBe(20);
  });
});

describe("a second server on the same data directory", () => {
  test("exits with 1 and reports the process ID of the first, which keeps serving", async () => {
    const first = await serve();
    const { exitCode, stderr } = await workshop.run(["serve"], { SECRET });
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(new RegExp(`\\b${first.pid}\\b`));
    expect(stderr).toContain(data());
    expect(words(messagesIn(stderr).join("\n"))).toMatchSnapshot();
    expect((await push(first)).status).toBe(200);
    expect(Kept.read(data(), (store) => store.deliveries)).toBe(1);
  });

  test("starts after the first was killed, with the data of the first", async () => {
    const first = await serve();
    expect((await push(first)).status).toBe(200);
    await first.end("SIGKILL");
    const second = await serve();
    expect((await push(second)).status).toBe(200);
    expect(Kept.read(data(), (store) => store.deliveries)).toBe(2);
  });

  test("exits with 1 unless it is the first of several that start at once", async () => {
    const start = () => new Server(workshop.path, ["serve"], workshop.env({ SECRET }));
    const servers = Array.from({ length: 6 }, start);
    const isListening = ({ log }: Server) => log.some(({ url }) => typeof url === "string");
    const isDecided = (server: Server) => isListening(server) || messagesIn(server.stderr).length > 0;
    await Promise.all(servers.map((server) => server.until(() => isDecided(server))));
    const listening = servers.filter(isListening);
    const codes = await Promise.all(servers.map((server) => server.end("SIGTERM")));
    expect(listening).toHaveLength(1);
    expect(codes.toSorted()).toEqual([0, 1, 1, 1, 1, 1]);
  });
});
