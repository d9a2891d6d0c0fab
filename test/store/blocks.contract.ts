import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import fc from "fast-check";
import type { Store } from "../../src/domain/store.ts";
import type { OpenedStore } from "./opened-store.ts";
import { at, COMMIT_A, delivery, keep, options, pushFor } from "./sample.ts";

/** The contract of every store for the bodies of deliveries that arrive together. */
export function blocksContract(open: () => Promise<OpenedStore>): void {
  describe("storing bodies together", () => {
    let opened: OpenedStore;
    let store: Store;

    beforeEach(async () => {
      opened = await open();
      store = opened.store;
    });
    afterEach(() => opened.close());

    const keepAll = async (bodies: readonly Uint8Array[], receivedAt = at(0)) =>
      (await Promise.all(bodies.map((body) => keep(store, delivery({ body, receivedAt }))))).map(
        (receipt) => receipt.delivery,
      );
    const readBodies = async (ids: readonly number[]) =>
      Promise.all(ids.map(async (id) => (await store.readDelivery(id))?.body ?? null));

    test("returns each body unchanged, for any sizes, also after a restart", async () => {
      const size = fc.oneof(
        fc.constantFrom(0, 1, 255, 256, 65_535, 65_536, 262_144),
        fc.integer({ min: 0, max: 9_000 }),
      );
      const body = fc.tuple(size, fc.boolean()).map(([length, isRandom]) => {
        return isRandom ? new Uint8Array(randomBytes(length)) : new Uint8Array(length).fill(65);
      });
      await fc.assert(
        fc.asyncProperty(fc.array(body, { minLength: 1, maxLength: 40 }), async (bodies) => {
          const ids = await keepAll(bodies);
          expect(await readBodies(ids)).toEqual([...bodies]);
          store = await opened.reopen();
          expect(await readBodies(ids)).toEqual([...bodies]);
        }),
        { numRuns: 15 },
      );
    });

    test("stores each body of a group of which some deliveries are duplicates", async () => {
      const given = (body: string, id: string) =>
        store.accept(delivery({ body: Buffer.from(body), identity: { id, hook: "h" } }), options());
      const results = await Promise.all([
        given("a", "1"),
        given("a", "2"),
        given("b", "3"),
        given("b", "3"),
        given("a", "4"),
        given("c", "5"),
      ]);
      expect(results.map(({ kind }) => kind)).toEqual([
        "stored",
        "duplicate",
        "stored",
        "stored",
        "duplicate",
        "stored",
      ]);
      const ids = results.flatMap((result) => (result.kind === "stored" ? [result.delivery] : []));
      const bodies = (await readBodies(ids)).map((body) => Buffer.from(body ?? []).toString());
      expect(bodies).toEqual(["a", "b", "b", "c"]);
    });

    test("keeps the bodies that are still needed when their neighbours are removed", async () => {
      const bodies = Array.from({ length: 30 }, (_, n) => Buffer.from(`body ${n} `.repeat(100)));
      const old = delivery({ receivedAt: at(0) });
      const needed = { ...pushFor("blog"), receivedAt: at(0) };
      const young = delivery({ receivedAt: at(100) });
      const receipts = await Promise.all(
        bodies.map((body, n) => {
          const kind = n === 7 ? needed : n >= 20 ? young : old;
          return keep(store, { ...kind, body }, { pushedCommit: COMMIT_A });
        }),
      );
      const retention = { deliveriesBefore: at(50), deploymentsBefore: at(50), limit: 3 };
      while ((await store.prune(retention)) > 0);
      const kept = await readBodies(receipts.map((receipt) => receipt.delivery));
      for (const [n, body] of bodies.entries()) {
        const isKept = n === 7 || n >= 20;
        expect([n, kept[n]]).toEqual([n, isKept ? new Uint8Array(body) : null]);
      }
    });
  });
}
