import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { Happening } from "../../src/domain/happening.ts";
import type { RemoteTip } from "../../src/domain/remote.ts";
import type { Store } from "../../src/domain/store.ts";
import type { Target } from "../../src/domain/target.ts";
import { catchUp } from "../../src/flow/catch-up.ts";
import { clockAt, logInto } from "../support/public.ts";
import { targetOf } from "../support/target.ts";
import { deployed, type KeptStore, openKeptStore, SUCCEEDED } from "./kept-store.ts";

const NOW = new Date("2026-11-21T12:00:00Z");

let kept: KeptStore;
let store: Store;
let log: string[];
let asked: string[];
let woken: number;
let happenings: Happening[];

beforeEach(async () => {
  kept = await openKeptStore();
  store = kept.store;
  log = [];
  asked = [];
  woken = 0;
  happenings = [];
});

afterEach(() => kept.close());

/** Puts a commit live, as a push that succeeded would. */
const putLive = (target: string, commit: string) => deployed(store, target, { commit }, [], NOW);

function look(
  targets: readonly Target[],
  answer: (target: Target) => Promise<RemoteTip>,
  signal = new AbortController().signal,
) {
  const tools = {
    store,
    clock: clockAt(NOW.toISOString()),
    log: logInto(log),
    publish: (happening: Happening) => void happenings.push(happening),
    askTip: (target: Target) => {
      asked.push(target.name);
      return answer(target);
    },
    wake: () => void woken++,
  };
  return catchUp(targets, tools, signal);
}

const at = (commit: string) => async (): Promise<RemoteTip> => ({ kind: "found", commit });

describe("catching up", () => {
  test("deploys a target whose branch moved while nobody listened", async () => {
    await putLive("blog", "old");
    await look([targetOf("blog")], at("new"));
    expect(await store.readDeployment(2)).toMatchObject({
      target: "blog",
      trigger: "catch-up",
      state: "queued",
      delivery: null,
    });
    expect(happenings).toMatchObject([{ kind: "deployment", deployment: { id: 2, state: "queued" } }]);
    expect(woken).toBe(1);
  });

  test("leaves alone what is live, what has no repository, and what does not want it", async () => {
    for (const target of ["blog", "job", "still"]) await putLive(target, "old");
    await look(
      [targetOf("blog"), targetOf("job", { watch: null }), targetOf("still", { catchUp: false })],
      async (target) =>
        target.name === "blog" ? { kind: "found", commit: "old" } : { kind: "found", commit: "new" },
    );
    expect(asked).toEqual(["blog"]);
    expect(await store.readDeployment(4)).toBeNull();
    expect(woken).toBe(0);
  });

  test("does not even ask for a target that was never deployed", async () => {
    await look([targetOf("blog")], at("new"));
    expect(asked).toEqual([]);
  });

  test("does not even ask for a target that is locked, until its time is over", async () => {
    await putLive("blog", "old");
    const lock = { target: "blog", reason: "freeze", by: "ada", since: NOW };
    await store.lock({ ...lock, until: new Date(NOW.getTime() + 1) });
    await look([targetOf("blog")], at("new"));
    expect(asked).toEqual([]);
    await store.lock({ ...lock, until: NOW });
    await look([targetOf("blog")], at("new"));
    expect(asked).toEqual(["blog"]);
  });

  test("leaves alone a commit that people went back from, however it had gone live", async () => {
    const choice = { kind: "commit", commit: "bad" } as const;
    const back = { kind: "release", release: null } as const;
    await putLive("blog", "good");
    for (const [trigger, commit, chosen] of [
      ["manual", "bad", choice],
      ["rollback", "good", back],
    ] as const) {
      const {
        deployment: { id },
      } = await store.request({ target: "blog", trigger, commit: null, choice: chosen }, NOW);
      await store.claim(["blog"], NOW);
      await store.settle(id, { ...SUCCEEDED, commit }, NOW, []);
    }
    await look([targetOf("blog")], at("bad"));
    expect(await store.readDeployment(4)).toBeNull();
    expect(log.join()).toContain("a person went back from the tip");
    await look([targetOf("blog")], at("better"));
    expect(await store.readDeployment(4)).toMatchObject({ trigger: "catch-up", pushedCommit: "better" });
  });

  test("goes on with the others when one cannot be asked", async () => {
    for (const target of ["gone", "broken", "blog"]) await putLive(target, "old");
    await look([targetOf("gone"), targetOf("broken"), targetOf("blog")], async ({ name }) => {
      if (name === "gone") return { kind: "unreachable", reason: "failed: no route" };
      if (name === "broken") throw new Error("a bug");
      return { kind: "found", commit: "new" };
    });
    expect(await store.readDeployment(4)).toMatchObject({ target: "blog", trigger: "catch-up" });
    expect(log.join("\n")).toContain("no route");
    expect(log.join("\n")).toContain("a bug");
  });

  test("queues nothing when a push came while the forge was asked", async () => {
    await putLive("blog", "old");
    await look([targetOf("blog")], async () => {
      await store.request({ target: "blog", trigger: "push", commit: "new", choice: null }, NOW);
      return { kind: "found", commit: "new" };
    });
    expect(await store.readDeployment(3)).toBeNull();
  });

  test("asks a bounded number of forges at once", async () => {
    const targets = Array.from({ length: 12 }, (_, number) => targetOf(`t${number}`));
    for (const { name } of targets) await putLive(name, "old");
    let [now, most] = [0, 0];
    await look(targets, async () => {
      now++;
      most = Math.max(most, now);
      await new Promise((resolve) => setImmediate(resolve));
      now--;
      return { kind: "found", commit: "old" };
    });
    expect(asked).toHaveLength(12);
    expect(most).toBeLessThanOrEqual(4);
  });

  test("ends when it is told to", async () => {
    for (const target of ["blog", "docs"]) await putLive(target, "old");
    const stop = new AbortController();
    stop.abort();
    await look([targetOf("blog"), targetOf("docs")], at("new"), stop.signal);
    expect(asked).toEqual([]);
  });
});
