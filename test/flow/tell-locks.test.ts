import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { Store } from "../../src/domain/store.ts";
import { tellLocks } from "../../src/flow/tell-locks.ts";
import { at, delivery, keep, lockOf, pushFor, request } from "../store/sample.ts";
import { type KeptStore, openKeptStore } from "./kept-store.ts";
import { ManualClock } from "./manual-clock.ts";

let kept: KeptStore;
let store: Store;

beforeEach(async () => {
  kept = await openKeptStore();
  store = kept.store;
});

afterEach(() => kept.close());

const LOCKED = "locked by ada: release freeze";

/** Keeps a push that the lock of blog holds back. */
async function holdBack(seconds: number): Promise<void> {
  const decisions = [{ target: "blog", deploy: false, reason: LOCKED }];
  await keep(store, delivery({ decisions, receivedAt: at(seconds) }), { heldBack: ["blog"] });
}

/** What is told of each delivery at the target, oldest first. */
async function tell(seconds = 0): Promise<readonly (string | null)[]> {
  const clock = new ManualClock(at(seconds).toISOString());
  const everything = { source: null, status: null, target: null };
  const { items } = await store.listDeliveries(everything, { limit: 50, before: null });
  const told = await tellLocks(items, { store, clock });
  return told.toReversed().map(({ decisions, outcomes }) => (outcomes[0] ?? decisions[0])?.reason ?? null);
}

describe("what locks mean to deliveries", () => {
  test("is why a deployment waits, as long as the lock holds", async () => {
    await keep(store, pushFor("blog"));
    expect(await tell()).toEqual([null]);
    await store.lock(lockOf("docs"));
    expect(await tell()).toEqual([null]);
    await store.lock(lockOf("blog", { until: at(10) }));
    expect(await tell(9)).toEqual(["locked by ada until 2026-11-21T20:30:10Z: release freeze"]);
    expect(await tell(10)).toEqual([null]);
  });

  test("is told as it was decided while the lock stands, and anew where that got other words", async () => {
    await store.lock(lockOf("blog"));
    await holdBack(1);
    expect(await tell()).toEqual([LOCKED]);
    await store.lock(lockOf("blog", { by: "bob", since: at(2) }));
    expect(await tell()).toEqual(["locked by bob: release freeze"]);
  });

  test("is past once it is unlocked, and names what was deployed in place of a push", async () => {
    await store.lock(lockOf("blog"));
    await holdBack(1);
    await holdBack(2);
    await store.unlock("blog", at(3));
    const past = `was ${LOCKED}; delivery 2 came after it`;
    expect(await tell()).toEqual([past, null]);
    await store.lock(lockOf("blog", { by: "bob", since: at(4) }));
    expect(await tell()).toEqual([past, "locked by bob: release freeze"]);
  });

  test("is past where a person asked for something newer, and where nothing came", async () => {
    await store.lock(lockOf("blog"));
    await holdBack(1);
    await store.request(request("blog"), at(2));
    expect(await tell()).toEqual([LOCKED]);
    await store.unlock("blog", at(3));
    expect(await tell()).toEqual([`was ${LOCKED}; deployment 1 came after it`]);
    await holdBack(5);
    expect((await tell()).at(-1)).toBe(`was ${LOCKED}`);
  });
});
