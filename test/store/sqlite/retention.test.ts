import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { stat } from "node:fs/promises";
import { assembleStore } from "../../../src/store/sqlite/index.ts";
import { at, delivery, keep, pushFor } from "../sample.ts";
import { type Assembled, assemble, countRows } from "./assembled.ts";

setDefaultTimeout(120_000);

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

async function pruneAll(): Promise<void> {
  const retention = { deliveriesBefore: at(100), deploymentsBefore: at(100), limit: 500 };
  while ((await store.prune(retention)) > 0);
}

describe("pruning", () => {
  test("returns file space to the system in steps, except for a reserve", async () => {
    const bodies = Array.from({ length: 64 }, () => delivery({ body: randomBytes(400_000) }));
    await Promise.all(bodies.map((body) => keep(store, body)));
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)");
    const full = (await stat(connection.file)).size;
    const sizes: number[] = [];
    for (;;) {
      const removed = await store.prune({ deliveriesBefore: at(1), deploymentsBefore: at(1), limit: 500 });
      connection.execute("PRAGMA wal_checkpoint(TRUNCATE)");
      sizes.push((await stat(connection.file)).size);
      // One call deletes about 8 MiB and returns half of that.
      expect(removed).toBeLessThan(25);
      if (removed === 0) break;
    }
    expect(sizes.length).toBeGreaterThan(3);
    expect(sizes[0]).toBeLessThan(full);
    expect(sizes.at(-1)).toBeLessThan(full / 2);
    expect(connection.prepare("PRAGMA integrity_check").all({})).toEqual([{ integrity_check: "ok" }]);
  });

  test("limits the deleted bytes per call, even for few rows", async () => {
    const large = delivery({ body: randomBytes(5 * 1024 * 1024) });
    await Promise.all([keep(store, large), keep(store, large), keep(store, large)]);
    expect(await store.prune({ deliveriesBefore: at(1), deploymentsBefore: at(1), limit: 500 })).toBe(1);
  });

  test("deletes all rows that are no longer referenced", async () => {
    for (const n of [1, 2, 3]) {
      const body = Buffer.from(`body ${n}`);
      const given = { ...pushFor(`target-${n}`), identity: { id: `${n}`, hook: "h" }, body };
      await keep(store, given, { notDeployed: ["other", "another"] });
    }
    await store.cancelUnconfigured([], at(1));
    await pruneAll();
    // The newest deployment of each target is kept.
    expect(count("deployment")).toBe(3);
    for (const table of ["delivery", "undeployed", "step", "output", "output_extent", "seen"]) {
      expect([table, count(table)]).toEqual([table, 0]);
    }
  });
});

describe("decisions", () => {
  const decide = (reason: string) => [{ target: "blog", deploy: false, reason }];

  test("are stored once for all deliveries that share them, even after a restart", async () => {
    const shared = decide("the same");
    await Promise.all(Array.from({ length: 20 }, () => keep(store, delivery({ decisions: shared }))));
    await keep(store, delivery({ decisions: decide("the same") }));
    const again = assembleStore(connection);
    await keep(again, delivery({ decisions: decide("the same") }));
    await keep(again, delivery({ decisions: decide("another") }));
    expect(count("decision_set")).toBe(2);
  });

  test("are stored with a later delivery when the transaction of the first one failed", async () => {
    const decisions = decide("x".repeat(300));
    connection.execute("PRAGMA max_page_count = 1");
    const large = delivery({ decisions, body: randomBytes(100_000) });
    await expect(keep(store, large)).rejects.toMatchObject({ code: "unavailable" });
    connection.execute("PRAGMA max_page_count = 1000000");
    const stored = await keep(store, delivery({ decisions }));
    expect(await store.readDelivery(stored.delivery)).toMatchObject({ decisions });
  });

  test("stay correct when the shared row was deleted and its id was used again", async () => {
    const decisions = decide("its own");
    await keep(store, delivery({ decisions }));
    // Simulates many thousand further deliveries, the last of which is deleted too.
    connection.execute("UPDATE sqlite_sequence SET seq = 1000000 WHERE name = 'delivery'");
    await keep(store, delivery({ decisions: decide("the last") }));
    await pruneAll();
    expect(count("decision_set")).toBe(0);
    await keep(store, delivery({ decisions: decide("another's") }));
    const stored = await keep(store, delivery({ decisions }));
    expect(await store.readDelivery(stored.delivery)).toMatchObject({ decisions });
  });

  test("are deleted when no delivery refers to them and their lease has ended, and not before", async () => {
    await keep(store, delivery({ decisions: decide("needed"), receivedAt: at(200) }));
    await keep(store, delivery({ decisions: decide("gone") }));
    await pruneAll();
    expect(count("decision_set")).toBe(2);
    // Simulates many thousand further deliveries.
    connection.execute("UPDATE sqlite_sequence SET seq = 1000000 WHERE name = 'delivery'");
    store = assembleStore(connection);
    await keep(store, delivery({ decisions: decide("newer") }));
    await pruneAll();
    const decisions = connection.prepare<{ text: string }>(
      "SELECT CAST(decisions AS TEXT) AS text FROM decision_set ORDER BY id",
    );
    expect(decisions.all({}).map(({ text }) => JSON.parse(text).decisions)).toEqual([
      decide("needed"),
      decide("newer"),
    ]);
    const stored = await keep(store, delivery({ decisions: decide("gone") }));
    expect(await store.readDelivery(1)).toMatchObject({ decisions: decide("needed") });
    expect(await store.readDelivery(stored.delivery)).toMatchObject({ decisions: decide("gone") });
  });
});
