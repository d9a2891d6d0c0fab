import { afterEach, beforeEach, expect, test } from "bun:test";
import type { AbandonedRun } from "../../src/domain/deployment.ts";
import { type RestoreTools, revertInterrupted } from "../../src/flow/recovery.ts";
import { TestClock } from "../support/clock.ts";
import { targetOf } from "../support/target.ts";
import { RecordedLog } from "./recorded-log.ts";
import { deployed, type KeptStore, openKeptStore, push } from "./test-store.ts";

let opened: KeptStore;
const clock = new TestClock();

beforeEach(async () => {
  opened = await openKeptStore();
});

afterEach(() => opened.close());

/** A deployment that was interrupted so often that it is not queued again. */
async function abandon(target: string): Promise<AbandonedRun> {
  for (;;) {
    await opened.store.claim([target], clock.now());
    const [interrupted] = await opened.store.recoverInterrupted(clock.now(), []);
    const { deployment, retry } = interrupted ?? {};
    if (retry === null) return { deployment: deployment?.id ?? 0, target: targetOf(target) };
  }
}

/** Restores the runs. Returns the targets to restore with their commits, and the log. */
async function restore(runs: readonly AbandonedRun[], act: RestoreTools["restore"] = async () => null) {
  const restored: (readonly [string, string | null])[] = [];
  const log = new RecordedLog();
  await revertInterrupted(runs, {
    store: opened.store,
    clock,
    log,
    restore: (run, live, onLine) => {
      restored.push([run.target.name, live]);
      return act(run, live, onLine);
    },
  });
  return { restored, log };
}

test("restores the live commit of the store, logs the result, and adds it to the output of the deployment", async () => {
  await deployed(opened.store, "blog", { commit: "c1" });
  await push(opened.store, "blog");
  const run = await abandon("blog");
  const { restored, log } = await restore([run], async (_run, _live, onLine) => {
    onLine("restoring release r1");
    return "release r1 is live again";
  });
  expect(restored).toEqual([["blog", "c1"]]);
  expect(log.entries).toMatchObject([
    {
      level: "warn",
      fields: { deployment: run.deployment, target: "blog", outcome: "release r1 is live again" },
    },
  ]);
  expect(log.messages).toMatchSnapshot();
  expect(await opened.store.readOutput(run.deployment)).toEqual(["restoring release r1"]);
});

test("passes no commit when the store has no live release, and logs nothing when nothing was restored", async () => {
  await push(opened.store, "blog");
  const run = await abandon("blog");
  const { restored, log } = await restore([run]);
  expect(restored).toEqual([["blog", null]]);
  expect(log.entries).toEqual([]);
});

test("skips a target whose next deployment can start, and restores one that is locked", async () => {
  await push(opened.store, "blog", "docs");
  const runs = [await abandon("blog"), await abandon("docs")];
  await push(opened.store, "blog", "docs");
  await opened.store.lock({ target: "docs", reason: "x", by: "ada", since: clock.now(), until: null });
  expect((await restore(runs)).restored).toEqual([["docs", null]]);
});

test("continues with the next target when one cannot be restored", async () => {
  await push(opened.store, "blog", "docs");
  const runs = [await abandon("blog"), await abandon("docs")];
  const { restored, log } = await restore(runs, async ({ target }) => {
    if (target.name === "blog") throw new Error("no space");
    return null;
  });
  expect(restored).toHaveLength(2);
  expect(log.entries).toMatchObject([
    { level: "error", fields: { target: "blog", err: { message: "no space" } } },
  ]);
  expect(log.messages).toMatchSnapshot();
});
