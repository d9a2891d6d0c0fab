import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { systemClock } from "../../src/clock.ts";
import type { Ending, Interruption } from "../../src/domain/deployment.ts";
import type { Happening } from "../../src/domain/happening.ts";
import type { ProcessIo } from "../../src/domain/layout.ts";
import type { Subscriber } from "../../src/domain/notice.ts";
import type { Store } from "../../src/domain/store.ts";
import { type Assignment, createWorker, type WorkTools } from "../../src/flow/work.ts";
import { logInto } from "../support/public.ts";
import { targetOf } from "../support/target.ts";
import { until } from "../support/until.ts";
import { type KeptStore, openKeptStore, push as pushTo, SUCCEEDED } from "./kept-store.ts";

let kept: KeptStore;
let store: Store;
let log: string[];
let happenings: Happening[];
let announced: number;

beforeEach(async () => {
  kept = await openKeptStore();
  store = kept.store;
  log = [];
  happenings = [];
  announced = 0;
});

afterEach(() => kept.close());

const push = (...targets: string[]) => pushTo(store, ...targets);

function workerFor(
  names: readonly string[],
  deploy: WorkTools["deploy"],
  {
    over = {},
    subscribers = [],
    maxDeployments = 8,
  }: { over?: Partial<Store>; subscribers?: readonly Subscriber[]; maxDeployments?: number } = {},
) {
  const worker = createWorker({
    store: { ...store, ...over },
    clock: systemClock,
    log: logInto(log),
    configured: () => ({
      sources: [],
      targets: names.map((name) => targetOf(name)),
      subscribers,
      maxDeployments,
    }),
    publish: (happening) => void happenings.push(happening),
    announce: () => void announced++,
    deploy,
  });
  worker.begin();
  return worker;
}

/** Deploys until it is told to end, and ends as it is told. */
function untilAborted(_job: Assignment, { signal }: ProcessIo): Promise<Ending> {
  const { promise, resolve } = Promise.withResolvers<Ending>();
  const end = () => {
    const { kind, reason } = signal.reason as Interruption;
    resolve({ ...SUCCEEDED, state: kind, reason });
  };
  if (signal.aborted) end();
  signal.addEventListener("abort", end);
  return promise;
}

/** The states that were told of, in order. */
const toldStates = () =>
  happenings.flatMap((each) => (each.kind === "deployment" ? [each.deployment.state] : []));

/** A deployment under way that a test ends when it wants to. */
function heldDeployments() {
  const started: Assignment[] = [];
  const endings: ((ending: Ending) => void)[] = [];
  let announce: () => void = () => {};
  return {
    started,
    deploy: (job: Assignment, _io: ProcessIo) => {
      started.push(job);
      announce();
      return new Promise<Ending>((resolve) => endings.push(resolve));
    },
    end: (ending: Ending) => endings.shift()?.(ending),
    async untilStarted(count: number) {
      while (started.length < count) {
        await new Promise<void>((resolve) => {
          announce = resolve;
        });
      }
    },
  };
}

/** Lets everything else that is ready go on so many times. */
async function passTurns(turns: number): Promise<void> {
  for (let turn = 0; turn < turns; turn++) await Promise.resolve();
}

describe("the worker", () => {
  test("runs one deployment of a target at a time, and of those waiting only the newest", async () => {
    const held = heldDeployments();
    const worker = workerFor(["blog"], held.deploy);
    await push("blog");
    worker.wake();
    await held.untilStarted(1);
    for (let more = 0; more < 3; more++) await push("blog");
    worker.wake();
    held.end(SUCCEEDED);
    await held.untilStarted(2);
    held.end(SUCCEEDED);
    await worker.stop(10_000);
    expect(held.started.map(({ deployment }) => deployment.id)).toEqual([1, 4]);
    const states = await Promise.all([1, 2, 3, 4].map(async (id) => (await store.readDeployment(id))?.state));
    expect(states).toEqual(["succeeded", "superseded", "superseded", "succeeded"]);
  });

  test("runs no more at once than it may, and the next in the order they came as soon as one has ended", async () => {
    const held = heldDeployments();
    const targets = ["a", "b", "c", "d"];
    const worker = workerFor(targets, held.deploy, { maxDeployments: 2 });
    await push(...targets);
    worker.wake();
    await held.untilStarted(2);
    await passTurns(50);
    expect(held.started.map(({ target }) => target.name)).toEqual(["a", "b"]);
    held.end(SUCCEEDED);
    await held.untilStarted(3);
    expect(await store.readDeployment(4)).toMatchObject({ target: "d", state: "queued" });
    held.end(SUCCEEDED);
    await held.untilStarted(4);
    for (let left = 0; left < 2; left++) held.end(SUCCEEDED);
    await worker.stop(10_000);
    expect(held.started.map(({ target }) => target.name)).toEqual(targets);
  });

  test("takes what comes at the moment in which it stops looking", async () => {
    for (let turns = 0; turns < 10; turns++) {
      await push("blog");
      const held = heldDeployments();
      let looked = false;
      const claim: Store["claim"] = async (targets, now) => {
        if (looked) return store.claim(targets, now);
        looked = true;
        void passTurns(turns).then(() => worker.wake());
        return null;
      };
      const worker = workerFor(["blog"], held.deploy, { over: { claim } });
      await held.untilStarted(1);
      held.end(SUCCEEDED);
      await worker.stop(10_000);
    }
  });

  test("runs different targets side by side", async () => {
    const held = heldDeployments();
    const worker = workerFor(["blog", "docs"], held.deploy);
    await push("blog", "docs");
    worker.wake();
    await held.untilStarted(2);
    expect(held.started.map(({ target }) => target.name).sort()).toEqual(["blog", "docs"]);
    held.end(SUCCEEDED);
    held.end(SUCCEEDED);
    await worker.stop(10_000);
  });

  test("keeps the output in order and what is live", async () => {
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

  test("ends what still runs after its grace, and writes down that it was interrupted", async () => {
    const worker = workerFor(["blog"], untilAborted);
    await push("blog");
    worker.wake();
    await worker.stop(1);
    expect(await store.readDeployment(1)).toMatchObject({
      state: "interrupted",
      reason: "hooklatch was stopped while it ran; deployment 2 follows it",
    });
  });

  test("starts nothing more once it stops: what waits is still queued", async () => {
    const worker = workerFor(["blog"], async () => SUCCEEDED);
    await worker.stop(0);
    await push("blog");
    worker.wake();
    await worker.stop(0);
    expect(await store.readDeployment(1)).toMatchObject({ state: "queued" });
  });

  test("calls a deployment failed when a fault of ours ended it, and goes on with the next", async () => {
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
    expect(await store.readDeployment(1)).toMatchObject({
      state: "failed",
      reason: "internal error; the log has it",
    });
    expect(await store.readDeployment(2)).toMatchObject({ state: "succeeded" });
    expect(log.join("\n")).toContain("a bug");
  });

  test("ends a deployment that is cancelled, and no other, and goes on with what waits", async () => {
    const worker = workerFor(["blog", "docs"], async (job, io) =>
      job.deployment.id === 3 ? SUCCEEDED : untilAborted(job, io),
    );
    await push("blog", "docs");
    worker.wake();
    await until(() => toldStates().length === 2);
    await push("blog");
    expect(worker.cancel(1, "cancelled by ada")).toBe(true);
    await until(() => toldStates().includes("succeeded"));
    expect(await store.readDeployment(1)).toMatchObject({ state: "cancelled", reason: "cancelled by ada" });
    expect(await store.readDeployment(2)).toMatchObject({ state: "running" });
    expect(await store.readDeployment(3)).toMatchObject({ state: "succeeded" });
    await worker.stop(0);
  });

  test("cancels nothing that waits, has ended or is being written down", async () => {
    const settling = Promise.withResolvers<void>();
    const writing = Promise.withResolvers<void>();
    const worker = workerFor(["blog"], async () => SUCCEEDED, {
      over: {
        settle: async (...asked) => {
          writing.resolve();
          await settling.promise;
          return store.settle(...asked);
        },
      },
    });
    await push("blog");
    expect(worker.cancel(1, "cancelled by ada")).toBe(false);
    worker.wake();
    await writing.promise;
    expect(worker.cancel(1, "cancelled by ada")).toBe(false);
    settling.resolve();
    await worker.stop(10_000);
    expect(worker.cancel(1, "cancelled by ada")).toBe(false);
    expect(await store.readDeployment(1)).toMatchObject({ state: "succeeded", reason: null });
  });

  test("cancels nothing whose outcome stands and that is only tidied up, but a stop cuts that short", async () => {
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

  test("tells when a deployment starts, has output and has ended", async () => {
    const worker = workerFor(["blog"], async (_job, io) => {
      io.onLine("hello");
      return SUCCEEDED;
    });
    await push("blog");
    worker.wake();
    await worker.stop(10_000);
    expect(happenings).toMatchObject([
      { kind: "deployment", deployment: { id: 1, state: "running" } },
      { kind: "output", deployment: 1 },
      { kind: "deployment", deployment: { id: 1, state: "succeeded", commit: "c1" } },
    ]);
  });

  test("keeps notices of the start and of the end for those who want them", async () => {
    const status: Subscriber = { name: "status", targets: null, on: ["started", "succeeded"] };
    const chat: Subscriber = { name: "chat", targets: ["docs"], on: ["succeeded"] };
    let atWork: unknown;
    const worker = workerFor(
      ["blog"],
      async () => {
        atWork = await store.dueNotices(new Date(), 10);
        return SUCCEEDED;
      },
      { subscribers: [status, chat] },
    );
    await push("blog");
    worker.wake();
    await worker.stop(10_000);
    expect(atWork).toMatchObject([{ subscriber: "status", news: "started" }]);
    expect(await store.dueNotices(new Date(), 10)).toMatchObject([
      { subscriber: "status", news: "succeeded" },
    ]);
    expect(announced).toBe(2);
  });

  test("deploys although it cannot be noted that it started", async () => {
    const worker = workerFor(["blog"], async () => SUCCEEDED, {
      over: { noteStart: () => Promise.reject(new Error("the disk is full")) },
      subscribers: [{ name: "status", targets: null, on: ["started"] }],
    });
    await push("blog");
    worker.wake();
    await worker.stop(10_000);
    expect(await store.readDeployment(1)).toMatchObject({ state: "succeeded" });
    expect(log.join("\n")).toContain("the disk is full");
  });
});
