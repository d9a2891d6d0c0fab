import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { describeLock } from "../../src/domain/lock.ts";
import type { Store } from "../../src/domain/store.ts";
import { describeLocksOf } from "../../src/flow/locks.ts";
import { at, delivery, keep, lockOf, pushFor, request } from "../store/sample.ts";
import { TestClock } from "../support/clock.ts";
import { numbersIn } from "../support/words.ts";
import { openTestStore, type TestStore } from "./test-store.ts";

let opened: TestStore;
let store: Store;

beforeEach(async () => {
  opened = await openTestStore();
  store = opened.store;
});

afterEach(() => opened.close());

/** The recorded reason of a delivery that the default lock blocks. */
const LOCKED = describeLock(lockOf("blog"));

/** Stores a push that the lock of blog blocks. */
async function storeBlocked(seconds: number): Promise<void> {
  const decisions = [{ target: "blog", deploy: false, code: "locked", reason: LOCKED } as const];
  await keep(store, delivery({ decisions, receivedAt: at(seconds) }));
}

/** The reason that each delivery shows for the target, oldest first. */
async function readReasons(seconds = 0): Promise<readonly (string | null)[]> {
  const clock = new TestClock({ start: at(seconds).toISOString() });
  const everything = { source: null, status: null, target: null };
  const { items } = await store.listDeliveries(everything, { limit: 50, before: null });
  const shown = await describeLocksOf(items, { store, clock });
  return shown.toReversed().map(({ decisions, outcomes }) => (outcomes[0] ?? decisions[0])?.reason ?? null);
}

describe("lock reasons of deliveries", () => {
  test("explain a queued deployment while the lock is active", async () => {
    await keep(store, pushFor("blog"));
    expect(await readReasons()).toEqual([null]);
    await store.lock(lockOf("docs"));
    expect(await readReasons()).toEqual([null]);
    await store.lock(lockOf("blog", { until: at(10) }));
    const reasons = await readReasons(9);
    expect(reasons).toHaveLength(1);
    for (const part of ["ada", "2026-11-21T20:30:10Z", "release freeze"]) expect(reasons[0]).toContain(part);
    expect(reasons).toMatchSnapshot();
    expect(await readReasons(10)).toEqual([null]);
  });

  test("are the recorded ones while the lock is active, and those of the new lock after it was replaced", async () => {
    await store.lock(lockOf("blog"));
    await storeBlocked(1);
    expect(await readReasons()).toEqual([LOCKED]);
    await store.lock(lockOf("blog", { by: "bob", since: at(2) }));
    const reasons = await readReasons();
    expect(reasons).toEqual([expect.stringContaining("bob")]);
    expect(reasons).toMatchSnapshot();
  });

  test("refer to a past lock after the unlock, and to the delivery that was deployed instead", async () => {
    await store.lock(lockOf("blog"));
    await storeBlocked(1);
    await storeBlocked(2);
    await store.unlock("blog", at(3));
    const unlocked = await readReasons();
    expect(unlocked).toEqual([expect.stringContaining(LOCKED), null]);
    expect(numbersIn(unlocked[0])).toEqual([2]);
    await store.lock(lockOf("blog", { by: "bob", since: at(4) }));
    const lockedAgain = await readReasons();
    expect(lockedAgain).toEqual([unlocked[0] ?? "", expect.stringContaining("bob")]);
    expect({ unlocked, lockedAgain }).toMatchSnapshot();
  });

  test("refer to a past lock after a newer manual deployment, but not where the lock had been removed", async () => {
    await store.lock(lockOf("blog"));
    await storeBlocked(1);
    await store.queueDeployment(request("blog"), at(2));
    expect(await readReasons()).toEqual([LOCKED]);
    await store.unlock("blog", at(3));
    const superseded = (await readReasons()).at(-1);
    expect(superseded).toContain(LOCKED);
    expect(numbersIn(superseded)).toEqual([1]);
    expect(superseded).toMatchSnapshot();
    // It was routed before the lock was removed: it is queued.
    await storeBlocked(5);
    expect((await readReasons()).at(-1)).toBeNull();
  });
});
