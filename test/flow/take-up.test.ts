import { afterEach, beforeEach, expect, test } from "bun:test";
import type { Happening } from "../../src/domain/happening.ts";
import { takeUpQueue } from "../../src/flow/take-up.ts";
import { logInto } from "../support/public.ts";
import { targetOf } from "../support/target.ts";
import { type KeptStore, openKeptStore, push } from "./kept-store.ts";
import { ManualClock } from "./manual-clock.ts";

let kept: KeptStore;

beforeEach(async () => {
  kept = await openKeptStore();
});

afterEach(() => kept.close());

test("tells of what the last stop interrupted, and of what waited for a target that is gone", async () => {
  const clock = new ManualClock();
  await push(kept.store, "blog");
  await kept.store.claim(["blog"], clock.now());
  await push(kept.store, "gone");
  const happenings: Happening[] = [];
  const abandoned = await takeUpQueue([targetOf("blog")], {
    store: kept.store,
    clock,
    log: logInto([]),
    publish: (happening) => void happenings.push(happening),
    subscribers: [],
  });
  expect(abandoned).toMatchObject([{ deployment: 1, target: { name: "blog" } }]);
  expect(happenings).toMatchObject([
    { kind: "deployment", deployment: { id: 1, state: "interrupted" } },
    { kind: "deployment", deployment: { id: 3, target: "blog", state: "queued", delivery: 1 } },
    { kind: "deployment", deployment: { id: 2, target: "gone", state: "cancelled" } },
  ]);
});
