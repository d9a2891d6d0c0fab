import { Database } from "bun:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { createHash, randomBytes } from "node:crypto";
import { Fault } from "../../../src/domain/fault.ts";
import { at, COMMIT_A, delivery, keep, pushFor } from "../sample.ts";
import { type Assembled, assemble, countRows } from "./assembled.ts";

let directory: Assembled["directory"];
let connection: Assembled["connection"];
let store: Assembled["store"];

beforeEach(async () => {
  ({ directory, connection, store } = await assemble());
});
afterEach(async () => {
  await store.close();
  await directory.remove();
});

const count = (table: string) => countRows(connection, table);

/** Lets the file grow by so many pages more, as a full disk would. */
function leaveRoom(pages: number): void {
  const now = connection.prepare<{ page_count: number }>("PRAGMA page_count").get({})?.page_count ?? 0;
  connection.execute(`PRAGMA max_page_count = ${now + pages}`);
}

/** A push whose body does not compress. */
const bulky = () => ({ ...pushFor("blog"), body: randomBytes(8000) });

const acceptAtOnce = (times: number) =>
  Promise.allSettled(Array.from({ length: times }, () => keep(store, bulky(), { pushedCommit: COMMIT_A })));

describe("accepting on a full disk", () => {
  test("refuses every one of a group as unavailable, keeps nothing of any, and works again later", async () => {
    await keep(store, pushFor("blog"), { pushedCommit: COMMIT_A });
    leaveRoom(20);
    const refused = await acceptAtOnce(64);
    for (const outcome of refused) {
      expect(outcome).toMatchObject({
        status: "rejected",
        reason: { code: "unavailable", message: "the store cannot be written now: the disk is full" },
      });
    }
    expect(count("delivery")).toBe(1);
    expect(count("deployment")).toBe(1);
    expect(await store.readDeployment(1)).toMatchObject({ state: "queued", reason: null });
    expect(await store.readDelivery(1)).not.toBeNull();

    leaveRoom(1_000_000);
    const accepted = await acceptAtOnce(64);
    expect(accepted.filter(({ status }) => status === "fulfilled")).toHaveLength(64);
    expect(count("delivery")).toBe(65);
    expect(connection.prepare("PRAGMA integrity_check").all({})).toEqual([{ integrity_check: "ok" }]);
  });

  test("carries what SQLite said as the fault's cause", async () => {
    leaveRoom(0);
    const fault = await keep(store, bulky()).catch((error: unknown) => error);
    expect(fault).toBeInstanceOf(Fault);
    expect(fault).toMatchObject({ cause: { code: "SQLITE_FULL" } });
  });

  test("refuses output, clients and endings in the same way", async () => {
    await keep(store, pushFor("blog"), { pushedCommit: COMMIT_A });
    const running = await store.claim(["blog"], at(1));
    const id = running?.id ?? 0;
    leaveRoom(0);
    const unavailable = { code: "unavailable" };
    const long = "x".repeat(100_000);
    await expect(store.appendOutput(id, [long])).rejects.toMatchObject(unavailable);
    const client = { source: long, address: "192.0.2.1", authorisedAt: at(0), expiresAt: at(1) };
    await expect(store.authorise(client)).rejects.toMatchObject(unavailable);
    const ending = {
      state: "succeeded" as const,
      reason: null,
      branch: "main",
      commit: COMMIT_A,
      release: null,
      steps: [{ command: long, exitCode: 0, signal: null, milliseconds: 1 }],
    };
    await expect(store.settle(id, ending, at(2), [])).rejects.toMatchObject(unavailable);
    expect(await store.readDeployment(id)).toEqual(running);
    expect(await store.readLive("blog")).toBeNull();
    expect(await store.readOutput(id)).toEqual([]);
  });
});

describe("accepting while another process holds the file", () => {
  test("is unavailable, keeps nothing, and works again when it is free", async () => {
    connection.execute("PRAGMA busy_timeout = 1");
    using other = new Database(connection.file);
    other.run("BEGIN IMMEDIATE");
    await expect(keep(store, pushFor("blog"))).rejects.toMatchObject({
      code: "unavailable",
      message: "the store cannot be written now: another process holds it locked",
    });
    other.run("ROLLBACK");
    expect(count("delivery")).toBe(0);
    expect(await keep(store, pushFor("blog"))).toMatchObject({ delivery: 1 });
  });
});

describe("a fault of ours", () => {
  test("passes as it is, and leaves nothing half-written", async () => {
    const fault = await store.appendOutput(999, ["lost"]).catch((error: unknown) => error);
    expect(fault).not.toBeInstanceOf(Fault);
    expect(fault).toMatchObject({ code: "SQLITE_CONSTRAINT_FOREIGNKEY" });
    expect(count("output")).toBe(0);
  });
});

describe("a kept body", () => {
  const kept = () =>
    connection
      .prepare<{ body_encoding: string; size: number; body_sha256: Uint8Array }>(
        "SELECT body_encoding, length(body) AS size, body_sha256 FROM delivery",
      )
      .get({});

  test("is compressed, beside the digest of the bytes as they came", async () => {
    const body = Buffer.from(JSON.stringify({ commits: Array.from({ length: 50 }, () => "the same") }));
    await keep(store, delivery({ body }));
    expect(kept()?.body_encoding).toBe("zstd");
    expect(kept()?.size).toBeLessThan(body.length / 4);
    expect(Buffer.from(kept()?.body_sha256 ?? []).toString("hex")).toBe(
      createHash("sha256").update(body).digest("hex"),
    );
  });

  test("stays plain when it is small", async () => {
    await keep(store, delivery({ body: Buffer.alloc(255, "a") }));
    expect(kept()).toMatchObject({ body_encoding: "plain", size: 255 });
  });
});

describe("what the targets decided", () => {
  test("is kept once for all that share it, and with its own words for each that has others", async () => {
    const decisions = Object.freeze([{ target: "blog", deploy: false, reason: "why not" }]);
    for (const reason of ["one", "one", "two", null, "one"])
      await keep(store, delivery({ decisions, reason }));
    expect(count("decision_set")).toBe(3);
    const reasons = await Promise.all(
      [1, 2, 3, 4, 5].map(async (id) => (await store.readDelivery(id))?.reason),
    );
    expect(reasons).toEqual(["one", "one", "two", null, "one"]);
  });
});
