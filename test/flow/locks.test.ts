import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { Happening } from "../../src/domain/happening.ts";
import type { Lock } from "../../src/domain/lock.ts";
import type { Store } from "../../src/domain/store.ts";
import { createLocks, type Locks } from "../../src/flow/locks.ts";
import { logInto } from "../support/public.ts";
import { targetOf } from "../support/target.ts";
import { until } from "../support/until.ts";
import { type KeptStore, openKeptStore, push, pushToLocked } from "./kept-store.ts";
import { ManualClock } from "./manual-clock.ts";

const HOUR = 3_600_000;

let kept: KeptStore;
let store: Store;
let clock: ManualClock;
let log: string[];
let happenings: Happening[];
let woken: number;
let locks: Locks;

beforeEach(async () => {
  kept = await openKeptStore();
  store = kept.store;
  clock = new ManualClock();
  log = [];
  happenings = [];
  woken = 0;
  locks = open();
  await locks.load();
});

afterEach(async () => {
  await locks.stop();
  await kept.close();
});

function open(over: Partial<Store> = {}): Locks {
  return createLocks({
    store: { ...store, ...over },
    targets: () => [targetOf("blog"), targetOf("docs")],
    clock,
    log: logInto(log),
    publish: (happening) => void happenings.push(happening),
    wake: () => void woken++,
  });
}

function lockOf(target: string, milliseconds: number | null, reason = "release freeze"): Lock {
  const since = clock.now();
  const until = milliseconds === null ? null : new Date(since.getTime() + milliseconds);
  return { target, reason, by: "ada", since, until };
}

describe("a lock", () => {
  test("holds in memory and in the store until a person unlocks it, and is told of", async () => {
    const lock = lockOf("blog", null);
    await locks.lock(lock);
    expect(locks.of("blog", clock.now())).toEqual(lock);
    expect(locks.of("docs", clock.now())).toBeNull();
    expect(await store.listLocks()).toEqual([lock]);
    expect(await locks.unlock("blog")).toEqual({ lock, queued: null, waiting: null, passedOver: null });
    expect(locks.of("blog", clock.now())).toBeNull();
    expect(await store.listLocks()).toEqual([]);
    expect(happenings).toEqual([
      { kind: "lock", target: "blog", lock },
      { kind: "lock", target: "blog", lock: null },
    ]);
  });

  test("changes the version when it comes, goes and runs out", async () => {
    const seen = [locks.version(clock.now())];
    await locks.lock(lockOf("blog", null));
    seen.push(locks.version(clock.now()));
    await locks.unlock("blog");
    seen.push(locks.version(clock.now()));
    await locks.lock(lockOf("blog", HOUR));
    seen.push(locks.version(clock.now()));
    clock.set(new Date(clock.now().getTime() + HOUR));
    seen.push(locks.version(clock.now()));
    expect(new Set(seen).size).toBe(5);
    expect(locks.version(clock.now())).toBe(seen[4] ?? -1);
  });

  test("queues what it held back when it is unlocked, tells of it, and wakes the worker", async () => {
    await locks.lock(lockOf("blog", null));
    await pushToLocked(store, "blog");
    await pushToLocked(store, "blog");
    expect(await locks.unlock("blog")).toMatchObject({ waiting: 1 });
    expect(await store.readDeployment(1)).toMatchObject({ state: "queued", delivery: 2, trigger: "push" });
    expect(happenings.at(-1)).toMatchObject({
      kind: "deployment",
      deployment: { id: 1, target: "blog", state: "queued" },
    });
    expect(woken).toBe(1);
  });

  test("queues a delivery that was accepted but not yet committed when it was unlocked", async () => {
    await locks.lock(lockOf("blog", null));
    const accepted = pushToLocked(store, "blog");
    expect(await locks.unlock("blog")).toMatchObject({ waiting: 1 });
    await accepted;
  });

  test("queues nothing when nothing had come, and wakes the worker for what waited", async () => {
    await push(store, "blog");
    await locks.lock(lockOf("blog", null));
    expect(await locks.unlock("blog")).toMatchObject({ queued: null, waiting: 1 });
    expect(await store.readDeployment(1)).toMatchObject({ state: "queued" });
    expect(await store.readDeployment(2)).toBeNull();
    expect(woken).toBe(1);
  });

  test("lets what had come take the place of an older push that waited", async () => {
    await push(store, "docs");
    await locks.lock(lockOf("docs", null));
    await pushToLocked(store, "docs");
    expect(await locks.unlock("docs")).toMatchObject({ waiting: 2 });
    expect(happenings.slice(-2)).toMatchObject([
      { kind: "deployment", deployment: { id: 2, state: "queued" } },
      { kind: "deployment", deployment: { id: 1, state: "superseded" } },
    ]);
  });

  test("on a target that is no longer configured can be unlocked, and what it held back is cancelled", async () => {
    await locks.lock(lockOf("gone", null));
    await locks.lock(lockOf("blog", null));
    await pushToLocked(store, "gone", "blog");
    expect(await locks.unlock("gone")).not.toBeNull();
    expect(await locks.unlock("blog")).toMatchObject({ waiting: 2 });
    expect(happenings).toContainEqual({
      kind: "deployment",
      deployment: expect.objectContaining({
        id: 1,
        state: "cancelled",
        reason: "target gone is no longer configured",
      }),
    });
    expect(await store.readDeployment(2)).toMatchObject({ state: "queued" });
  });

  test("that is not there cannot be unlocked: nothing is told and nobody woken", async () => {
    expect(await locks.unlock("blog")).toBeNull();
    expect([happenings, log, woken]).toEqual([[], [], 0]);
  });

  test("is unlocked as by a person when its time is over, however long that is", async () => {
    await locks.lock(lockOf("blog", 50 * 24 * HOUR));
    await pushToLocked(store, "blog");
    clock.advance(50 * 24 * HOUR - 1);
    await until(() => clock.sleeping === 1);
    expect(await store.listLocks()).toHaveLength(1);
    clock.advance(1);
    await until(() => woken === 1);
    expect(await store.listLocks()).toEqual([]);
    expect(await store.readDeployment(1)).toMatchObject({ state: "queued" });
    expect(happenings.at(-2)).toEqual({ kind: "lock", target: "blog", lock: null });
    expect(clock.sleeping).toBe(0);
  });

  test("ends on time when the clock was set forward, and does not come back when it is set back", async () => {
    const start = clock.now();
    await locks.lock(lockOf("blog", 10 * HOUR));
    clock.set(new Date(start.getTime() + 11 * HOUR));
    expect(locks.of("blog", clock.now())).toBeNull();
    clock.set(start);
    expect(locks.of("blog", clock.now())).toBeNull();
    clock.set(new Date(start.getTime() + 11 * HOUR));
    clock.advance(60_000);
    await until(() => woken === 1);
    expect(await store.listLocks()).toEqual([]);
  });

  test("in place of another has its own time, and keeps what that one held back", async () => {
    await locks.lock(lockOf("blog", HOUR));
    await pushToLocked(store, "blog");
    const longer = lockOf("blog", 2 * HOUR, "still not");
    await locks.lock(longer);
    clock.advance(HOUR);
    await until(() => clock.sleeping === 1);
    expect(locks.of("blog", clock.now())).toEqual(longer);
    clock.advance(HOUR);
    await until(() => woken === 1);
    expect(await store.readDeployment(1)).toMatchObject({ state: "queued" });
  });

  test("is there again after a restart, and one that ran out meanwhile is unlocked", async () => {
    await locks.lock(lockOf("blog", null));
    await locks.lock(lockOf("docs", HOUR));
    await pushToLocked(store, "docs");
    await locks.stop();
    clock.advance(2 * HOUR);
    locks = open();
    await locks.load();
    await until(() => woken === 1);
    expect(locks.of("blog", clock.now())).toMatchObject({ by: "ada" });
    expect((await store.listLocks()).map(({ target }) => target)).toEqual(["blog"]);
    expect(await store.readDeployment(1)).toMatchObject({ target: "docs", state: "queued" });
  });

  test("stays when the store cannot take it away, and one that ran out is tried again", async () => {
    let refusals = 0;
    locks = open({
      unlock: (target, now) => {
        if (refusals++ < 2) return Promise.reject(new Error("the disk is full"));
        return store.unlock(target, now);
      },
    });
    await locks.lock(lockOf("blog", HOUR));
    await expect(locks.unlock("blog")).rejects.toThrow("the disk is full");
    expect(locks.of("blog", clock.now())).toMatchObject({ target: "blog" });
    clock.advance(HOUR);
    await until(() => refusals === 2 && clock.sleeping === 1);
    expect(log.join("\n")).toContain("the disk is full");
    clock.advance(10_000);
    await until(() => woken === 1);
    expect(await store.listLocks()).toEqual([]);
  });

  test("is not unlocked any more once the server stops", async () => {
    await locks.lock(lockOf("blog", HOUR));
    await locks.stop();
    clock.advance(HOUR);
    expect(clock.sleeping).toBe(0);
    expect(await store.listLocks()).toHaveLength(1);
    expect(woken).toBe(0);
  });
});
