import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { Lock } from "../../src/domain/lock.ts";
import type { ServerEvent } from "../../src/domain/server-event.ts";
import type { Store } from "../../src/domain/store.ts";
import { createLocks, type Locks } from "../../src/flow/locks.ts";
import { TestClock } from "../support/clock.ts";
import { targetOf } from "../support/target.ts";
import { until } from "../support/until.ts";
import { RecordedLog } from "./recorded-log.ts";
import { openTestStore, push, pushToLocked, type TestStore } from "./test-store.ts";

const HOUR = 3_600_000;

let opened: TestStore;
let store: Store;
let clock: TestClock;
let log: RecordedLog;
let events: ServerEvent[];
let wakeCount: number;
let locks: Locks;

beforeEach(async () => {
  opened = await openTestStore();
  store = opened.store;
  clock = new TestClock();
  log = new RecordedLog();
  events = [];
  wakeCount = 0;
  locks = open();
  await locks.load();
});

afterEach(async () => {
  await locks.stop();
  await opened.close();
});

function open(over: Partial<Store> = {}): Locks {
  return createLocks({
    store: { ...store, ...over },
    targets: () => [targetOf("blog"), targetOf("docs")],
    clock,
    log,
    publish: (event) => void events.push(event),
    wakeWorker: () => void wakeCount++,
  });
}

function lockOf(target: string, milliseconds: number | null, reason = "release freeze"): Lock {
  const since = clock.now();
  const until = milliseconds === null ? null : new Date(since.getTime() + milliseconds);
  return { target, reason, by: "ada", since, until };
}

describe("a lock", () => {
  test("is held in memory and in the store until it is removed, and is published", async () => {
    const lock = lockOf("blog", null);
    await locks.lock(lock);
    expect(locks.of("blog", clock.now())).toEqual(lock);
    expect(locks.of("docs", clock.now())).toBeNull();
    expect(await store.listLocks()).toEqual([lock]);
    expect(await locks.unlock("blog")).toEqual({ lock, queued: null, waiting: null, skippedDelivery: null });
    expect(locks.of("blog", clock.now())).toBeNull();
    expect(await store.listLocks()).toEqual([]);
    expect(events).toEqual([
      { kind: "lock", target: "blog", lock },
      { kind: "lock", target: "blog", lock: null },
    ]);
  });

  test("changes the version when it is set, removed and expires", async () => {
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

  test("queues the newest blocked delivery when it is removed, publishes it, and wakes the worker", async () => {
    await locks.lock(lockOf("blog", null));
    await pushToLocked(store, "blog");
    await pushToLocked(store, "blog");
    expect(await locks.unlock("blog")).toMatchObject({ waiting: 1 });
    expect(await store.readDeployment(1)).toMatchObject({ state: "queued", delivery: 2, trigger: "push" });
    expect(events.at(-1)).toMatchObject({
      kind: "deployment",
      deployment: { id: 1, target: "blog", state: "queued" },
    });
    expect(wakeCount).toBe(1);
  });

  test("queues a blocked delivery that was accepted but not yet committed when it is removed", async () => {
    await locks.lock(lockOf("blog", null));
    const accepted = pushToLocked(store, "blog");
    expect(await locks.unlock("blog")).toMatchObject({ waiting: 1 });
    await accepted;
  });

  test("queues nothing when no delivery was blocked, and wakes the worker for queued deployments", async () => {
    await push(store, "blog");
    await locks.lock(lockOf("blog", null));
    expect(await locks.unlock("blog")).toMatchObject({ queued: null, waiting: 1 });
    expect(await store.readDeployment(1)).toMatchObject({ state: "queued" });
    expect(await store.readDeployment(2)).toBeNull();
    expect(wakeCount).toBe(1);
  });

  test("supersedes an older queued push with the blocked delivery when it is removed", async () => {
    await push(store, "docs");
    await locks.lock(lockOf("docs", null));
    await pushToLocked(store, "docs");
    expect(await locks.unlock("docs")).toMatchObject({ waiting: 2 });
    expect(events.slice(-2)).toMatchObject([
      { kind: "deployment", deployment: { id: 2, state: "queued" } },
      { kind: "deployment", deployment: { id: 1, state: "superseded" } },
    ]);
  });

  test("of a target that is no longer configured can be removed, and its blocked delivery is cancelled", async () => {
    await locks.lock(lockOf("removed", null));
    await locks.lock(lockOf("blog", null));
    await pushToLocked(store, "removed", "blog");
    expect(await locks.unlock("removed")).not.toBeNull();
    expect(await locks.unlock("blog")).toMatchObject({ waiting: 2 });
    const cancelled = events.flatMap((each) =>
      each.kind === "deployment" && each.deployment.state === "cancelled" ? [each.deployment] : [],
    );
    expect(cancelled).toMatchObject([{ id: 1, target: "removed", code: "not_configured" }]);
    expect(await store.readDeployment(2)).toMatchObject({ state: "queued" });
  });

  test("that does not exist cannot be removed, which publishes and logs nothing and does not wake the worker", async () => {
    expect(await locks.unlock("blog")).toBeNull();
    expect([events, log.entries, wakeCount]).toEqual([[], [], 0]);
  });

  test("is removed when it expires, even after many days", async () => {
    await locks.lock(lockOf("blog", 50 * 24 * HOUR));
    await pushToLocked(store, "blog");
    clock.advance(50 * 24 * HOUR - 1);
    await until(() => clock.sleeping === 1);
    expect(await store.listLocks()).toHaveLength(1);
    clock.advance(1);
    await until(() => wakeCount === 1);
    expect(await store.listLocks()).toEqual([]);
    expect(await store.readDeployment(1)).toMatchObject({ state: "queued" });
    expect(events.at(-2)).toEqual({ kind: "lock", target: "blog", lock: null });
    expect(clock.sleeping).toBe(0);
  });

  test("expires when the clock is set forward, and stays expired when the clock is set back", async () => {
    const start = clock.now();
    await locks.lock(lockOf("blog", 10 * HOUR));
    clock.set(new Date(start.getTime() + 11 * HOUR));
    expect(locks.of("blog", clock.now())).toBeNull();
    clock.set(start);
    expect(locks.of("blog", clock.now())).toBeNull();
    clock.set(new Date(start.getTime() + 11 * HOUR));
    clock.advance(60_000);
    await until(() => wakeCount === 1);
    expect(await store.listLocks()).toEqual([]);
  });

  test("that replaces another has its own end time and keeps the blocked delivery", async () => {
    await locks.lock(lockOf("blog", HOUR));
    await pushToLocked(store, "blog");
    const longer = lockOf("blog", 2 * HOUR, "still not");
    await locks.lock(longer);
    clock.advance(HOUR);
    await until(() => clock.sleeping === 1);
    expect(locks.of("blog", clock.now())).toEqual(longer);
    clock.advance(HOUR);
    await until(() => wakeCount === 1);
    expect(await store.readDeployment(1)).toMatchObject({ state: "queued" });
  });

  test("of another process is read again, in place of the known ones", async () => {
    await locks.lock(lockOf("blog", null));
    const version = locks.version(clock.now());
    await locks.reload();
    expect(locks.version(clock.now())).toBe(version);

    await store.unlock("blog", clock.now());
    const other = lockOf("docs", HOUR);
    await store.lock(other);
    await locks.reload();
    expect([locks.of("blog", clock.now()), locks.of("docs", clock.now())]).toEqual([null, other]);
    expect(locks.version(clock.now())).not.toBe(version);

    clock.advance(HOUR);
    await until(() => events.some((event) => event.kind === "lock" && event.target === "docs"));
    expect(await store.listLocks()).toEqual([]);
  });

  test("is loaded after a restart, and removed if it has expired in the meantime", async () => {
    await locks.lock(lockOf("blog", null));
    await locks.lock(lockOf("docs", HOUR));
    await pushToLocked(store, "docs");
    await locks.stop();
    clock.advance(2 * HOUR);
    locks = open();
    await locks.load();
    await until(() => wakeCount === 1);
    expect(locks.of("blog", clock.now())).toMatchObject({ by: "ada" });
    expect((await store.listLocks()).map(({ target }) => target)).toEqual(["blog"]);
    expect(await store.readDeployment(1)).toMatchObject({ target: "docs", state: "queued" });
  });

  test("stays when the store cannot remove it, and its removal is retried after it has expired", async () => {
    let attempts = 0;
    locks = open({
      unlock: (target, now) => {
        if (attempts++ < 2) return Promise.reject(new Error("the disk is full"));
        return store.unlock(target, now);
      },
    });
    await locks.lock(lockOf("blog", HOUR));
    await expect(locks.unlock("blog")).rejects.toThrow("the disk is full");
    expect(locks.of("blog", clock.now())).toMatchObject({ target: "blog" });
    clock.advance(HOUR);
    await until(() => attempts === 2 && clock.sleeping === 1);
    expect(log.entries).toMatchObject([
      { level: "info", fields: { target: "blog" } },
      { level: "warn", fields: { target: "blog", err: { message: "the disk is full" } } },
    ]);
    expect(log.messages).toMatchSnapshot();
    clock.advance(10_000);
    await until(() => wakeCount === 1);
    expect(await store.listLocks()).toEqual([]);
  });

  test("is not removed after the server stops", async () => {
    await locks.lock(lockOf("blog", HOUR));
    await locks.stop();
    clock.advance(HOUR);
    expect(clock.sleeping).toBe(0);
    expect(await store.listLocks()).toHaveLength(1);
    expect(wakeCount).toBe(0);
  });
});
