import { Database } from "bun:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { createHash, randomBytes } from "node:crypto";
import { AppError } from "../../../src/lib/errors.ts";
import { at, COMMIT_A, delivery, keep, pushFor, rejection, success } from "../sample.ts";
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

/** Limits the further growth of the file to this many pages, to simulate a full disk. */
function leaveRoom(pages: number): void {
  const now = connection.prepare<{ page_count: number }>("PRAGMA page_count").get({})?.page_count ?? 0;
  connection.execute(`PRAGMA max_page_count = ${now + pages}`);
}

/** A push whose body does not compress. */
const bulky = () => ({ ...pushFor("blog"), body: randomBytes(8000) });

const acceptAtOnce = (times: number) =>
  Promise.allSettled(Array.from({ length: times }, () => keep(store, bulky(), { pushedCommit: COMMIT_A })));

describe("accepting on a full disk", () => {
  test("rejects the whole group as unavailable, stores nothing of it, and recovers when there is space", async () => {
    await keep(store, pushFor("blog"), { pushedCommit: COMMIT_A });
    leaveRoom(20);
    const rejected = await acceptAtOnce(64);
    const messages = new Set<string>();
    for (const outcome of rejected) {
      expect(outcome).toMatchObject({ status: "rejected", reason: { code: "unavailable" } });
      if (outcome.status === "rejected") messages.add(outcome.reason.message);
    }
    expect([...messages]).toMatchSnapshot();
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

  test("reports the SQLite error as the cause", async () => {
    leaveRoom(0);
    // Migrations leave free pages, into which a small delivery would fit.
    const error = await rejection(keep(store, delivery({ body: randomBytes(200_000) })));
    expect(error).toBeInstanceOf(AppError);
    expect(error).toMatchObject({ cause: { code: "SQLITE_FULL" } });
  });

  test("rejects output, clients and results of deployments in the same way", async () => {
    await keep(store, pushFor("blog"), { pushedCommit: COMMIT_A });
    const running = await store.claim(["blog"], at(1));
    const id = running?.id ?? 0;
    leaveRoom(0);
    const unavailable = { code: "unavailable" };
    const long = "x".repeat(100_000);
    await expect(store.appendOutput(id, [long])).rejects.toMatchObject(unavailable);
    const client = { source: long, address: "192.0.2.1", authorisedAt: at(0), expiresAt: at(1) };
    await expect(store.authorise(client)).rejects.toMatchObject(unavailable);
    const steps = [{ command: long, exitCode: 0, signal: null, milliseconds: 1 }];
    await expect(store.finish(id, success(COMMIT_A, { steps }), at(2), [])).rejects.toMatchObject(
      unavailable,
    );
    expect(await store.readDeployment(id)).toEqual(running);
    expect(await store.readLive("blog")).toBeNull();
    expect(await store.readOutput(id)).toEqual([]);
  });
});

describe("accepting while another process locks the file", () => {
  test("is unavailable, stores nothing, and recovers when the lock is released", async () => {
    connection.execute("PRAGMA busy_timeout = 1");
    using other = new Database(connection.file);
    other.run("BEGIN IMMEDIATE");
    const error = await rejection(keep(store, pushFor("blog")));
    expect(error).toMatchObject({ code: "unavailable" });
    expect(error.message).toMatchSnapshot();
    other.run("ROLLBACK");
    expect(count("delivery")).toBe(0);
    expect(await keep(store, pushFor("blog"))).toMatchObject({ delivery: 1 });
  });
});

describe("an internal error", () => {
  test("is passed on unchanged after its transaction is rolled back", async () => {
    const error = await rejection(store.appendOutput(999, ["lost"]));
    expect(error).not.toBeInstanceOf(AppError);
    expect(error).toMatchObject({ code: "SQLITE_CONSTRAINT_FOREIGNKEY" });
    expect(count("output")).toBe(0);
  });
});

describe("a stored body", () => {
  const storedBody = () =>
    connection
      .prepare<{ body_encoding: string; size: number; body_sha256: Uint8Array }>(
        "SELECT body_encoding, length(body) AS size, body_sha256 FROM delivery",
      )
      .get({});

  test("is compressed and has the digest of the original bytes", async () => {
    const body = Buffer.from(JSON.stringify({ commits: Array.from({ length: 50 }, () => "the same") }));
    await keep(store, delivery({ body }));
    expect(storedBody()?.body_encoding).toBe("zstd");
    expect(storedBody()?.size).toBeLessThan(body.length / 4);
    expect(Buffer.from(storedBody()?.body_sha256 ?? []).toString("hex")).toBe(
      createHash("sha256").update(body).digest("hex"),
    );
  });

  test("is not compressed when it is small", async () => {
    await keep(store, delivery({ body: Buffer.alloc(255, "a") }));
    expect(storedBody()).toMatchObject({ body_encoding: "plain", size: 255 });
  });
});
