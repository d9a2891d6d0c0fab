import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { OutputLine } from "../../src/domain/deployment.ts";
import type { Store } from "../../src/domain/store.ts";
import { createEventBus, type EventBus } from "../../src/flow/event-bus.ts";
import { type Followed, followOutput } from "../../src/flow/follow.ts";
import { TestClock } from "../support/clock.ts";
import { until } from "../support/until.ts";
import { deployed, openTestStore, push, SUCCEEDED, type TestStore } from "./test-store.ts";

type FollowStore = Parameters<typeof followOutput>[2]["store"];

const NOW = new Date("2026-11-21T12:00:00Z");

let opened: TestStore;
let store: Store;
let eventBus: EventBus;
let stop: AbortController;

beforeEach(async () => {
  opened = await openTestStore();
  store = opened.store;
  eventBus = createEventBus(new TestClock());
  stop = new AbortController();
});

afterEach(() => opened.close());

const numbers = (from: number, count: number) =>
  Array.from({ length: count }, (_, at) => `line ${from + at}`);

async function append(id: number, lines: readonly string[]): Promise<void> {
  await store.appendOutput(id, lines);
  eventBus.publish({ kind: "output", deployment: id });
}

async function finish(id: number): Promise<void> {
  const { deployment } = await store.finish(id, SUCCEEDED, NOW, []);
  eventBus.publish({ kind: "deployment", deployment });
}

/** Starts the deployment of a push. */
async function run(target: string): Promise<number> {
  await push(store, target);
  const deployment = await store.claim([target], NOW);
  if (deployment !== null) eventBus.publish({ kind: "deployment", deployment });
  return deployment?.id ?? 0;
}

/** One line, or the end. */
type FollowedLine = ({ readonly kind: "line" } & OutputLine) | Extract<Followed, { kind: "end" }>;

function flatten(followed: Followed): readonly FollowedLine[] {
  if (followed.kind === "end") return [followed];
  return followed.lines.map((line) => ({ kind: "line", ...line }));
}

/** Follows in the background and collects the results. */
function follow(id: number, after = -1, services = { store: store as FollowStore, eventBus }) {
  const results: FollowedLine[] = [];
  const done = (async () => {
    for await (const followed of followOutput(id, after, services, stop.signal)) {
      results.push(...flatten(followed));
    }
  })();
  const texts = () => results.flatMap((each) => (each.kind === "line" ? [each.text] : []));
  return { results, done, texts };
}

describe("following the output of a deployment", () => {
  test("yields batches of at most 64 KiB, and a longer line alone", async () => {
    const id = await run("blog");
    const lengths = [30_000, 30_000, 30_000, 90_000, 10, 0, 10];
    await append(
      id,
      lengths.map((length) => "x".repeat(length)),
    );
    await finish(id);
    const batches: number[][] = [];
    for await (const followed of followOutput(id, -1, { store, eventBus }, stop.signal)) {
      if (followed.kind === "lines") batches.push(followed.lines.map(({ text }) => text.length));
    }
    expect(batches).toEqual([[30_000, 30_000], [30_000], [90_000], [10, 0, 10]]);
  });

  test("returns each line once, in order, across many batches, and then the end", async () => {
    const id = await run("blog");
    await append(id, numbers(0, 1234));
    const { results, done, texts } = follow(id);
    await until(() => results.length === 1234);
    await append(id, numbers(1234, 700));
    await until(() => results.length === 1934);
    await append(id, numbers(1934, 1));
    await finish(id);
    await done;
    expect(texts()).toEqual(numbers(0, 1935));
    expect(results.slice(0, -1).map((each) => (each.kind === "line" ? each.line : null))).toEqual(
      Array.from({ length: 1935 }, (_, line) => line),
    );
    expect(results.at(-1)).toMatchObject({ kind: "end", deployment: { id, state: "succeeded" } });
  });

  test("returns every line once when it is interrupted and resumed", async () => {
    const id = await run("blog");
    await append(id, numbers(0, 900));
    const seen: FollowedLine[] = [];
    for await (const followed of followOutput(id, -1, { store, eventBus }, stop.signal)) {
      seen.push(...flatten(followed).slice(0, 113));
      break;
    }
    await append(id, numbers(900, 100));
    await finish(id);
    const last = seen.at(-1);
    const rest = follow(id, last?.kind === "line" ? last.line : -1);
    await rest.done;
    const texts = seen.flatMap((each) => (each.kind === "line" ? [each.text] : []));
    expect([...texts, ...rest.texts()]).toEqual(numbers(0, 1000));
    expect(rest.results.at(-1)).toMatchObject({ kind: "end" });
  });

  test("does not miss events between reading and waiting", async () => {
    const id = await run("blog");
    await append(id, numbers(0, 1));
    let reads = 0;
    const interfering: FollowStore = {
      readDeployment: store.readDeployment,
      async readOutputAfter(...args) {
        const lines = await store.readOutputAfter(...args);
        // Arrives after the read, and no other event follows it.
        if (lines.length === 0 && ++reads === 1) await append(id, numbers(1, 1));
        if (lines.length === 0 && reads === 2) await finish(id);
        return lines;
      },
    };
    const { results, done, texts } = follow(id, -1, { store: interfering, eventBus });
    await done;
    expect(texts()).toEqual(numbers(0, 2));
    expect(results.at(-1)).toMatchObject({ kind: "end" });
  });

  test("waits for a queued deployment, and ends when a newer one supersedes it", async () => {
    await deployed(store, "blog");
    await push(store, "blog");
    const { results, done } = follow(2);
    await push(store, "blog");
    const older = await store.readDeployment(2);
    if (older !== null) eventBus.publish({ kind: "deployment", deployment: older });
    await done;
    expect(results).toMatchObject([{ kind: "end", deployment: { id: 2, state: "superseded" } }]);
  });

  test("does not read the store for events of other deployments", async () => {
    const id = await run("blog");
    let reads = 0;
    const counting: FollowStore = {
      readDeployment: (deployment) => {
        reads++;
        return store.readDeployment(deployment);
      },
      readOutputAfter: store.readOutputAfter,
    };
    const { results, done } = follow(id, -1, { store: counting, eventBus });
    await append(id, ["own line"]);
    await until(() => results.length === 1);
    const before = reads;
    await append(await run("docs"), ["other line"]);
    await finish(id);
    await done;
    expect(reads).toBe(before + 1);
  });

  test("reads at most 500 lines at a time, and no more than are consumed", async () => {
    const id = await run("blog");
    await append(id, numbers(0, 5000));
    const limits: number[] = [];
    const counting: FollowStore = {
      readDeployment: store.readDeployment,
      readOutputAfter: (deployment, after, limit) => {
        limits.push(limit);
        return store.readOutputAfter(deployment, after, limit);
      },
    };
    const followed = followOutput(id, -1, { store: counting, eventBus }, stop.signal);
    for (let taken = 0; taken < 3; taken++) await followed.next();
    await followed.return(undefined);
    expect(limits).toEqual([500, 500, 500]);
  });

  test("returns no end event when it is aborted or the deployment is unknown", async () => {
    const id = await run("blog");
    const { results, done } = follow(id);
    await append(id, ["one"]);
    await until(() => results.length === 1);
    stop.abort();
    await done;
    expect(results).toHaveLength(1);
    stop = new AbortController();
    const unknown = follow(99);
    await unknown.done;
    expect(unknown.results).toEqual([]);
  });
});
