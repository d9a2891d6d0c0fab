import { afterEach, beforeEach, expect, test } from "bun:test";
import type { Store } from "../../src/domain/store.ts";
import { awaitDeployments } from "../../src/flow/await-deployments.ts";
import { createEventBus, type EventBus } from "../../src/flow/event-bus.ts";
import { TestClock } from "../support/clock.ts";
import { openTestStore, push, SUCCEEDED, type TestStore } from "./test-store.ts";

const NOW = new Date("2026-11-21T12:00:00Z");

let opened: TestStore;
let store: Store;
let clock: TestClock;
let eventBus: EventBus;
let stop: AbortController;

beforeEach(async () => {
  opened = await openTestStore();
  store = opened.store;
  clock = new TestClock();
  eventBus = createEventBus(clock);
  stop = new AbortController();
});

afterEach(() => opened.close());

async function end(target: string): Promise<void> {
  const claimed = await store.claim([target], NOW);
  const { deployment } = await store.finish(claimed?.id ?? 0, SUCCEEDED, NOW, []);
  eventBus.publish({ kind: "deployment", deployment });
}

/** Waits for the deployments 1 and 2, and records whether the wait is over. */
function wait() {
  const result = { isOver: false, states: [] as readonly string[] };
  const done = awaitDeployments([1, 2], 25_000, { store, eventBus, clock }, stop.signal).then(
    (deployments) => {
      result.isOver = true;
      result.states = deployments.map(({ state }) => state);
    },
  );
  return { result, done };
}

test("resolves when the last deployment has ended, and stops its timer", async () => {
  await push(store, "blog", "docs");
  const { result, done } = wait();
  await end("blog");
  await Bun.sleep(5);
  expect(result.isOver).toBe(false);
  await end("docs");
  await done;
  expect(result.states).toEqual(["succeeded", "succeeded"]);
  expect(clock.sleeping).toBe(0);
});

test("resolves at once for deployments that have ended already", async () => {
  await push(store, "blog", "docs");
  await end("blog");
  await end("docs");
  const { result, done } = wait();
  await done;
  expect(result.states).toEqual(["succeeded", "succeeded"]);
});

test("resolves with the current states when the time is over", async () => {
  await push(store, "blog", "docs");
  await end("blog");
  const { result, done } = wait();
  await Bun.sleep(5);
  clock.advance(24_999);
  await Bun.sleep(5);
  expect(result.isOver).toBe(false);
  clock.advance(1);
  await done;
  expect(result.states).toEqual(["succeeded", "queued"]);
});

test("resolves when the signal is aborted, before and during the wait", async () => {
  await push(store, "blog", "docs");
  const during = wait();
  await Bun.sleep(5);
  stop.abort();
  await during.done;
  expect(during.result.states).toEqual(["queued", "queued"]);
  const before = wait();
  await before.done;
  expect(before.result.states).toEqual(["queued", "queued"]);
  expect(clock.sleeping).toBe(0);
});
