import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { Store } from "../../src/domain/store.ts";
import { type Broadcast, createBroadcast } from "../../src/flow/broadcast.ts";
import { type Followed, type FollowTools, followOutput } from "../../src/flow/follow.ts";
import { until } from "../support/until.ts";
import { deployed, type KeptStore, openKeptStore, push, SUCCEEDED } from "./kept-store.ts";
import { ManualClock } from "./manual-clock.ts";

const NOW = new Date("2026-11-21T12:00:00Z");

let kept: KeptStore;
let store: Store;
let broadcast: Broadcast;
let stop: AbortController;

beforeEach(async () => {
  kept = await openKeptStore();
  store = kept.store;
  broadcast = createBroadcast(new ManualClock());
  stop = new AbortController();
});

afterEach(() => kept.close());

const numbers = (from: number, count: number) =>
  Array.from({ length: count }, (_, at) => `line ${from + at}`);

async function append(id: number, lines: readonly string[]): Promise<void> {
  await store.appendOutput(id, lines);
  broadcast.publish({ kind: "output", deployment: id });
}

async function settle(id: number): Promise<void> {
  const { deployment } = await store.settle(id, SUCCEEDED, NOW, []);
  broadcast.publish({ kind: "deployment", deployment });
}

/** Starts the deployment of a push. */
async function run(target: string): Promise<number> {
  await push(store, target);
  const deployment = await store.claim([target], NOW);
  if (deployment !== null) broadcast.publish({ kind: "deployment", deployment });
  return deployment?.id ?? 0;
}

/** Follows in the background and collects. */
function follow(id: number, after = -1, tools: FollowTools = { store, broadcast }) {
  const got: Followed[] = [];
  const done = (async () => {
    for await (const followed of followOutput(id, after, tools, stop.signal)) got.push(followed);
  })();
  const texts = () => got.flatMap((each) => (each.kind === "line" ? [each.text] : []));
  return { got, done, texts };
}

describe("following a deployment's output", () => {
  test("gives each line once, in order, over many batches, and then the end", async () => {
    const id = await run("blog");
    await append(id, numbers(0, 1234));
    const { got, done, texts } = follow(id);
    await until(() => got.length === 1234);
    await append(id, numbers(1234, 700));
    await until(() => got.length === 1934);
    await append(id, numbers(1934, 1));
    await settle(id);
    await done;
    expect(texts()).toEqual(numbers(0, 1935));
    expect(got.slice(0, -1).map((each) => (each.kind === "line" ? each.line : null))).toEqual(
      Array.from({ length: 1935 }, (_, line) => line),
    );
    expect(got.at(-1)).toMatchObject({ kind: "end", deployment: { id, state: "succeeded" } });
  });

  test("cut in the middle and resumed gives every line once", async () => {
    const id = await run("blog");
    await append(id, numbers(0, 900));
    const seen: Followed[] = [];
    for await (const followed of followOutput(id, -1, { store, broadcast }, stop.signal)) {
      seen.push(followed);
      if (seen.length === 613) break;
    }
    await append(id, numbers(900, 100));
    await settle(id);
    const last = seen.at(-1);
    const rest = follow(id, last?.kind === "line" ? last.line : -1);
    await rest.done;
    const texts = seen.flatMap((each) => (each.kind === "line" ? [each.text] : []));
    expect([...texts, ...rest.texts()]).toEqual(numbers(0, 1000));
    expect(rest.got.at(-1)).toMatchObject({ kind: "end" });
  });

  test("misses nothing that comes between the reading and the waiting", async () => {
    const id = await run("blog");
    await append(id, numbers(0, 1));
    let reads = 0;
    const interfering: FollowTools["store"] = {
      readDeployment: store.readDeployment,
      async readOutputAfter(...asked) {
        const lines = await store.readOutputAfter(...asked);
        // Comes after what is read was read, and nothing else comes after it.
        if (lines.length === 0 && ++reads === 1) await append(id, numbers(1, 1));
        if (lines.length === 0 && reads === 2) await settle(id);
        return lines;
      },
    };
    const { got, done, texts } = follow(id, -1, { store: interfering, broadcast });
    await done;
    expect(texts()).toEqual(numbers(0, 2));
    expect(got.at(-1)).toMatchObject({ kind: "end" });
  });

  test("waits for one that is queued, and ends when a newer one takes its place", async () => {
    await deployed(store, "blog");
    await push(store, "blog");
    const { got, done } = follow(2);
    await push(store, "blog");
    const older = await store.readDeployment(2);
    if (older !== null) broadcast.publish({ kind: "deployment", deployment: older });
    await done;
    expect(got).toMatchObject([{ kind: "end", deployment: { id: 2, state: "superseded" } }]);
  });

  test("reads nothing for what happens to others", async () => {
    const id = await run("blog");
    let reads = 0;
    const counting: FollowTools["store"] = {
      readDeployment: (asked) => {
        reads++;
        return store.readDeployment(asked);
      },
      readOutputAfter: store.readOutputAfter,
    };
    const { got, done } = follow(id, -1, { store: counting, broadcast });
    await append(id, ["mine"]);
    await until(() => got.length === 1);
    const before = reads;
    await append(await run("docs"), ["theirs"]);
    await settle(id);
    await done;
    expect(reads).toBe(before + 1);
  });

  test("asks for at most 500 lines at a time, and for no more than the follower takes", async () => {
    const id = await run("blog");
    await append(id, numbers(0, 5000));
    const limits: number[] = [];
    const counting: FollowTools["store"] = {
      readDeployment: store.readDeployment,
      readOutputAfter: (deployment, after, limit) => {
        limits.push(limit);
        return store.readOutputAfter(deployment, after, limit);
      },
    };
    const followed = followOutput(id, -1, { store: counting, broadcast }, stop.signal);
    for (let taken = 0; taken < 10; taken++) await followed.next();
    await followed.return(undefined);
    expect(limits).toEqual([500]);
  });

  test("ends silently when it is told to, and for a deployment that nobody knows", async () => {
    const id = await run("blog");
    const { got, done } = follow(id);
    await append(id, ["one"]);
    await until(() => got.length === 1);
    stop.abort();
    await done;
    expect(got).toHaveLength(1);
    stop = new AbortController();
    const unknown = follow(99);
    await unknown.done;
    expect(unknown.got).toEqual([]);
  });
});
