import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { Happening } from "../../src/domain/happening.ts";
import type { Source } from "../../src/domain/source.ts";
import type { Store } from "../../src/domain/store.ts";
import { rememberOutcomes } from "../../src/flow/decide.ts";
import { keep, type Readable } from "../../src/flow/keep.ts";
import { createLocks, type Locks } from "../../src/flow/locks.ts";
import { github } from "../../src/providers/github.ts";
import { logInto } from "../support/public.ts";
import { targetOf } from "../support/target.ts";
import { type KeptStore, openKeptStore } from "./kept-store.ts";
import { ManualClock } from "./manual-clock.ts";

const source: Source = {
  name: "github",
  provider: "github",
  path: "/hook",
  dialect: github.open({}),
  print: false,
  onRedelivery: "run",
  allow: null,
};

let kept: KeptStore;
let store: Store;
let happenings: Happening[];
let woken: number;
let locks: Locks;
let tools: Parameters<typeof keep>[2];

beforeEach(async () => {
  kept = await openKeptStore();
  store = kept.store;
  happenings = [];
  woken = 0;
  const clock = new ManualClock();
  const common = {
    store,
    clock,
    log: logInto([]),
    publish: (happening: Happening) => void happenings.push(happening),
    wake: () => void woken++,
  };
  const targetsOf = () => [targetOf("blog"), targetOf("docs")];
  locks = createLocks({ ...common, targets: targetsOf });
  tools = { ...common, decide: rememberOutcomes({ targetsOf, locks, clock }), print: () => {} };
});

afterEach(async () => {
  await locks.stop();
  await kept.close();
});

const lock = () =>
  locks.lock({ target: "blog", reason: "freeze", by: "ada", since: new Date(), until: null });

/** A push to main, each with an id and a body of its own. */
function push(id: string): Readable {
  return {
    reading: {
      ok: true,
      event: {
        kind: "push",
        repository: "octocat/blog",
        ref: { kind: "branch", name: "main" },
        deleted: false,
        commit: "c1",
        skip: false,
      },
      json: "{}",
      identity: { id, hook: "1" },
    },
    client: "192.0.2.1",
    headers: {},
    body: Buffer.from(id),
    replayOf: null,
  };
}

describe("keeping a delivery", () => {
  test("tells of it and of each deployment as it is kept", async () => {
    await keep(source, push("a"), tools);
    expect(happenings[0]).toEqual({
      kind: "delivery",
      delivery: 1,
      source: "github",
      event: "push",
      status: "ok",
      reason: null,
    });
    const told = happenings.flatMap((each) => (each.kind === "deployment" ? [each.deployment] : []));
    const inStore = await Promise.all([1, 2].map((id) => store.readDeployment(id)));
    expect(told).toEqual(inStore.filter((deployment) => deployment !== null));
    expect(told).toHaveLength(2);
  });

  test("tells of a redelivery's and a replay's deployments as they are kept", async () => {
    await keep(source, push("a"), tools);
    await keep(source, push("a"), tools);
    await keep(source, { ...push("a"), replayOf: 1 }, tools);
    const told = happenings.flatMap((each) => (each.kind === "deployment" ? [each.deployment] : []));
    for (const deployment of told.slice(-4)) {
      expect(await store.readDeployment(deployment.id)).toEqual(deployment);
    }
    const queued = told.filter(({ state }) => state === "queued");
    expect(queued.map(({ trigger }) => trigger)).toEqual([
      "push",
      "push",
      "redelivery",
      "redelivery",
      "replay",
      "replay",
    ]);
  });

  test("tells of the deployments that give way to its own", async () => {
    await keep(source, push("a"), tools);
    happenings = [];
    await keep(source, push("b"), tools);
    expect(happenings).toMatchObject([
      { kind: "delivery", delivery: 2 },
      { kind: "deployment", deployment: { id: 3, target: "blog", state: "queued" } },
      { kind: "deployment", deployment: { id: 4, target: "docs", state: "queued" } },
      {
        kind: "deployment",
        deployment: { id: 1, state: "superseded", reason: "deployment 3 is newer", delivery: 1 },
      },
      { kind: "deployment", deployment: { id: 2, state: "superseded" } },
    ]);
  });

  test("says nothing of a duplicate", async () => {
    await keep(source, push("a"), tools);
    happenings = [];
    const again = push("b");
    await keep(source, { ...again, body: Buffer.from("a") }, tools);
    expect(happenings).toEqual([]);
    expect(woken).toBe(1);
  });

  test("queues nothing for a locked target until it is unlocked, and then its newest delivery", async () => {
    await lock();
    const first = await keep(source, push("a"), tools);
    await keep(source, push("b"), tools);
    expect(first).toMatchObject({
      status: "ok",
      reason: "blog: locked by ada: freeze",
      receipt: { deployments: [{ target: "docs" }] },
    });
    expect((await locks.unlock("blog"))?.waiting).toBe(3);
    expect(await store.readDeployment(3)).toMatchObject({ target: "blog", delivery: 2, pushedCommit: "c1" });
  });

  test("misses no delivery that comes while the target is unlocked", async () => {
    await lock();
    const kept = keep(source, push("a"), tools);
    const unlocking = locks.unlock("blog");
    const later = keep(source, push("b"), tools);
    await Promise.all([kept, unlocking, later]);
    const newest = (await store.readStanding("blog", new Date())).queued ?? 0;
    expect(await store.readDeployment(newest)).toMatchObject({ delivery: 2 });
  });
});
