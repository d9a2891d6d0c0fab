import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { pushBody } from "../../support/payloads.ts";
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

const keepAll = (...sizes: readonly number[]) =>
  Promise.all(sizes.map((size) => keep(store, delivery({ body: randomBytes(size) }))));

const listBlocks = () =>
  connection
    .prepare<{ id: number; first: number; last: number }>(
      "SELECT id, first_delivery AS first, last_delivery AS last FROM body_block ORDER BY id",
    )
    .all({});

/** The block of each delivery; null for a body of its own. */
const blocksOfDeliveries = () =>
  connection
    .prepare<{ block: number | null }>("SELECT block FROM delivery ORDER BY id")
    .all({})
    .map(({ block }) => block);

async function prune(before: Date): Promise<void> {
  const retention = { deliveriesBefore: before, deploymentsBefore: before, limit: 500 };
  while ((await store.prune(retention)) > 0);
}

describe("the bodies of one commit", () => {
  test("share a block", async () => {
    await keepAll(1000, 2000, 3000);
    expect(blocksOfDeliveries()).toEqual([1, 1, 1]);
    expect(listBlocks()).toEqual([{ id: 1, first: 1, last: 3 }]);
  });

  test("are stored in their own rows when there is only one small one", async () => {
    await keepAll(1000);
    await keepAll(1000, 65_536);
    expect(blocksOfDeliveries()).toEqual([null, null, null]);
    expect(listBlocks()).toEqual([]);
  });

  test("fill blocks of at most 256 KiB, without the large ones between them", async () => {
    await keepAll(60_000, 60_000, 70_000, 60_000, 60_000, 60_000);
    expect(blocksOfDeliveries()).toEqual([1, 1, null, 1, 1, 2]);
    expect(listBlocks()).toEqual([
      { id: 1, first: 1, last: 5 },
      { id: 2, first: 6, last: 6 },
    ]);
  });

  test("take at most half of the space of bodies that are stored one by one", async () => {
    const sizeOf = (sql: string) => connection.prepare<{ size: number }>(sql).get({})?.size ?? 0;
    const push = () => delivery({ body: Buffer.from(pushBody({ after: randomBytes(20).toString("hex") })) });
    for (let n = 0; n < 20; n++) await keep(store, push());
    const alone = sizeOf("SELECT sum(length(body)) AS size FROM delivery");
    await Promise.all(Array.from({ length: 20 }, () => keep(store, push())));
    const together = sizeOf("SELECT sum(length(bytes)) AS size FROM body_block");
    expect(together).toBeGreaterThan(0);
    expect(together).toBeLessThan(alone / 2);
  });

  test("leave no block when their commit fails", async () => {
    const pages = connection.prepare<{ page_count: number }>("PRAGMA page_count").get({})?.page_count ?? 0;
    connection.execute(`PRAGMA max_page_count = ${pages + 10}`);
    const failed = await Promise.allSettled(
      Array.from({ length: 40 }, () => keep(store, delivery({ body: randomBytes(8000) }))),
    );
    expect(new Set(failed.map(({ status }) => status))).toEqual(new Set(["rejected"]));
    expect([countRows(connection, "body_block"), countRows(connection, "delivery")]).toEqual([0, 0]);
    connection.execute("PRAGMA max_page_count = 1000000");
    await keepAll(1000, 2000);
    const [block] = listBlocks();
    expect(block).toMatchObject({ first: 1, last: 2 });
    expect(blocksOfDeliveries()).toEqual([block?.id ?? null, block?.id ?? null]);
  });
});

describe("a block", () => {
  test("is removed with the last delivery that refers to it", async () => {
    await Promise.all([
      keep(store, { ...pushFor("blog"), body: randomBytes(1000) }, { pushedCommit: COMMIT_A }),
      keep(store, delivery({ body: randomBytes(1000) })),
    ]);
    await keepAll(1000, 1000);
    await prune(at(10));
    expect(listBlocks()).toEqual([{ id: 1, first: 1, last: 2 }]);
    expect(blocksOfDeliveries()).toEqual([1]);
    await store.cancelQueued(1, "no longer needed", at(1));
    await prune(at(10));
    expect([countRows(connection, "body_block"), countRows(connection, "delivery")]).toEqual([0, 0]);
  });

  test("counts for the bytes that one call of prune removes", async () => {
    for (let n = 0; n < 6; n++) await keepAll(...Array.from({ length: 40 }, () => 60_000));
    const retention = { deliveriesBefore: at(10), deploymentsBefore: at(10), limit: 500 };
    const removed = await store.prune(retention);
    expect(removed).toBeGreaterThan(100);
    expect(removed).toBeLessThan(150);
  });
});
