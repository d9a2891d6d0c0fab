import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../src/clock.ts";
import type { Ending, Interruption } from "../../src/domain/deployment.ts";
import type { ProcessIo } from "../../src/domain/layout.ts";
import type { Store } from "../../src/domain/store.ts";
import { createWorker, type Job, type WorkTools } from "../../src/flow/work.ts";
import { stores } from "../../src/store/index.ts";
import { logInto } from "../support/public.ts";
import { targetOf } from "../support/target.ts";

const SUCCEEDED: Ending = {
  state: "succeeded",
  reason: null,
  branch: "main",
  commit: "c1",
  release: "r1",
  steps: [],
};

let directory: string;
let store: Store;
let log: string[];

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "hooklatch-test-"));
  store = await stores.sqlite(directory);
  log = [];
});

afterEach(async () => {
  await store.close();
  rmSync(directory, { recursive: true });
});

/** Keeps a delivery that asks for a deployment of each of these targets. */
async function push(...targets: string[]): Promise<void> {
  await store.accept(
    {
      source: "github",
      event: "push",
      status: "ok",
      reason: null,
      receivedAt: new Date(),
      client: "192.0.2.1",
      identity: null,
      headers: {},
      body: new Uint8Array(),
      decisions: targets.map((target) => ({ target, deploy: true, reason: null })),
    },
    { pushedCommit: null, onRedelivery: "run", compare: false, replayOf: null },
  );
}

function workerFor(names: readonly string[], deploy: WorkTools["deploy"]) {
  const targets = names.map((name) => targetOf(name));
  return createWorker({ store, clock: systemClock, log: logInto(log), sources: [], targets, deploy });
}

/** A deployment under way that a test ends when it wants to. */
function heldDeployments() {
  const started: Job[] = [];
  const endings: ((ending: Ending) => void)[] = [];
  let announce: () => void = () => {};
  return {
    started,
    deploy: (job: Job, _io: ProcessIo) => {
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
    const worker = workerFor(["blog"], (_job, io) => {
      const { promise, resolve } = Promise.withResolvers<Ending>();
      io.signal.addEventListener("abort", () => {
        const { kind, reason } = io.signal.reason as Interruption;
        resolve({ ...SUCCEEDED, state: kind, reason });
      });
      return promise;
    });
    await push("blog");
    worker.wake();
    await worker.stop(1);
    expect(await store.readDeployment(1)).toMatchObject({
      state: "interrupted",
      reason: "hooklatch was stopped while it ran",
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
});
