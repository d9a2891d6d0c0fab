import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { ServerEvent } from "../../src/domain/server-event.ts";
import type { Source } from "../../src/domain/source.ts";
import type { Store } from "../../src/domain/store.ts";
import { acceptDelivery, type ParsedDelivery } from "../../src/flow/accept-delivery.ts";
import { createLocks, type Locks } from "../../src/flow/locks.ts";
import { createRouter } from "../../src/flow/route-delivery.ts";
import { github } from "../../src/providers/github/index.ts";
import { TestClock } from "../support/clock.ts";
import { logInto } from "../support/public.ts";
import { targetOf } from "../support/target.ts";
import { openTestStore, type TestStore } from "./test-store.ts";

const source: Source = {
  name: "github",
  provider: "github",
  path: "/hook",
  handler: github.createHandler({}),
  print: false,
  keepHeaders: [],
  answer: { kind: "receipt" },
  onRedelivery: "run",
  allow: null,
};

let opened: TestStore;
let store: Store;
let events: ServerEvent[];
let wakeCount: number;
let locks: Locks;
let services: Parameters<typeof acceptDelivery>[2];

beforeEach(async () => {
  opened = await openTestStore();
  store = opened.store;
  events = [];
  wakeCount = 0;
  const clock = new TestClock();
  const common = {
    store,
    clock,
    log: logInto([]),
    publish: (event: ServerEvent) => void events.push(event),
    wakeWorker: () => void wakeCount++,
  };
  const targetsOf = () => [targetOf("blog"), targetOf("docs")];
  locks = createLocks({ ...common, targets: targetsOf });
  services = {
    ...common,
    routeDelivery: createRouter({ targetsOf, locks, clock }),
    print: () => {},
    targets: targetsOf,
  };
});

afterEach(async () => {
  await locks.stop();
  await opened.close();
});

const publishedDeployments = () =>
  events.flatMap((each) => (each.kind === "deployment" ? [each.deployment] : []));

const lock = () =>
  locks.lock({ target: "blog", reason: "freeze", by: "ada", since: new Date(), until: null });

/** A push to main with this id and body. */
function push(id: string): ParsedDelivery {
  return {
    parsed: {
      kind: "parsed",
      events: [
        {
          kind: "push",
          repository: "octocat/blog",
          ref: { kind: "branch", name: "main" },
          deleted: false,
          commit: "c1",
          skip: false,
        },
      ],
      json: "{}",
      identity: { id, hook: "1" },
    },
    client: "192.0.2.1",
    headers: {},
    body: Buffer.from(id),
    replayOf: null,
  };
}

describe("accepting a delivery", () => {
  test("publishes the delivery and each deployment as stored", async () => {
    await acceptDelivery(source, push("a"), services);
    expect(events[0]).toEqual({
      kind: "delivery",
      delivery: 1,
      source: "github",
      event: "push",
      status: "ok",
      reason: null,
    });
    const published = publishedDeployments();
    const inStore = await Promise.all([1, 2].map((id) => store.readDeployment(id)));
    expect(published).toEqual(inStore.filter((deployment) => deployment !== null));
    expect(published).toHaveLength(2);
  });

  test("publishes the deployments of a redelivery and of a replay as stored", async () => {
    await acceptDelivery(source, push("a"), services);
    await acceptDelivery(source, push("a"), services);
    await acceptDelivery(source, { ...push("a"), replayOf: 1 }, services);
    const published = publishedDeployments();
    for (const deployment of published.slice(-4)) {
      expect(await store.readDeployment(deployment.id)).toEqual(deployment);
    }
    const queued = published.filter(({ state }) => state === "queued");
    expect(queued.map(({ trigger }) => trigger)).toEqual([
      "push",
      "push",
      "redelivery",
      "redelivery",
      "replay",
      "replay",
    ]);
  });

  test("publishes the deployments that it supersedes", async () => {
    await acceptDelivery(source, push("a"), services);
    events = [];
    await acceptDelivery(source, push("b"), services);
    expect(events).toMatchObject([
      { kind: "delivery", delivery: 2 },
      { kind: "deployment", deployment: { id: 3, target: "blog", state: "queued" } },
      { kind: "deployment", deployment: { id: 4, target: "docs", state: "queued" } },
      { kind: "deployment", deployment: { id: 1, state: "superseded", delivery: 1, supersededBy: 3 } },
      { kind: "deployment", deployment: { id: 2, state: "superseded", supersededBy: 4 } },
    ]);
  });

  test("publishes nothing for a duplicate", async () => {
    await acceptDelivery(source, push("a"), services);
    events = [];
    const again = push("b");
    await acceptDelivery(source, { ...again, body: Buffer.from("a") }, services);
    expect(events).toEqual([]);
    expect(wakeCount).toBe(1);
  });

  test("queues nothing for a locked target, and its newest delivery when it is unlocked", async () => {
    await lock();
    const first = await acceptDelivery(source, push("a"), services);
    await acceptDelivery(source, push("b"), services);
    expect(first).toMatchObject({ status: "ok", receipt: { deployments: [{ target: "docs" }] } });
    if (first.kind !== "stored") throw new Error("the delivery was not stored");
    for (const part of ["blog", "ada", "freeze"]) expect(first.reason).toContain(part);
    expect((await store.readDelivery(1))?.decisions).toMatchObject([
      { target: "blog", deploy: false, code: "locked" },
      { target: "docs", deploy: true, code: null },
    ]);
    expect(first.reason).toMatchSnapshot();
    expect((await locks.unlock("blog"))?.waiting).toBe(3);
    expect(await store.readDeployment(3)).toMatchObject({ target: "blog", delivery: 2, pushedCommit: "c1" });
  });

  test("does not miss a delivery that arrives during an unlock", async () => {
    await lock();
    const accepting = acceptDelivery(source, push("a"), services);
    const unlocking = locks.unlock("blog");
    const later = acceptDelivery(source, push("b"), services);
    await Promise.all([accepting, unlocking, later]);
    const newest = (await store.readTargetStatus("blog", new Date())).queued ?? 0;
    expect(await store.readDeployment(newest)).toMatchObject({ delivery: 2 });
  });
});
