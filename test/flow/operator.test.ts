import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { DeploymentRequest } from "../../src/domain/deployment.ts";
import type { Fleet, Host } from "../../src/domain/host.ts";
import type { ServerEvent } from "../../src/domain/server-event.ts";
import type { Store } from "../../src/domain/store.ts";
import { createLocks, type Locks } from "../../src/flow/locks.ts";
import { createOperator, type Operator } from "../../src/flow/operator.ts";
import { TestClock } from "../support/clock.ts";
import { targetOf } from "../support/target.ts";
import { numbersIn } from "../support/words.ts";
import { RecordedLog } from "./recorded-log.ts";
import { deployed, openTestStore, push, pushToLocked, type TestStore } from "./test-store.ts";

const COMMIT = "0123456789ABCDEF0123456789abcdef01234567";
const [OLD, MIDDLE, NEW] = [
  "20261119T120000Z-aaaaaaaaaaaa",
  "20261120T120000Z-bbbbbbbbbbbb",
  "20261121T120000Z-cccccccccccc",
] as const;

let opened: TestStore;
let store: Store;
let clock: TestClock;
let locks: Locks;
let log: RecordedLog;
let events: ServerEvent[];
let wakeCount: number;
/** The running deployments, and the cancellations requested from the worker. */
let running: Set<number>;
let cancellations: { readonly id: number; readonly reason: string }[];
let operator: Operator;
/** Creates an operator over a changed store. */
let operatorOver: (over: Partial<Store>) => Operator;

beforeEach(async () => {
  opened = await openTestStore();
  store = opened.store;
  clock = new TestClock();
  log = new RecordedLog();
  events = [];
  wakeCount = 0;
  running = new Set();
  cancellations = [];
  const services = {
    store,
    clock,
    log,
    publish: (event: ServerEvent) => void events.push(event),
  };
  const wake = () => void wakeCount++;
  const targets = [
    targetOf("blog"),
    targetOf("tree", { layout: "worktree" }),
    targetOf("job", { repository: null }),
    targetOf("empty"),
  ];
  locks = createLocks({ ...services, targets: () => targets, wakeWorker: wake });
  operatorOver = (over) =>
    createOperator({
      ...services,
      store: { ...store, ...over },
      targets: () => targets,
      locks,
      worker: {
        wake,
        cancel(id, reason) {
          if (running.has(id)) cancellations.push({ id, reason });
          return running.has(id);
        },
      },
      releasesOf: async ({ name, layout }) => {
        if (layout !== "releases") return null;
        return name === "blog" ? [NEW, MIDDLE, OLD] : [];
      },
    });
  operator = operatorOver({});
});

afterEach(async () => {
  await locks.stop();
  await opened.close();
});

const tip = { commit: null, force: false };
const ada = { reason: "release freeze", by: "ada", milliseconds: null };

/** The reason of an outcome; null when it has none. */
function reasonOf(outcome: object): string | null {
  return "reason" in outcome && typeof outcome.reason === "string" ? outcome.reason : null;
}

/** The number of deployments in the store. */
async function count(): Promise<number> {
  let id = 0;
  while ((await store.readDeployment(id + 1)) !== null) id++;
  return id;
}

describe("target deploy", () => {
  test("queues a deployment of the tip, publishes it, and wakes the worker", async () => {
    expect(await operator.deploy("blog", tip)).toMatchObject({ kind: "queued", deployments: [{ id: 1 }] });
    expect(await store.readDeployment(1)).toMatchObject({
      target: "blog",
      state: "queued",
      trigger: "manual",
      choice: null,
      delivery: null,
    });
    expect(events).toMatchObject([{ kind: "deployment", deployment: { id: 1, state: "queued" } }]);
    expect(wakeCount).toBe(1);
    expect(log.entries).toMatchObject([{ level: "info", fields: { target: "blog", deployment: 1 } }]);
  });

  test("accepts a commit in any case, and stores it in lower case", async () => {
    await operator.deploy("blog", { commit: COMMIT, force: false });
    expect(await store.readDeployment(1)).toMatchObject({
      choice: { kind: "commit", commit: COMMIT.toLowerCase() },
    });
  });

  test.each(["", "abc", "abcdef", "g123456", "--upload-pack=x", "main", `${"a".repeat(65)}`, "abcdef0\n"])(
    "rejects the commit %j and queues nothing",
    async (commit) => {
      expect(await operator.deploy("blog", { commit, force: false })).toMatchObject({ kind: "impossible" });
      expect([await count(), wakeCount, events]).toEqual([0, 0, []]);
    },
  );

  test("rejects a commit for a target without a repository, and deploys the target without a commit", async () => {
    const outcome = await operator.deploy("job", { commit: COMMIT, force: false });
    expect(outcome).toMatchObject({ kind: "impossible" });
    expect(reasonOf(outcome)).toContain("job");
    expect(reasonOf(outcome)).toMatchSnapshot();
    expect(await operator.deploy("job", tip)).toMatchObject({ kind: "queued", deployments: [{ id: 1 }] });
  });

  test("rejects a locked target unless it is forced", async () => {
    await operator.lock("blog", ada);
    wakeCount = 0;
    const outcome = await operator.deploy("blog", tip);
    expect(outcome).toMatchObject({ kind: "locked" });
    for (const part of ["ada", "release freeze"]) expect(reasonOf(outcome)).toContain(part);
    expect(reasonOf(outcome)).toMatchSnapshot();
    expect([await count(), wakeCount]).toEqual([0, 0]);
    expect(await operator.deploy("blog", { commit: null, force: true })).toMatchObject({ kind: "queued" });
    expect(await store.claim(["blog"], clock.now())).toMatchObject({ id: 1, state: "running" });
  });

  test("rejects unknown targets", async () => {
    expect(await operator.deploy("unknown", tip)).toEqual({ kind: "unknown target" });
    expect(await operator.rollback("unknown", null)).toEqual({ kind: "unknown target" });
    expect(await operator.lock("unknown", ada)).toEqual({ kind: "unknown target" });
    expect(await operator.unlock("unknown")).toEqual({ kind: "unknown target" });
    expect([await count(), await store.listLocks(), events]).toEqual([0, [], []]);
  });
});

describe("target rollback", () => {
  test("queues a rollback to the previous release, even if the target is locked", async () => {
    await deployed(store, "blog", { release: NEW });
    await operator.lock("blog", ada);
    expect(await operator.rollback("blog", null)).toMatchObject({ kind: "queued", deployments: [{ id: 2 }] });
    expect(await store.readDeployment(2)).toMatchObject({
      trigger: "rollback",
      choice: { kind: "release", release: null },
    });
    expect(wakeCount).toBe(1);
  });

  test("queues a rollback to a named release", async () => {
    expect(await operator.rollback("blog", OLD)).toMatchObject({ kind: "queued", deployments: [{ id: 1 }] });
    expect(await store.readDeployment(1)).toMatchObject({ choice: { kind: "release", release: OLD } });
  });

  test("rejects a release that is not on disk, and lists the available releases", async () => {
    const outcome = await operator.rollback("blog", "../../etc");
    expect(outcome).toMatchObject({ kind: "impossible" });
    for (const release of ["../../etc", NEW, MIDDLE, OLD]) expect(reasonOf(outcome)).toContain(release);
    expect(reasonOf(outcome)).toMatchSnapshot();
    expect(await count()).toBe(0);
  });

  test("rejects a rollback when there is no previous release", async () => {
    await deployed(store, "blog", { release: OLD });
    const outcome = await operator.rollback("blog", null);
    expect(outcome).toMatchObject({ kind: "impossible" });
    expect(reasonOf(outcome)).toContain(OLD);
    const empty = await operator.rollback("empty", null);
    expect(empty).toMatchObject({ kind: "impossible" });
    expect([reasonOf(outcome), reasonOf(empty)]).toMatchSnapshot();
    expect(await count()).toBe(1);
  });

  test("rejects a layout without releases and suggests a command", async () => {
    const outcomes = [await operator.rollback("tree", null), await operator.rollback("job", null)];
    expect(outcomes).toMatchObject([{ kind: "impossible" }, { kind: "impossible" }]);
    const reasons = outcomes.map(reasonOf);
    expect(reasons[0]).toContain("worktree");
    expect(reasons[0]).toContain("hooklatch target deploy tree --commit");
    expect(reasons[1]).toContain("job");
    expect(reasons).toMatchSnapshot();
    expect(await count()).toBe(0);
  });
});

describe("target rollback on several hosts", () => {
  const hostOf = (name: string, releases: readonly string[] | null): Host => ({
    ...{ name, version: "1", since: clock.now(), seenAt: clock.now(), state: "up", isDraining: false },
    targets: releases === null ? [] : [{ name: "blog", releases }],
  });
  const fleetOf = (...hosts: Host[]) => ({ listHosts: async () => hosts }) as unknown as Fleet;
  const requests: DeploymentRequest[] = [];
  const queueDeployment: Store["queueDeployment"] = (request, now) => {
    requests.push(request);
    return store.queueDeployment(request, now);
  };
  const readLive: Store["readLive"] = async () => ({ commit: "c", release: NEW, since: clock.now() });

  beforeEach(() => requests.splice(0));

  test("includes the hosts that have a release to roll back to", async () => {
    const fleet = fleetOf(hostOf("web-1", [NEW]), hostOf("web-2", [NEW, OLD]), hostOf("web-3", null));
    const operator = operatorOver({ fleet, queueDeployment, readLive });
    expect(await operator.rollback("blog", null)).toMatchObject({ kind: "queued" });
    expect(requests).toMatchObject([{ placement: { hosts: ["web-2"], rollout: "together" } }]);
    expect(await operator.rollback("blog", NEW)).toMatchObject({ kind: "queued" });
    expect(requests[1]).toMatchObject({ placement: { hosts: ["web-1", "web-2"] } });
  });

  test("is rejected where no host has one", async () => {
    const operator = operatorOver({ fleet: fleetOf(hostOf("web-1", [NEW])), queueDeployment, readLive });
    expect(await operator.rollback("blog", null)).toMatchObject({ kind: "impossible" });
    expect(await operator.rollback("empty", null)).toMatchObject({ kind: "impossible" });
    expect(requests).toEqual([]);
  });
});

describe("deployment cancel", () => {
  test("cancels a queued deployment and publishes it", async () => {
    await push(store, "blog");
    const outcome = await operator.cancel(1, "ada");
    const cancelled = { id: 1, state: "cancelled", code: "cancelled" } as const;
    expect(outcome).toMatchObject({ kind: "cancelled", deployment: cancelled });
    expect(await store.readDeployment(1)).toMatchObject(cancelled);
    expect(events).toMatchObject([{ kind: "deployment", deployment: cancelled }]);
    const reason = (await store.readDeployment(1))?.reason;
    expect(reason).toContain("ada");
    expect(reason).toMatchSnapshot();
    expect(await store.claim(["blog"], clock.now())).toBeNull();
  });

  test("asks the worker to cancel a running deployment", async () => {
    await push(store, "blog");
    await store.claim(["blog"], clock.now());
    running.add(1);
    expect(await operator.cancel(1, "ada")).toMatchObject({
      kind: "cancelling",
      deployment: { id: 1, state: "running" },
    });
    expect(cancellations).toEqual([{ id: 1, reason: expect.stringContaining("ada") }]);
    expect(cancellations[0]?.reason).toMatchSnapshot();
  });

  test("ends what runs here also while the store does not answer", async () => {
    await push(store, "blog");
    await store.claim(["blog"], clock.now());
    running.add(1);
    const over = { cancelQueued: untilNever, readDeployment: untilNever };
    void operatorOver(over).cancel(1, "ada");
    expect(cancellations).toEqual([{ id: 1, reason: "cancelled by ada" }]);
  });

  test("asks the host of a deployment that runs elsewhere to cancel it", async () => {
    await push(store, "blog");
    const running = await store.claim(["blog"], clock.now());
    if (running === null) throw new Error("nothing to claim");
    const requests: [number, string][] = [];
    const fleet = {
      requestCancel: async (id: number, reason: string) => requests.push([id, reason]) === 1,
    } as unknown as Fleet;
    const elsewhere = { ...running, host: "web-2" };
    const operator = operatorOver({ fleet, readDeployment: async () => elsewhere });
    expect(await operator.cancel(1, "ada")).toEqual({ kind: "cancelling", deployment: elsewhere });
    expect(requests).toEqual([[1, "cancelled by ada"]]);
    // It has ended meanwhile.
    expect(await operator.cancel(1, "ada")).toMatchObject({ kind: "ended" });
    expect(cancellations).toEqual([]);
  });

  test("changes nothing for a finished or unknown deployment", async () => {
    await deployed(store, "blog");
    expect(await operator.cancel(1, "ada")).toMatchObject({
      kind: "ended",
      deployment: { id: 1, state: "succeeded" },
    });
    expect(await operator.cancel(2, "ada")).toEqual({ kind: "unknown deployment" });
    expect([events, cancellations, log.entries]).toEqual([[], [], []]);
  });
});

describe("target lock and unlock", () => {
  test("locks for a duration of any length, or without an end time", async () => {
    const since = clock.now();
    expect(await operator.lock("blog", { ...ada, milliseconds: 7_200_000 })).toEqual({
      kind: "locked",
      lock: {
        target: "blog",
        reason: "release freeze",
        by: "ada",
        since,
        until: new Date("2026-11-21T14:00:00Z"),
      },
      replaced: null,
    });
    const replaced = { by: ada.by, reason: ada.reason, until: new Date("2026-11-21T14:00:00Z") };
    expect(await operator.lock("blog", ada)).toMatchObject({ lock: { until: null }, replaced });
    const endless = await operator.lock("blog", { ...ada, milliseconds: 999_999_999 * 86_400_000 });
    expect(endless.kind === "locked" && endless.lock.until?.toISOString()).toStartWith("+275760");
  });

  test("unlocks and returns the deployment of the blocked delivery", async () => {
    await operator.lock("blog", ada);
    await pushToLocked(store, "blog");
    const outcome = await operator.unlock("blog");
    expect(outcome).toMatchObject({ kind: "unlocked", deployment: 1 });
    expect(numbersIn(reasonOf(outcome))).toEqual([1]);
    expect(reasonOf(outcome)).toMatchSnapshot();
    expect(await operator.unlock("blog")).toEqual({ kind: "not locked" });
  });

  test("unlocks and explains which deployment runs next, or why none does", async () => {
    const unlock = async () => {
      await operator.lock("blog", ada);
      return operator.unlock("blog");
    };
    const outcomes = [await unlock()];
    await push(store, "blog");
    outcomes.push(await unlock());
    await operator.lock("blog", ada);
    await pushToLocked(store, "blog");
    clock.set(new Date(Date.now() + 60_000));
    await operator.deploy("blog", { commit: null, force: true });
    outcomes.push(await operator.unlock("blog"));
    await operator.cancel(2, "ada");
    await operator.lock("blog", ada);
    await pushToLocked(store, "blog");
    await push(store, "blog");
    await operator.cancel(3, "ada");
    outcomes.push(await operator.unlock("blog"));
    expect(outcomes).toMatchObject([
      { kind: "unlocked", deployment: null },
      { kind: "unlocked", deployment: 1 },
      { kind: "unlocked", deployment: 2 },
      { kind: "unlocked", deployment: null },
    ]);
    const reasons = outcomes.map(reasonOf);
    expect(reasons.map(numbersIn)).toEqual([[], [1], [2, 2], [3]]);
    expect(reasons).toMatchSnapshot();
  });

  test("unlocks a target that is no longer configured, and reports it as unknown afterwards", async () => {
    await locks.lock({ target: "removed", reason: "freeze", by: "ada", since: clock.now(), until: null });
    const outcome = await operator.unlock("removed");
    expect(outcome).toMatchObject({ kind: "unlocked", deployment: null });
    expect(reasonOf(outcome)).toMatchSnapshot();
    expect(await operator.unlock("removed")).toEqual({ kind: "unknown target" });
  });
});

describe("client revoke", () => {
  test("revokes the client and publishes it", async () => {
    const client = {
      source: "webhook",
      address: "192.0.2.1",
      authorisedAt: clock.now(),
      expiresAt: new Date(clock.now().getTime() + 1000),
    };
    await store.authorise(client);
    expect(await operator.revoke("192.0.2.9", null)).toEqual([]);
    expect(events).toEqual([]);
    expect(await operator.revoke("192.0.2.1", null)).toMatchObject([{ source: "webhook" }]);
    expect(await store.findClient("webhook", "192.0.2.1")).toBeNull();
    expect(events).toEqual([{ kind: "client", source: "webhook", address: "192.0.2.1", change: "revoked" }]);
  });
});

function untilNever(): Promise<never> {
  return new Promise(() => {});
}
