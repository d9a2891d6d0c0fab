import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { AcceptOptions, NewDelivery } from "../../src/domain/delivery.ts";
import type { Store } from "../../src/domain/store.ts";
import type { OpenedStore } from "./opened-store.ts";
import { COMMIT_A, keep, onlyDeployment, options, pushFor } from "./sample.ts";

/** What every store promises of deliveries that came before. */
export function comparingContract(open: () => Promise<OpenedStore>): void {
  describe("comparing deliveries", () => {
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

    /** Proves that the last accept left nothing behind: what comes next has the very next numbers. */
    async function expectNothingKeptSince(delivery: number, deployment: number): Promise<void> {
      const next = await keep(store, pushFor("other"));
      expect(next).toMatchObject({ delivery: delivery + 1, deployments: [{ id: deployment + 1 }] });
    }

    test("keeps what differs in body and id, whatever the hook", async () => {
      const ids = new Set<number>();
      for (const given of [push("a", "1", "h"), push("b", "2", "h"), push("c", null, null)]) {
        ids.add((await keep(store, given)).delivery);
      }
      expect(ids.size).toBe(3);
    });

    test("keeps the same id from the same hook as a redelivery of the first, and runs it", async () => {
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

    test("takes an unknown hook for the same hook as another unknown one", async () => {
      const first = await keep(store, push("a", "1", null));
      expect((await keep(store, push("a", "1", null))).redeliveryOf).toBe(first.delivery);
    });

    const first = push("a", "1", "h");
    test.each([
      ["a redelivery where those are skipped", first, first, { onRedelivery: "skip" as const }],
      ["the same id and body from another hook", first, push("a", "1", "other"), {}],
      ["the same id from another hook with another body", first, push("b", "1", "other"), {}],
      ["the same body under another id", first, push("a", "2", "h"), {}],
      ["the same body under another id from another hook", first, push("a", "2", "other"), {}],
      ["the same body without an id", first, push("a", null, null), {}],
      ["the same body under an id, after one without", push("a", null, null), first, {}],
      ["the same body without ids", push("a", null, null), push("a", null, null), {}],
    ])("keeps nothing of %s, and names the first", async (_, earlier, later, own) => {
      const kept = await keep(store, earlier);
      expect(await accept(later, own)).toEqual({ kind: "duplicate", delivery: kept.delivery });
      await expectNothingKeptSince(kept.delivery, onlyDeployment(kept));
    });

    test("asks for the body first: one that came under another id is a replay, whatever id it has now", async () => {
      const one = await keep(store, push("a", "1", "h"));
      await keep(store, push("b", "2", "h"));
      expect(await accept(push("a", "2", "h"))).toEqual({ kind: "duplicate", delivery: one.delivery });
    });

    test("knows a body again that came with a redelivery only", async () => {
      await keep(store, push("a", "1", "h"));
      const again = await keep(store, push("b", "1", "h"));
      expect(again.redeliveryOf).not.toBeNull();
      expect(await accept(push("b", "2", "h"))).toEqual({ kind: "duplicate", delivery: again.delivery });
    });

    test("compares within a source only", async () => {
      await keep(store, push("a", "1", "h", { source: "one" }));
      const other = await keep(store, push("a", "1", "h", { source: "two" }));
      expect(other.redeliveryOf).toBeNull();
      const again = await keep(store, push("a", "1", "h", { source: "two" }));
      expect(again.redeliveryOf).toBe(other.delivery);
    });

    test("compares nothing with a delivery without identity, nor it with anything", async () => {
      const plain = push("a", null, null, { identity: null });
      await keep(store, plain);
      await keep(store, plain);
      const known = await keep(store, push("a", "1", "h"));
      expect(known.redeliveryOf).toBeNull();
      expect((await keep(store, plain)).redeliveryOf).toBeNull();
    });

    test("keeps what is not to be compared, and compares others with it", async () => {
      const ping = await keep(store, push("a", "1", "h"));
      const again = await keep(store, push("a", "2", "other"), { compare: false });
      expect(again.redeliveryOf).toBeNull();
      const later = await keep(store, push("b", "3", "h"), { compare: false });
      expect(await accept(push("a", "4", "h"))).toEqual({ kind: "duplicate", delivery: ping.delivery });
      expect(await accept(push("b", "4", "h"))).toEqual({ kind: "duplicate", delivery: later.delivery });
    });

    test("makes one of two that come at once the first", async () => {
      const [one, two, three] = await Promise.all([
        accept(push("a", "1", "h")),
        accept(push("a", "2", "h")),
        accept(push("a", "1", "h")),
      ]);
      if (one?.kind !== "kept") throw new Error("the first one was not kept");
      expect(two).toEqual({ kind: "duplicate", delivery: one.delivery });
      expect(three).toMatchObject({ kind: "kept", redeliveryOf: one.delivery });
    });

    test("knows them again after a restart", async () => {
      const kept = await keep(store, push("a", "1", "h"));
      store = await opened.reopen();
      expect(await accept(push("a", "2", "h"))).toEqual({ kind: "duplicate", delivery: kept.delivery });
      expect((await keep(store, push("a", "1", "h"))).redeliveryOf).toBe(kept.delivery);
    });

    test("keeps what a person runs again without comparing it, and says of what it is the replay", async () => {
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

    test("keeps a replay of a delivery that is gone by now, beside those that came with it", async () => {
      const [other, replay] = await Promise.all([
        keep(store, push("a", "1", "h")),
        keep(store, push("b", "2", "h"), { replayOf: 999 }),
      ]);
      expect(await store.readDelivery(other.delivery)).not.toBeNull();
      expect(await store.readDelivery(replay.delivery)).toMatchObject({ replayOf: null });
    });
  });
}
