import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { AcceptOptions, NewDelivery } from "../../src/domain/delivery.ts";
import type { Store } from "../../src/domain/store.ts";
import type { OpenedStore } from "./opened-store.ts";
import { COMMIT_A, keep, onlyDeployment, options, pushFor } from "./sample.ts";

/** The contract of every store for duplicates, redeliveries and replays. */
export function duplicatesContract(open: () => Promise<OpenedStore>): void {
  describe("detecting duplicates", () => {
    let opened: OpenedStore;
    let store: Store;

    beforeEach(async () => {
      opened = await open();
      store = opened.store;
    });
    afterEach(() => opened.close());

    const push = (body: string, id: string | null, hook: string | null, own: Partial<NewDelivery> = {}) => ({
      ...pushFor("blog"),
      identity: { id, hook },
      body: Buffer.from(body),
      ...own,
    });
    const accept = (given: NewDelivery, own: Partial<AcceptOptions> = {}) =>
      store.accept(given, options(own));

    /** Proves that the last `accept` stored nothing: the next delivery and deployment get the next ids. */
    async function expectNothingStoredSince(delivery: number, deployment: number): Promise<void> {
      const next = await keep(store, pushFor("other"));
      expect(next).toMatchObject({ delivery: delivery + 1, deployments: [{ id: deployment + 1 }] });
    }

    test("stores deliveries that differ in body and id, from any hook", async () => {
      const ids = new Set<number>();
      for (const given of [push("a", "1", "h"), push("b", "2", "h"), push("c", null, null)]) {
        ids.add((await keep(store, given)).delivery);
      }
      expect(ids.size).toBe(3);
    });

    test("stores the same id from the same hook as a redelivery of the first, and deploys it", async () => {
      const first = await keep(store, push("a", "1", "h"));
      const second = await keep(store, push("a", "1", "h"), { pushedCommit: COMMIT_A });
      expect(second.redeliveryOf).toBe(first.delivery);
      expect(await store.readDelivery(second.delivery)).toMatchObject({
        identity: { id: "1", hook: "h" },
        redeliveryOf: first.delivery,
        replayOf: null,
      });
      expect(await store.readDeployment(onlyDeployment(second))).toMatchObject({
        trigger: "redelivery",
        pushedCommit: COMMIT_A,
      });
      const third = await keep(store, push("a", "1", "h"));
      expect(third.redeliveryOf).toBe(first.delivery);
    });

    test("treats two unknown hooks as the same hook", async () => {
      const first = await keep(store, push("a", "1", null));
      expect((await keep(store, push("a", "1", null))).redeliveryOf).toBe(first.delivery);
    });

    const first = push("a", "1", "h");
    test.each([
      ["a redelivery when redeliveries are skipped", first, first, { onRedelivery: "skip" as const }],
      ["the same id and body from another hook", first, push("a", "1", "other"), {}],
      ["the same id from another hook with another body", first, push("b", "1", "other"), {}],
      ["the same body with another id", first, push("a", "2", "h"), {}],
      ["the same body with another id from another hook", first, push("a", "2", "other"), {}],
      ["the same body without an id", first, push("a", null, null), {}],
      ["the same body with an id after one without", push("a", null, null), first, {}],
      ["the same body without ids", push("a", null, null), push("a", null, null), {}],
    ])(
      "reports %s as a duplicate of the first delivery and stores nothing",
      async (_, earlier, later, own) => {
        const stored = await keep(store, earlier);
        expect(await accept(later, own)).toEqual({ kind: "duplicate", delivery: stored.delivery });
        await expectNothingStoredSince(stored.delivery, onlyDeployment(stored));
      },
    );

    test("compares the body before the id: a known body with a known id is a duplicate of the delivery with that body", async () => {
      const one = await keep(store, push("a", "1", "h"));
      await keep(store, push("b", "2", "h"));
      expect(await accept(push("a", "2", "h"))).toEqual({ kind: "duplicate", delivery: one.delivery });
    });

    test("recognises a body that was received only in a redelivery", async () => {
      await keep(store, push("a", "1", "h"));
      const again = await keep(store, push("b", "1", "h"));
      expect(again.redeliveryOf).not.toBeNull();
      expect(await accept(push("b", "2", "h"))).toEqual({ kind: "duplicate", delivery: again.delivery });
    });

    test("stores a known body under another id as a redelivery where each attempt has its own id", async () => {
      const own = { repeatedBody: "redelivery" } as const;
      const one = await keep(store, push("a", "1", null), own);
      const again = await keep(store, push("a", "2", null), own);
      expect(again.redeliveryOf).toBe(one.delivery);
      expect(again.deployments).toHaveLength(1);
      const skipped = { ...own, onRedelivery: "skip" } as const;
      expect(await accept(push("a", "3", null), skipped)).toEqual({
        kind: "duplicate",
        delivery: one.delivery,
      });
    });

    test("stores a known body under another id as new where ids are signed", async () => {
      const own = { repeatedBody: "new" } as const;
      await keep(store, push("a", "1", null), own);
      expect((await keep(store, push("a", "2", null), own)).redeliveryOf).toBeNull();
      expect((await keep(store, push("a", "2", null), own)).redeliveryOf).not.toBeNull();
    });

    test("gives each deployment the commit of its own decision", async () => {
      const { deployments } = await keep(store, pushFor("blog", "docs"), {
        commitOf: (target) => (target === "docs" ? COMMIT_A : null),
      });
      expect(deployments.map(({ target, pushedCommit }) => [target, pushedCommit])).toEqual([
        ["blog", null],
        ["docs", COMMIT_A],
      ]);
    });

    test("compares deliveries only within a source", async () => {
      await keep(store, push("a", "1", "h", { source: "one" }));
      const other = await keep(store, push("a", "1", "h", { source: "two" }));
      expect(other.redeliveryOf).toBeNull();
      const again = await keep(store, push("a", "1", "h", { source: "two" }));
      expect(again.redeliveryOf).toBe(other.delivery);
    });

    test("never compares a delivery without an identity", async () => {
      const plain = push("a", null, null, { identity: null });
      await keep(store, plain);
      await keep(store, plain);
      const known = await keep(store, push("a", "1", "h"));
      expect(known.redeliveryOf).toBeNull();
      expect((await keep(store, plain)).redeliveryOf).toBeNull();
    });

    test("stores a delivery that is exempt from comparison, and compares later ones with it", async () => {
      const ping = await keep(store, push("a", "1", "h"));
      const again = await keep(store, push("a", "2", "other"), { detectDuplicates: false });
      expect(again.redeliveryOf).toBeNull();
      const later = await keep(store, push("b", "3", "h"), { detectDuplicates: false });
      expect(await accept(push("a", "4", "h"))).toEqual({ kind: "duplicate", delivery: ping.delivery });
      expect(await accept(push("b", "4", "h"))).toEqual({ kind: "duplicate", delivery: later.delivery });
    });

    test("treats one of several concurrent deliveries as the first", async () => {
      const [one, two, three] = await Promise.all([
        accept(push("a", "1", "h")),
        accept(push("a", "2", "h")),
        accept(push("a", "1", "h")),
      ]);
      if (one?.kind !== "stored") throw new Error("the first delivery was not stored");
      expect(two).toEqual({ kind: "duplicate", delivery: one.delivery });
      expect(three).toMatchObject({ kind: "stored", redeliveryOf: one.delivery });
    });

    test("recognises duplicates and redeliveries after a restart", async () => {
      const stored = await keep(store, push("a", "1", "h"));
      store = await opened.reopen();
      expect(await accept(push("a", "2", "h"))).toEqual({ kind: "duplicate", delivery: stored.delivery });
      expect((await keep(store, push("a", "1", "h"))).redeliveryOf).toBe(stored.delivery);
    });

    test("stores a replay without comparing it, and records the original delivery", async () => {
      const original = await keep(store, push("a", "1", "h"));
      for (const identity of [{ id: "1", hook: "h" }, null]) {
        const replay = await keep(store, push("a", null, null, { identity }), {
          replayOf: original.delivery,
          onRedelivery: "skip",
        });
        expect(replay.redeliveryOf).toBeNull();
        expect(await store.readDelivery(replay.delivery)).toMatchObject({
          redeliveryOf: null,
          replayOf: original.delivery,
        });
        expect(await store.readDeployment(onlyDeployment(replay))).toMatchObject({ trigger: "replay" });
      }
      expect((await keep(store, push("a", "1", "h"))).redeliveryOf).toBe(original.delivery);
    });

    test("stores a replay whose original was deleted, together with concurrent deliveries", async () => {
      const [other, replay] = await Promise.all([
        keep(store, push("a", "1", "h")),
        keep(store, push("b", "2", "h"), { replayOf: 999 }),
      ]);
      expect(await store.readDelivery(other.delivery)).not.toBeNull();
      expect(await store.readDelivery(replay.delivery)).toMatchObject({ replayOf: null });
    });
  });
}
