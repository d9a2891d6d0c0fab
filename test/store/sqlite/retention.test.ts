import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { stat } from "node:fs/promises";
import { at, delivery, keep, pushFor, skippedPush } from "../sample.ts";
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
      const decisions = [...pushFor(`target-${n}`).decisions, ...skippedPush("other", "another").decisions];
      await keep(store, delivery({ decisions, identity: { id: `${n}`, hook: "h" }, body }));
    }
    await store.cancelUnconfigured([], at(1));
    await pruneAll();
    // The newest deployment of each target is kept.
    expect(count("deployment")).toBe(3);
    for (const table of ["delivery", "not_deployed", "step", "output", "output_extent", "seen"]) {
      expect([table, count(table)]).toEqual([table, 0]);
    }
  });
});
