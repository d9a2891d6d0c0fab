import { afterEach, beforeEach, expect, test } from "bun:test";
import type { ServerEvent } from "../../src/domain/server-event.ts";
import { recoverQueue } from "../../src/flow/recovery.ts";
import { TestClock } from "../support/clock.ts";
import { logInto } from "../support/public.ts";
import { targetOf } from "../support/target.ts";
import { openTestStore, push, type TestStore } from "./test-store.ts";

let opened: TestStore;

beforeEach(async () => {
  opened = await openTestStore();
});

afterEach(() => opened.close());

test("publishes interrupted deployments, and cancelled ones of a target that is no longer configured", async () => {
  const clock = new TestClock();
  await push(opened.store, "blog");
  await opened.store.claim(["blog"], clock.now());
  await push(opened.store, "removed");
  const events: ServerEvent[] = [];
  const abandoned = await recoverQueue([targetOf("blog")], [], {
    store: opened.store,
    clock,
    log: logInto([]),
    publish: (event) => void events.push(event),
  });
  expect(abandoned).toMatchObject([{ deployment: 1, target: { name: "blog" } }]);
  expect(events).toMatchObject([
    { kind: "deployment", deployment: { id: 1, state: "interrupted", code: "crash", retriedAs: 3 } },
    { kind: "deployment", deployment: { id: 3, target: "blog", state: "queued", delivery: 1 } },
    { kind: "deployment", deployment: { id: 2, target: "removed", code: "not_configured" } },
  ]);
});
