import { afterEach, beforeEach, expect, test } from "bun:test";
import type { AbandonedRun } from "../../src/domain/deployment.ts";
import { type RestoreTools, restoreAbandoned } from "../../src/flow/restore.ts";
import { logInto } from "../support/public.ts";
import { targetOf } from "../support/target.ts";
import { deployed, type KeptStore, openKeptStore, push } from "./kept-store.ts";
import { ManualClock } from "./manual-clock.ts";

let kept: KeptStore;
const clock = new ManualClock();

beforeEach(async () => {
  kept = await openKeptStore();
});

afterEach(() => kept.close());

/** A deployment of the target that was killed so often that it is not queued again. */
async function abandon(target: string): Promise<AbandonedRun> {
  for (;;) {
    await kept.store.claim([target], clock.now());
    const [interrupted] = await kept.store.interruptRunning(clock.now(), []);
    const { deployment, queuedAgain } = interrupted ?? {};
    if (queuedAgain === null) return { deployment: deployment?.id ?? 0, target: targetOf(target) };
  }
}

/** Restores, and gives which target was to have which commit. */
async function restore(runs: readonly AbandonedRun[], act: RestoreTools["restore"] = async () => null) {
  const asked: (readonly [string, string | null])[] = [];
  const log: string[] = [];
  await restoreAbandoned(runs, {
    store: kept.store,
    clock,
    log: logInto(log),
    restore: (run, live, onLine) => {
      asked.push([run.target.name, live]);
      return act(run, live, onLine);
    },
  });
  return { asked, log };
}

test("puts back what the store says is live, tells it, and writes it to what the deployment printed", async () => {
  await deployed(kept.store, "blog", { commit: "c1" });
  await push(kept.store, "blog");
  const run = await abandon("blog");
  const { asked, log } = await restore([run], async (_run, _live, onLine) => {
    onLine("putting back release r1");
    return "release r1 is live again";
  });
  expect(asked).toEqual([["blog", "c1"]]);
  expect(log).toHaveLength(1);
  expect(log[0]).toContain(
    `"deployment":${run.deployment},"target":"blog","outcome":"release r1 is live again"`,
  );
  expect(await kept.store.readOutput(run.deployment)).toEqual(["putting back release r1"]);
});

test("takes down what was live where the store knows of nothing, and says nothing where there was nothing", async () => {
  await push(kept.store, "blog");
  const run = await abandon("blog");
  expect(await restore([run])).toEqual({ asked: [["blog", null]], log: [] });
});

test("leaves a target alone whose next deployment may begin at once, but not one that is locked", async () => {
  await push(kept.store, "blog", "docs");
  const runs = [await abandon("blog"), await abandon("docs")];
  await push(kept.store, "blog", "docs");
  await kept.store.lock({ target: "docs", reason: "x", by: "ada", since: clock.now(), until: null });
  expect((await restore(runs)).asked).toEqual([["docs", null]]);
});

test("goes on with the next target when one cannot be put back", async () => {
  await push(kept.store, "blog", "docs");
  const runs = [await abandon("blog"), await abandon("docs")];
  const { asked, log } = await restore(runs, async ({ target }) => {
    if (target.name === "blog") throw new Error("no space");
    return null;
  });
  expect(asked).toHaveLength(2);
  expect(log).toHaveLength(1);
  expect(log[0]).toContain("no space");
});
