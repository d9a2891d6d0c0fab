import { afterEach, beforeEach, expect, test } from "bun:test";
import type { AbandonedRun } from "../../src/domain/deployment.ts";
import { revertInterrupted } from "../../src/flow/recovery.ts";
import { TestClock } from "../support/clock.ts";
import { targetOf } from "../support/target.ts";
import { RecordedLog } from "./recorded-log.ts";
import { deployed, openTestStore, push, type TestStore } from "./test-store.ts";

let opened: TestStore;
const clock = new TestClock();

beforeEach(async () => {
  opened = await openTestStore();
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

type Revert = Parameters<typeof revertInterrupted>[1]["revert"];

/** Reverts the runs. Returns the targets that were reverted with their live commits, and the log. */
async function revertRuns(runs: readonly AbandonedRun[], revert: Revert = async () => null) {
  const reverted: (readonly [string, string | null])[] = [];
  const log = new RecordedLog();
  await revertInterrupted(runs, {
    store: opened.store,
    clock,
    log,
    revert: (run, live, onLine) => {
      reverted.push([run.target.name, live]);
      return revert(run, live, onLine);
    },
  });
  return { reverted, log };
}

test("reverts to the live commit of the store, logs the result, and adds it to the output of the deployment", async () => {
  await deployed(opened.store, "blog", { commit: "c1" });
  await push(opened.store, "blog");
  const run = await abandon("blog");
  const { reverted, log } = await revertRuns([run], async (_run, _live, onLine) => {
    onLine("restoring release r1");
    return "release r1 is live again";
  });
  expect(reverted).toEqual([["blog", "c1"]]);
  expect(log.entries).toMatchObject([
    {
      level: "warn",
      fields: { deployment: run.deployment, target: "blog", outcome: "release r1 is live again" },
    },
  ]);
  expect(log.messages).toMatchSnapshot();
  expect(await opened.store.readOutput(run.deployment)).toEqual(["restoring release r1"]);
});

test("passes no commit when the store has no live release, and logs nothing when nothing was reverted", async () => {
  await push(opened.store, "blog");
  const run = await abandon("blog");
  const { reverted, log } = await revertRuns([run]);
  expect(reverted).toEqual([["blog", null]]);
  expect(log.entries).toEqual([]);
});

test("skips a target whose next deployment can start, and reverts one that is locked", async () => {
  await push(opened.store, "blog", "docs");
  const runs = [await abandon("blog"), await abandon("docs")];
  await push(opened.store, "blog", "docs");
  await opened.store.lock({ target: "docs", reason: "x", by: "ada", since: clock.now(), until: null });
  expect((await revertRuns(runs)).reverted).toEqual([["docs", null]]);
});

test("continues with the next target when one cannot be reverted", async () => {
  await push(opened.store, "blog", "docs");
  const runs = [await abandon("blog"), await abandon("docs")];
  const { reverted, log } = await revertRuns(runs, async ({ target }) => {
    if (target.name === "blog") throw new Error("no space");
    return null;
  });
  expect(reverted).toHaveLength(2);
  expect(log.entries).toMatchObject([
    { level: "error", fields: { target: "blog", err: { message: "no space" } } },
  ]);
  expect(log.messages).toMatchSnapshot();
});
