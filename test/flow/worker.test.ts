import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { DeploymentResult, Interruption } from "../../src/domain/deployment.ts";
import type { Fleet } from "../../src/domain/host.ts";
import type { ProcessIo } from "../../src/domain/layout.ts";
import type { NotificationSubscription } from "../../src/domain/notification.ts";
import type { ServerEvent } from "../../src/domain/server-event.ts";
import type { Store } from "../../src/domain/store.ts";
import type { DeploymentJob } from "../../src/flow/deployment-job.ts";
import { createWorker, type WorkerServices } from "../../src/flow/worker.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { targetOf } from "../support/target.ts";
import { until } from "../support/until.ts";
import { RecordedLog } from "./recorded-log.ts";
import { openTestStore, push as pushTo, SUCCEEDED, type TestStore } from "./test-store.ts";

let opened: TestStore;
let store: Store;
let log: RecordedLog;
let events: ServerEvent[];
let notifierWakeCount: number;
/** The deployments that the worker asked to revert. */
let reverted: number[];

beforeEach(async () => {
  opened = await openTestStore();
  store = opened.store;
  log = new RecordedLog();
  events = [];
  notifierWakeCount = 0;
  reverted = [];
});

afterEach(() => opened.close());

const push = (...targets: string[]) => pushTo(store, ...targets);

function workerFor(
  names: readonly string[],
  deploy: WorkerServices["deploy"],
  {
    over = {},
    subscriptions = [],
    maxDeployments = 8,
  }: {
    over?: Partial<Store>;
    subscriptions?: readonly NotificationSubscription[];
    maxDeployments?: number;
  } = {},
) {
  const worker = createWorker({
    store: { ...store, ...over },
    clock: systemClock,
    log,
    configured: () => ({
      sources: [],
      targets: names.map((name) => targetOf(name)),
      subscriptions,
      maxDeployments,
    }),
    publish: (event) => void events.push(event),
    wakeNotifier: () => void notifierWakeCount++,
    revert: async ({ deployment }) => void reverted.push(deployment),
    deploy,
  });
  worker.begin();
  return worker;
}

/** A deployment that runs until it is aborted, and finishes with the state and reason of the abort. */
function untilAborted(_job: DeploymentJob, { signal }: ProcessIo): Promise<DeploymentResult> {
  const { promise, resolve } = Promise.withResolvers<DeploymentResult>();
  const end = () => {
    const interruption = signal.reason as Interruption;
    resolve(
      interruption.kind === "cancelled"
        ? { ...SUCCEEDED, state: "cancelled", code: "cancelled", reason: interruption.reason }
        : {
            ...SUCCEEDED,
            state: "interrupted",
            code: interruption.kind === "lease lost" ? "lease_lost" : "shutdown",
          },
    );
  };
  if (signal.aborted) end();
  signal.addEventListener("abort", end);
  return promise;
}

/** The published deployment states, in order. */
const publishedStates = () =>
  events.flatMap((each) => (each.kind === "deployment" ? [each.deployment.state] : []));

/** Deployments that run until the test finishes them. */
function pendingDeployments() {
  const started: DeploymentJob[] = [];
  const resolvers: ((result: DeploymentResult) => void)[] = [];
  let onStarted: () => void = () => {};
  return {
    started,
    deploy: (job: DeploymentJob, _io: ProcessIo) => {
      started.push(job);
      onStarted();
      return new Promise<DeploymentResult>((resolve) => resolvers.push(resolve));
    },
    end: (result: DeploymentResult) => resolvers.shift()?.(result),
    async untilStarted(count: number) {
      while (started.length < count) {
        await new Promise<void>((resolve) => {
          onStarted = resolve;
        });
      }
    },
  };
}

/** Yields to pending microtasks this many times. */
async function passTurns(turns: number): Promise<void> {
  for (let turn = 0; turn < turns; turn++) await Promise.resolve();
}

describe("worker", () => {
  test("runs one deployment of a target at a time, and only the newest queued one", async () => {
    const pending = pendingDeployments();
    const worker = workerFor(["blog"], pending.deploy);
    await push("blog");
    worker.wake();
    await pending.untilStarted(1);
    for (let more = 0; more < 3; more++) await push("blog");
    worker.wake();
    pending.end(SUCCEEDED);
    await pending.untilStarted(2);
    pending.end(SUCCEEDED);
    await worker.stop(10_000);
    expect(pending.started.map(({ deployment }) => deployment.id)).toEqual([1, 4]);
    const states = await Promise.all([1, 2, 3, 4].map(async (id) => (await store.readDeployment(id))?.state));
    expect(states).toEqual(["succeeded", "superseded", "superseded", "succeeded"]);
  });

  test("limits concurrent deployments, and starts the next in queue order when one finishes", async () => {
    const pending = pendingDeployments();
    const targets = ["a", "b", "c", "d"];
    const worker = workerFor(targets, pending.deploy, { maxDeployments: 2 });
    await push(...targets);
    worker.wake();
    await pending.untilStarted(2);
    await passTurns(50);
    expect(pending.started.map(({ target }) => target.name)).toEqual(["a", "b"]);
    pending.end(SUCCEEDED);
    await pending.untilStarted(3);
    expect(await store.readDeployment(4)).toMatchObject({ target: "d", state: "queued" });
    pending.end(SUCCEEDED);
    await pending.untilStarted(4);
    for (let left = 0; left < 2; left++) pending.end(SUCCEEDED);
    await worker.stop(10_000);
    expect(pending.started.map(({ target }) => target.name)).toEqual(targets);
  });

  test("does not miss a deployment that is queued while a claim returns none", async () => {
    for (let turns = 0; turns < 10; turns++) {
      await push("blog");
      const pending = pendingDeployments();
      let claimed = false;
      const claim: Store["claim"] = async (targets, now) => {
        if (claimed) return store.claim(targets, now);
        claimed = true;
        void passTurns(turns).then(() => worker.wake());
        return null;
      };
      const worker = workerFor(["blog"], pending.deploy, { over: { claim } });
      await pending.untilStarted(1);
      pending.end(SUCCEEDED);
      await worker.stop(10_000);
    }
  });

  test("runs deployments of different targets concurrently", async () => {
    const pending = pendingDeployments();
    const worker = workerFor(["blog", "docs"], pending.deploy);
    await push("blog", "docs");
    worker.wake();
    await pending.untilStarted(2);
    expect(pending.started.map(({ target }) => target.name).sort()).toEqual(["blog", "docs"]);
    pending.end(SUCCEEDED);
    pending.end(SUCCEEDED);
    await worker.stop(10_000);
  });

  test("stores the output in order and the live release", async () => {
    const worker = workerFor(["blog"], async (_job, io) => {
      for (let line = 1; line <= 1000; line++) io.onLine(`line ${line}`);
      return SUCCEEDED;
    });
    await push("blog");
    worker.wake();
    await worker.stop(10_000);
    const output = await store.readOutput(1);
    expect(output).toEqual(Array.from({ length: 1000 }, (_, at) => `line ${at + 1}`));
    expect(await store.readLive("blog")).toMatchObject({ commit: "c1", release: "r1" });
  });

  test("interrupts deployments that still run after the grace period, and stores that state", async () => {
    const worker = workerFor(["blog"], untilAborted);
    await push("blog");
    worker.wake();
    await worker.stop(1);
    const interrupted = await store.readDeployment(1);
    expect(interrupted).toMatchObject({ state: "interrupted", code: "shutdown", retriedAs: 2 });
  });

  test("interrupts all deployments when its lease is lost, and starts none until it is regained", async () => {
    const worker = workerFor(["blog", "docs"], untilAborted);
    await push("blog");
    worker.wake();
    await until(() => publishedStates().includes("running"));
    worker.loseLease();
    await until(() => publishedStates().includes("interrupted"));
    expect(await store.readDeployment(1)).toMatchObject({ code: "lease_lost", retriedAs: 2 });
    worker.wake();
    await Bun.sleep(20);
    expect(await store.readDeployment(2)).toMatchObject({ state: "queued" });
    worker.regainLease();
    await until(() => publishedStates().filter((state) => state === "running").length === 2);
    await worker.stop(0);
  });

  test("cancels a deployment whose lease is lost, so that it is not queued again", async () => {
    const worker = workerFor(["blog"], async (job, io) => {
      const result = await untilAborted(job, io);
      await Bun.sleep(5);
      return result;
    });
    await push("blog");
    worker.wake();
    await until(() => publishedStates().includes("running"));
    worker.loseLease();
    expect(worker.cancel(1, "cancelled by ada")).toBe(true);
    await until(() => publishedStates().includes("cancelled"));
    expect(await store.readDeployment(1)).toMatchObject({ reason: "cancelled by ada", retriedAs: null });
    expect(await store.readDeployment(2)).toBeNull();
    await worker.stop(0);
  });

  test("reverts a deployment that another process has marked as interrupted, and meanwhile claims none of its target", async () => {
    const pending = pendingDeployments();
    const claimed: (readonly string[])[] = [];
    const fleet = {} as Fleet;
    const worker = workerFor(["blog", "docs"], pending.deploy, {
      over: {
        fleet,
        claim(names, now) {
          claimed.push(names);
          return store.claim(names, now);
        },
      },
    });
    await push("blog");
    worker.wake();
    await pending.untilStarted(1);
    await store.recoverInterrupted(new Date(), []);
    worker.wake();
    await until(() => claimed.some((names) => !names.includes("blog")));
    expect(await store.readDeployment(2)).toMatchObject({ state: "queued", retryOf: 1 });
    pending.end(SUCCEEDED);
    await pending.untilStarted(2);
    expect(reverted).toEqual([1]);
    expect(await store.readDeployment(1)).toMatchObject({ state: "interrupted" });
    expect(log.entries.filter(({ level }) => level === "warn")).toMatchObject([
      { fields: { deployment: 1 } },
    ]);
    pending.end(SUCCEEDED);
    await worker.stop(10_000);
  });

  test("starts nothing after it stops, and leaves deployments queued", async () => {
    const worker = workerFor(["blog"], async () => SUCCEEDED);
    await worker.stop(0);
    await push("blog");
    worker.wake();
    await worker.stop(0);
    expect(await store.readDeployment(1)).toMatchObject({ state: "queued" });
  });

  test("marks a deployment as failed after an internal error, and continues with the next", async () => {
    let calls = 0;
    const both = Promise.withResolvers<void>();
    const worker = workerFor(["blog", "docs"], async () => {
      calls++;
      if (calls === 1) throw new Error("a bug");
      both.resolve();
      return SUCCEEDED;
    });
    await push("blog", "docs");
    worker.wake();
    await both.promise;
    await worker.stop(10_000);
    const failed = await store.readDeployment(1);
    expect(failed).toMatchObject({ state: "failed", code: "internal_error" });
    expect(failed?.reason).not.toContain("a bug");
    expect(await store.readDeployment(2)).toMatchObject({ state: "succeeded" });
    const errors = log.entries.filter(({ level }) => level === "error");
    expect(errors).toMatchObject([{ fields: { deployment: 1, target: "blog", err: { message: "a bug" } } }]);
    expect([failed?.reason, errors[0]?.message]).toMatchSnapshot();
  });

  test("cancels only the given deployment, and continues with the next queued one", async () => {
    const worker = workerFor(["blog", "docs"], async (job, io) =>
      job.deployment.id === 3 ? SUCCEEDED : untilAborted(job, io),
    );
    await push("blog", "docs");
    worker.wake();
    await until(() => publishedStates().length === 2);
    await push("blog");
    expect(worker.cancel(1, "cancelled by ada")).toBe(true);
    await until(() => publishedStates().includes("succeeded"));
    expect(await store.readDeployment(1)).toMatchObject({
      state: "cancelled",
      code: "cancelled",
      reason: "cancelled by ada",
    });
    expect(await store.readDeployment(2)).toMatchObject({ state: "running" });
    expect(await store.readDeployment(3)).toMatchObject({ state: "succeeded" });
    await worker.stop(0);
  });

  test("does not cancel a deployment that is queued, finished or being saved", async () => {
    const saving = Promise.withResolvers<void>();
    const writing = Promise.withResolvers<void>();
    const worker = workerFor(["blog"], async () => SUCCEEDED, {
      over: {
        finish: async (...args) => {
          writing.resolve();
          await saving.promise;
          return store.finish(...args);
        },
      },
    });
    await push("blog");
    expect(worker.cancel(1, "cancelled by ada")).toBe(false);
    worker.wake();
    await writing.promise;
    expect(worker.cancel(1, "cancelled by ada")).toBe(false);
    saving.resolve();
    await worker.stop(10_000);
    expect(worker.cancel(1, "cancelled by ada")).toBe(false);
    expect(await store.readDeployment(1)).toMatchObject({ state: "succeeded", reason: null });
  });

  test("does not cancel a deployment during cleanup, but aborts the cleanup when it stops", async () => {
    const decided = Promise.withResolvers<void>();
    const worker = workerFor(["blog"], async (job, io) => {
      io.onDecided();
      decided.resolve();
      await untilAborted(job, io);
      return SUCCEEDED;
    });
    await push("blog");
    worker.wake();
    await decided.promise;
    expect(worker.cancel(1, "cancelled by ada")).toBe(false);
    await worker.stop(0);
    expect(await store.readDeployment(1)).toMatchObject({ state: "succeeded", reason: null });
  });

  test("publishes the start, output and end of a deployment", async () => {
    const worker = workerFor(["blog"], async (_job, io) => {
      io.onLine("hello");
      return SUCCEEDED;
    });
    await push("blog");
    worker.wake();
    await worker.stop(10_000);
    expect(events).toMatchObject([
      { kind: "deployment", deployment: { id: 1, state: "running" } },
      { kind: "output", deployment: 1 },
      { kind: "deployment", deployment: { id: 1, state: "succeeded", commit: "c1" } },
    ]);
  });

  test("queues notifications of the start and the end for matching subscriptions", async () => {
    const status: NotificationSubscription = {
      name: "status",
      targets: null,
      kinds: ["started", "succeeded"],
    };
    const chat: NotificationSubscription = { name: "chat", targets: ["docs"], kinds: ["succeeded"] };
    let dueDuringRun: unknown;
    const worker = workerFor(
      ["blog"],
      async () => {
        dueDuringRun = await store.dueNotifications(new Date(), 10);
        return SUCCEEDED;
      },
      { subscriptions: [status, chat] },
    );
    await push("blog");
    worker.wake();
    await worker.stop(10_000);
    expect(dueDuringRun).toMatchObject([{ channel: "status", kind: "started" }]);
    expect(await store.dueNotifications(new Date(), 10)).toMatchObject([
      { channel: "status", kind: "succeeded" },
    ]);
    expect(notifierWakeCount).toBe(2);
  });

  test("runs a deployment whose start notification cannot be stored", async () => {
    const worker = workerFor(["blog"], async () => SUCCEEDED, {
      over: { notifyStarted: () => Promise.reject(new Error("the disk is full")) },
      subscriptions: [{ name: "status", targets: null, kinds: ["started"] }],
    });
    await push("blog");
    worker.wake();
    await worker.stop(10_000);
    expect(await store.readDeployment(1)).toMatchObject({ state: "succeeded" });
    const warnings = log.entries.filter(({ level }) => level === "warn");
    expect(warnings).toMatchObject([{ fields: { deployment: 1, err: { message: "the disk is full" } } }]);
    expect(warnings[0]?.message).toMatchSnapshot();
  });
});
