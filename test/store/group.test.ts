import { beforeEach, describe, expect, test } from "bun:test";
import { setImmediate } from "node:timers/promises";
import type { AcceptResult } from "../../src/domain/delivery.ts";
import type { Store } from "../../src/domain/store.ts";
import { AppError } from "../../src/lib/errors.ts";
import { type AcceptRequest, createStore, type StoreEngine } from "../../src/store/group.ts";
import { delivery, options } from "./sample.ts";

/** An engine that records its calls, and answers a group when the test says so. */
interface ManualEngine extends StoreEngine {
  /** The numbers of deliveries in each group, and the names of the other acts, in the order of the calls. */
  readonly calls: (number | string)[];
  readonly groups: PromiseWithResolvers<readonly AcceptResult[]>[];
}

function createEngine(): ManualEngine {
  const calls: (number | string)[] = [];
  const groups: PromiseWithResolvers<readonly AcceptResult[]>[] = [];
  return {
    calls,
    groups,
    acceptGroup(group: readonly AcceptRequest[]) {
      calls.push(group.length);
      const answer = Promise.withResolvers<readonly AcceptResult[]>();
      groups.push(answer);
      return answer.promise;
    },
    act: ((name: string) => {
      calls.push(name);
      return Promise.resolve([]);
    }) as StoreEngine["act"],
  };
}

let engine: ManualEngine;
let store: Store;
let settled: string[];

beforeEach(() => {
  engine = createEngine();
  store = createStore(engine);
  settled = [];
});

function accept(name: string, body: Uint8Array = new Uint8Array(1)): void {
  store.accept(delivery({ body }), options()).then(
    (result) => settled.push(`${name} ${result.kind === "stored" ? result.delivery : result.kind}`),
    (error: unknown) => settled.push(`${name} ${error instanceof AppError ? error.code : error}`),
  );
}

const stored = (...ids: readonly number[]): readonly AcceptResult[] =>
  ids.map((id) => ({ kind: "stored", delivery: id, deployments: [], superseded: [], redeliveryOf: null }));

describe("collecting accepts", () => {
  test("passes on those of one turn of the event loop together, and resolves none before its commit", async () => {
    for (const name of ["a", "b", "c"]) accept(name);
    await setImmediate();
    await setImmediate();
    expect(engine.calls).toEqual([3]);
    expect(settled).toEqual([]);
    engine.groups[0]?.resolve(stored(1, 2, 3));
    await setImmediate();
    expect(settled).toEqual(["a 1", "b 2", "c 3"]);
  });

  test("has one group under way, and collects the next one meanwhile", async () => {
    accept("a");
    await setImmediate();
    accept("b");
    await setImmediate();
    accept("c");
    await setImmediate();
    expect(engine.calls).toEqual([1]);
    engine.groups[0]?.resolve(stored(1));
    await setImmediate();
    await setImmediate();
    expect(engine.calls).toEqual([1, 2]);
    expect(settled).toEqual(["a 1"]);
  });

  test("passes on what waits before any other act", async () => {
    accept("a");
    const unlocked = store.unlock("blog", new Date());
    expect(engine.calls).toEqual([1, "unlock"]);
    accept("b");
    accept("c");
    void store.listLocks();
    expect(engine.calls).toEqual([1, "unlock", 2, "listLocks"]);
    await unlocked;
    expect(settled).toEqual([]);
    engine.groups[0]?.resolve(stored(1));
    engine.groups[1]?.resolve(stored(2, 3));
    await setImmediate();
    expect(settled).toEqual(["a 1", "b 2", "c 3"]);
  });

  test("rejects each accept of a group that fails, and none of the next", async () => {
    accept("a");
    accept("b");
    await setImmediate();
    accept("c");
    engine.groups[0]?.reject(new AppError("unavailable", "the disk is full"));
    await setImmediate();
    await setImmediate();
    engine.groups[1]?.resolve(stored(1));
    await setImmediate();
    expect(settled).toEqual(["a unavailable", "b unavailable", "c 1"]);
  });

  test("rejects accepts beyond a number of waiting ones, those under way included", async () => {
    for (let n = 0; n < 4000; n++) accept(`${n}`);
    await setImmediate();
    for (let n = 0; n < 97; n++) accept("later");
    await setImmediate();
    expect(settled).toEqual(["later unavailable"]);
    engine.groups[0]?.resolve(stored(...Array.from({ length: 4000 }, (_, n) => n)));
    await setImmediate();
    await setImmediate();
    accept("after");
    engine.groups[1]?.resolve(stored(...Array.from({ length: 96 }, (_, n) => n)));
    await setImmediate();
    await setImmediate();
    expect(engine.calls).toEqual([4000, 96, 1]);
    expect(settled.filter((text) => text.endsWith("unavailable"))).toHaveLength(1);
  });

  test("rejects accepts beyond a number of waiting bytes, those under way included", async () => {
    const large = new Uint8Array(25 * 1024 * 1024);
    for (const name of ["a", "b", "c", "d"]) accept(name, large);
    await setImmediate();
    accept("e", large);
    accept("f", large);
    accept("g");
    await setImmediate();
    expect(settled).toEqual(["f unavailable"]);
  });
});
