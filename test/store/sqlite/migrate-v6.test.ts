import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { copyFile } from "node:fs/promises";
import { join } from "node:path";
import type { Store } from "../../../src/domain/store.ts";
import { createStore } from "../../../src/store/group.ts";
import { type Connection, openDatabase } from "../../../src/store/sqlite/connection.ts";
import { assembleEngine } from "../../../src/store/sqlite/index.ts";
import { migrate } from "../../../src/store/sqlite/migrate.ts";
import { makeDirectory } from "../directory.ts";
import { at, delivery, keep, options } from "../sample.ts";

const FIXTURE = join(import.meta.dir, "../../fixtures/store/v6/hooklatch.db");
const LAST_DELIVERY = 13;
const REDELIVERED = "11111111-1111-4111-8111-111111111111";

let directory: Awaited<ReturnType<typeof makeDirectory>>;
let connection: Connection;
let store: Store;

beforeAll(async () => {
  directory = await makeDirectory();
  const file = join(directory.path, "hooklatch.db");
  await copyFile(FIXTURE, file);
  connection = openDatabase(file);
  migrate(connection);
  store = createStore(assembleEngine(connection, () => {}));
});
afterAll(async () => {
  await store.close();
  await directory.remove();
});

describe("migrating a database of version 6", () => {
  test("leaves every body readable in its own row", async () => {
    const digests = connection
      .prepare<{ id: number; body_sha256: Uint8Array; block: number | null }>(
        "SELECT id, body_sha256, block FROM delivery ORDER BY id",
      )
      .all({});
    expect(digests).toHaveLength(LAST_DELIVERY);
    for (const { id, body_sha256, block } of digests) {
      const body = (await store.readDelivery(id))?.body ?? new Uint8Array();
      expect(createHash("sha256").update(body).digest()).toEqual(Buffer.from(body_sha256));
      expect(block).toBeNull();
    }
  });

  test("still detects duplicates and redeliveries of them, among new deliveries that share a block", async () => {
    const first = await store.readDelivery(8);
    const body = first?.body ?? new Uint8Array();
    const hook = first?.identity?.hook ?? null;
    expect(first?.identity?.id).toBe(REDELIVERED);
    const [replayed, again, other] = await Promise.all([
      store.accept(delivery({ body, identity: { id: "2", hook } }), options()),
      store.accept(delivery({ body, identity: { id: REDELIVERED, hook } }), options()),
      store.accept(delivery({ identity: { id: "3", hook } }), options()),
    ]);
    expect(replayed).toEqual({ kind: "duplicate", delivery: 8 });
    expect(again).toMatchObject({ kind: "stored", delivery: LAST_DELIVERY + 1, redeliveryOf: 8 });
    expect(other).toMatchObject({ kind: "stored", delivery: LAST_DELIVERY + 2 });
    expect(Buffer.from((await store.readDelivery(LAST_DELIVERY + 1))?.body ?? [])).toEqual(Buffer.from(body));
  });

  test("removes old and new deliveries in the end, except that of the live deployment", async () => {
    await keep(store, delivery());
    const future = new Date(at(0).getTime() + 365 * 86_400_000);
    const retention = { deliveriesBefore: future, deploymentsBefore: future, limit: 5 };
    while ((await store.prune(retention)) > 0);
    const { items } = await store.listDeliveries(
      { source: null, status: null, target: null },
      { limit: 50, before: null },
    );
    expect(items.map(({ id }) => id)).toEqual([LAST_DELIVERY]);
    expect(connection.prepare("SELECT id FROM body_block").all({})).toEqual([]);
  });
});
