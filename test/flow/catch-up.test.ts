import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { ServerEvent } from "../../src/domain/server-event.ts";
import type { Store } from "../../src/domain/store.ts";
import type { RemoteTip, Target } from "../../src/domain/target.ts";
import { catchUp } from "../../src/flow/catch-up.ts";
import { TestClock } from "../support/clock.ts";
import { targetOf } from "../support/target.ts";
import { RecordedLog } from "./recorded-log.ts";
import { deployed, openTestStore, SUCCEEDED, type TestStore } from "./test-store.ts";

const NOW = new Date("2026-11-21T12:00:00Z");

let opened: TestStore;
let store: Store;
let log: RecordedLog;
let queried: string[];
let wakeCount: number;
let events: ServerEvent[];

beforeEach(async () => {
  opened = await openTestStore();
  store = opened.store;
  log = new RecordedLog();
  queried = [];
  wakeCount = 0;
  events = [];
});

afterEach(() => opened.close());

/** Makes a commit live, as a successful push does. */
const makeLive = (target: string, commit: string) => deployed(store, target, { commit }, [], NOW);

function runCatchUp(
  targets: readonly Target[],
  query: (target: Target) => Promise<RemoteTip>,
  signal = new AbortController().signal,
) {
  const services = {
    store,
    clock: new TestClock({ start: NOW.toISOString() }),
    log,
    publish: (event: ServerEvent) => void events.push(event),
    readTip: (target: Target) => {
      queried.push(target.name);
      return query(target);
    },
    wakeWorker: () => void wakeCount++,
  };
  return catchUp(targets, services, signal);
}

const at = (commit: string) => async (): Promise<RemoteTip> => ({ kind: "found", commit });

describe("catching up", () => {
  test("deploys a target whose branch has moved", async () => {
    await makeLive("blog", "old");
    await runCatchUp([targetOf("blog")], at("new"));
    expect(await store.readDeployment(2)).toMatchObject({
      target: "blog",
      trigger: "catch-up",
      state: "queued",
      delivery: null,
    });
    expect(events).toMatchObject([{ kind: "deployment", deployment: { id: 2, state: "queued" } }]);
    expect(wakeCount).toBe(1);
  });

  test("skips targets that are up to date, have no repository, or disable catching up", async () => {
    for (const target of ["blog", "job", "disabled"]) await makeLive(target, "old");
    await runCatchUp(
      [targetOf("blog"), targetOf("job", { repository: null }), targetOf("disabled", { catchUp: false })],
      async (target) =>
        target.name === "blog" ? { kind: "found", commit: "old" } : { kind: "found", commit: "new" },
    );
    expect(queried).toEqual(["blog"]);
    expect(await store.readDeployment(4)).toBeNull();
    expect(wakeCount).toBe(0);
  });

  test("does not query the remote of a target that was never deployed", async () => {
    await runCatchUp([targetOf("blog")], at("new"));
    expect(queried).toEqual([]);
  });

  test("does not query the remote of a locked target until the lock expires", async () => {
    await makeLive("blog", "old");
    const lock = { target: "blog", reason: "freeze", by: "ada", since: NOW };
    await store.lock({ ...lock, until: new Date(NOW.getTime() + 1) });
    await runCatchUp([targetOf("blog")], at("new"));
    expect(queried).toEqual([]);
    await store.lock({ ...lock, until: NOW });
    await runCatchUp([targetOf("blog")], at("new"));
    expect(queried).toEqual(["blog"]);
  });

  test("does not deploy a commit again after a rollback from it", async () => {
    const choice = { kind: "commit", commit: "bad" } as const;
    const back = { kind: "release", release: null } as const;
    await makeLive("blog", "good");
    for (const [trigger, commit, chosen] of [
      ["manual", "bad", choice],
      ["rollback", "good", back],
    ] as const) {
      const {
        deployment: { id },
      } = await store.queueDeployment({ target: "blog", trigger, commit: null, choice: chosen }, NOW);
      await store.claim(["blog"], NOW);
      await store.finish(id, { ...SUCCEEDED, commit }, NOW, []);
    }
    await runCatchUp([targetOf("blog")], at("bad"));
    expect(await store.readDeployment(4)).toBeNull();
    expect(log.entries).toMatchObject([{ level: "debug", fields: { target: "blog" } }]);
    expect(log.entries.map(({ message, fields }) => `${message}: ${fields.reason}`)).toMatchSnapshot();
    await runCatchUp([targetOf("blog")], at("better"));
    expect(await store.readDeployment(4)).toMatchObject({ trigger: "catch-up", pushedCommit: "better" });
  });

  test("continues with the other targets when a remote cannot be queried", async () => {
    for (const target of ["unreachable", "broken", "blog"]) await makeLive(target, "old");
    await runCatchUp([targetOf("unreachable"), targetOf("broken"), targetOf("blog")], async ({ name }) => {
      if (name === "unreachable")
        return { kind: "unreachable", isTimeout: false, reason: "failed: no route" };
      if (name === "broken") throw new Error("a bug");
      return { kind: "found", commit: "new" };
    });
    expect(await store.readDeployment(4)).toMatchObject({ target: "blog", trigger: "catch-up" });
    expect(log.entries).toMatchObject([
      { level: "warn", fields: { target: "unreachable", reason: "failed: no route" } },
      { level: "warn", fields: { target: "broken", err: { message: "a bug" } } },
      { level: "info", fields: { target: "blog", deployment: 4, commit: "new" } },
    ]);
    expect(log.messages).toMatchSnapshot();
  });

  test("queues nothing when a push arrives during the query", async () => {
    await makeLive("blog", "old");
    await runCatchUp([targetOf("blog")], async () => {
      await store.queueDeployment({ target: "blog", trigger: "push", commit: "new", choice: null }, NOW);
      return { kind: "found", commit: "new" };
    });
    expect(await store.readDeployment(3)).toBeNull();
  });

  test("limits the number of concurrent queries", async () => {
    const targets = Array.from({ length: 12 }, (_, number) => targetOf(`t${number}`));
    for (const { name } of targets) await makeLive(name, "old");
    let [now, most] = [0, 0];
    await runCatchUp(targets, async () => {
      now++;
      most = Math.max(most, now);
      await new Promise((resolve) => setImmediate(resolve));
      now--;
      return { kind: "found", commit: "old" };
    });
    expect(queried).toHaveLength(12);
    expect(most).toBeLessThanOrEqual(4);
  });

  test("stops when the signal is aborted", async () => {
    for (const target of ["blog", "docs"]) await makeLive(target, "old");
    const stop = new AbortController();
    stop.abort();
    await runCatchUp([targetOf("blog"), targetOf("docs")], at("new"), stop.signal);
    expect(queried).toEqual([]);
  });
});
