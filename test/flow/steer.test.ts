import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { Happening } from "../../src/domain/happening.ts";
import type { Store } from "../../src/domain/store.ts";
import { createLocks, type Locks } from "../../src/flow/locks.ts";
import { createSteering, type Steering } from "../../src/flow/steer.ts";
import { logInto } from "../support/public.ts";
import { targetOf } from "../support/target.ts";
import { deployed, type KeptStore, openKeptStore, push, pushToLocked } from "./kept-store.ts";
import { ManualClock } from "./manual-clock.ts";

const COMMIT = "0123456789ABCDEF0123456789abcdef01234567";
const [OLD, MIDDLE, NEW] = [
  "20261119T120000Z-aaaaaaaaaaaa",
  "20261120T120000Z-bbbbbbbbbbbb",
  "20261121T120000Z-cccccccccccc",
] as const;

let kept: KeptStore;
let store: Store;
let clock: ManualClock;
let locks: Locks;
let log: string[];
let happenings: Happening[];
let woken: number;
/** What runs, and what the worker was asked to end. */
let running: Set<number>;
let ended: string[];
let steering: Steering;

beforeEach(async () => {
  kept = await openKeptStore();
  store = kept.store;
  clock = new ManualClock();
  log = [];
  happenings = [];
  woken = 0;
  running = new Set();
  ended = [];
  const tools = {
    store,
    clock,
    log: logInto(log),
    publish: (happening: Happening) => void happenings.push(happening),
  };
  const wake = () => void woken++;
  const targets = [
    targetOf("blog"),
    targetOf("tree", { layout: "worktree" }),
    targetOf("job", { watch: null }),
    targetOf("empty"),
  ];
  locks = createLocks({ ...tools, targets: () => targets, wake });
  steering = createSteering({
    ...tools,
    targets,
    locks,
    worker: {
      wake,
      cancel(id, reason) {
        if (running.has(id)) ended.push(`${id} ${reason}`);
        return running.has(id);
      },
    },
    releasesOf: async ({ name, layout }) => {
      if (layout !== "releases") return null;
      return name === "blog" ? [NEW, MIDDLE, OLD] : [];
    },
  });
});

afterEach(async () => {
  await locks.stop();
  await kept.close();
});

const tip = { commit: null, force: false };
const ada = { reason: "release freeze", by: "ada", milliseconds: null };

/** How many deployments there are. */
async function count(): Promise<number> {
  let id = 0;
  while ((await store.readDeployment(id + 1)) !== null) id++;
  return id;
}

describe("target deploy", () => {
  test("queues a deployment of the tip, tells of it, and wakes the worker", async () => {
    expect(await steering.deploy("blog", tip)).toEqual({ kind: "queued", deployment: 1 });
    expect(await store.readDeployment(1)).toMatchObject({
      target: "blog",
      state: "queued",
      trigger: "manual",
      choice: null,
      delivery: null,
    });
    expect(happenings).toMatchObject([{ kind: "deployment", deployment: { id: 1, state: "queued" } }]);
    expect(woken).toBe(1);
    expect(log).toHaveLength(1);
  });

  test("takes a commit's name in any case, and keeps it in lower case", async () => {
    await steering.deploy("blog", { commit: COMMIT, force: false });
    expect(await store.readDeployment(1)).toMatchObject({
      choice: { kind: "commit", commit: COMMIT.toLowerCase() },
    });
  });

  test.each(["", "abc", "abcdef", "g123456", "--upload-pack=x", "main", `${"a".repeat(65)}`, "abcdef0\n"])(
    "refuses %j for a commit and queues nothing",
    async (commit) => {
      expect(await steering.deploy("blog", { commit, force: false })).toMatchObject({ kind: "impossible" });
      expect([await count(), woken, happenings]).toEqual([0, 0, []]);
    },
  );

  test("refuses a commit for a target without a repository, and deploys it without one", async () => {
    expect(await steering.deploy("job", { commit: COMMIT, force: false })).toEqual({
      kind: "impossible",
      reason: "target job has no repository: deploy it without a commit",
    });
    expect(await steering.deploy("job", tip)).toEqual({ kind: "queued", deployment: 1 });
  });

  test("refuses a locked target unless it is forced", async () => {
    await steering.lock("blog", ada);
    woken = 0;
    expect(await steering.deploy("blog", tip)).toEqual({
      kind: "locked",
      reason: "locked by ada: release freeze",
    });
    expect([await count(), woken]).toEqual([0, 0]);
    expect(await steering.deploy("blog", { commit: null, force: true })).toMatchObject({ kind: "queued" });
    expect(await store.claim(["blog"], clock.now())).toMatchObject({ id: 1, state: "running" });
  });

  test("knows no other targets", async () => {
    expect(await steering.deploy("nobody", tip)).toEqual({ kind: "unknown target" });
    expect(await steering.rollback("nobody", null)).toEqual({ kind: "unknown target" });
    expect(await steering.lock("nobody", ada)).toEqual({ kind: "unknown target" });
    expect(await steering.unlock("nobody")).toEqual({ kind: "unknown target" });
    expect([await count(), await store.listLocks(), happenings]).toEqual([0, [], []]);
  });
});

describe("target rollback", () => {
  test("queues going back to the release before, also of a locked target", async () => {
    await deployed(store, "blog", { release: NEW });
    await steering.lock("blog", ada);
    expect(await steering.rollback("blog", null)).toEqual({ kind: "queued", deployment: 2 });
    expect(await store.readDeployment(2)).toMatchObject({
      trigger: "rollback",
      choice: { kind: "release", release: null },
    });
    expect(woken).toBe(1);
  });

  test("queues going back to a release by its name", async () => {
    expect(await steering.rollback("blog", OLD)).toEqual({ kind: "queued", deployment: 1 });
    expect(await store.readDeployment(1)).toMatchObject({ choice: { kind: "release", release: OLD } });
  });

  test("refuses a release that is not on disk, and names those that are", async () => {
    expect(await steering.rollback("blog", "../../etc")).toEqual({
      kind: "impossible",
      reason: `there is no release ../../etc; there are: ${NEW}, ${MIDDLE}, ${OLD}`,
    });
    expect(await count()).toBe(0);
  });

  test("refuses where nothing is before the live release", async () => {
    await deployed(store, "blog", { release: OLD });
    const outcome = await steering.rollback("blog", null);
    expect(outcome).toMatchObject({ kind: "impossible" });
    expect(outcome).toHaveProperty("reason", expect.stringContaining(`no release before ${OLD}`));
    expect(await steering.rollback("empty", null)).toEqual({
      kind: "impossible",
      reason: "nothing is live to go back from; there are none",
    });
    expect(await count()).toBe(1);
  });

  test("refuses a layout without releases and says what to do instead", async () => {
    expect(await steering.rollback("tree", null)).toEqual({
      kind: "impossible",
      reason:
        "layout worktree keeps no releases: choose a commit with `hooklatch target deploy tree --commit COMMIT`",
    });
    expect(await steering.rollback("job", null)).toMatchObject({ kind: "impossible" });
    expect(await count()).toBe(0);
  });
});

describe("deployment cancel", () => {
  test("ends one that waits, and tells of it", async () => {
    await push(store, "blog");
    const outcome = await steering.cancel(1, "ada");
    const cancelled = { id: 1, state: "cancelled", reason: "cancelled by ada" } as const;
    expect(outcome).toMatchObject({ kind: "cancelled", deployment: cancelled });
    expect(await store.readDeployment(1)).toMatchObject(cancelled);
    expect(happenings).toMatchObject([{ kind: "deployment", deployment: cancelled }]);
    expect(await store.claim(["blog"], clock.now())).toBeNull();
  });

  test("has the worker end one that runs", async () => {
    await push(store, "blog");
    await store.claim(["blog"], clock.now());
    running.add(1);
    expect(await steering.cancel(1, "ada")).toMatchObject({
      kind: "cancelling",
      deployment: { id: 1, state: "running" },
    });
    expect(ended).toEqual(["1 cancelled by ada"]);
  });

  test("changes nothing of one that has ended, nor of one that nobody knows", async () => {
    await deployed(store, "blog");
    expect(await steering.cancel(1, "ada")).toMatchObject({
      kind: "ended",
      deployment: { id: 1, state: "succeeded" },
    });
    expect(await steering.cancel(2, "ada")).toEqual({ kind: "unknown deployment" });
    expect([happenings, ended, log]).toEqual([[], [], []]);
  });
});

describe("target lock and unlock", () => {
  test("locks for a time or until it is unlocked, whatever the time", async () => {
    const since = clock.now();
    expect(await steering.lock("blog", { ...ada, milliseconds: 7_200_000 })).toEqual({
      kind: "locked",
      lock: {
        target: "blog",
        reason: "release freeze",
        by: "ada",
        since,
        until: new Date("2026-11-21T14:00:00Z"),
      },
    });
    expect(await steering.lock("blog", ada)).toMatchObject({ lock: { until: null } });
    const endless = await steering.lock("blog", { ...ada, milliseconds: 999_999_999 * 86_400_000 });
    expect(endless.kind === "locked" && endless.lock.until?.toISOString()).toStartWith("+275760");
  });

  test("unlocks and tells what is deployed by that", async () => {
    await steering.lock("blog", ada);
    await pushToLocked(store, "blog");
    expect(await steering.unlock("blog")).toEqual({
      kind: "unlocked",
      deployment: 1,
      reason: "deployment 1 deploys what came meanwhile",
    });
    expect(await steering.unlock("blog")).toEqual({ kind: "not locked" });
  });

  test("unlocks and names the deployment that is next, or says that there was none", async () => {
    const unlock = async () => {
      await steering.lock("blog", ada);
      return steering.unlock("blog");
    };
    expect(await unlock()).toEqual({
      kind: "unlocked",
      deployment: null,
      reason: "there was nothing to queue",
    });
    await push(store, "blog");
    expect(await unlock()).toEqual({
      kind: "unlocked",
      deployment: 1,
      reason: "deployment 1, which waited, is next",
    });
    await steering.lock("blog", ada);
    await pushToLocked(store, "blog");
    clock.set(new Date(Date.now() + 60_000));
    await steering.deploy("blog", { commit: null, force: true });
    expect(await steering.unlock("blog")).toEqual({
      kind: "unlocked",
      deployment: 2,
      reason: "deployment 2 is next, which was asked for after delivery 2 came",
    });
    await steering.cancel(2, "ada");
    await steering.lock("blog", ada);
    await pushToLocked(store, "blog");
    await push(store, "blog");
    await steering.cancel(3, "ada");
    expect(await steering.unlock("blog")).toEqual({
      kind: "unlocked",
      deployment: null,
      reason: "something newer was deployed than delivery 3, which it held back",
    });
  });

  test("unlocks a target that is no longer configured, and no other that it does not know", async () => {
    await locks.lock({ target: "gone", reason: "freeze", by: "ada", since: clock.now(), until: null });
    expect(await steering.unlock("gone")).toEqual({
      kind: "unlocked",
      deployment: null,
      reason: "it is no longer configured",
    });
    expect(await steering.unlock("gone")).toEqual({ kind: "unknown target" });
  });
});

describe("client revoke", () => {
  test("forgets the client and tells of it", async () => {
    const client = {
      source: "webhook",
      address: "192.0.2.1",
      authorisedAt: clock.now(),
      expiresAt: new Date(clock.now().getTime() + 1000),
    };
    await store.authorise(client);
    expect(await steering.revoke("192.0.2.9", null)).toEqual([]);
    expect(happenings).toEqual([]);
    expect(await steering.revoke("192.0.2.1", null)).toMatchObject([{ source: "webhook" }]);
    expect(await store.findClient("webhook", "192.0.2.1")).toBeNull();
    expect(happenings).toEqual([
      { kind: "client", source: "webhook", address: "192.0.2.1", change: "revoked" },
    ]);
  });
});
