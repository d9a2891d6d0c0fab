import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { setImmediate, setTimeout } from "node:timers/promises";
import { AppError } from "../../src/lib/errors.ts";
import { startThread, type Thread, type ThreadListeners } from "../../src/runtime/index.ts";
import { openSqlite } from "../../src/store/sqlite/index.ts";
import { startStoreThread } from "../../src/store/thread/index.ts";
import { type Message, SHARED_BYTES } from "../../src/store/thread/protocol.ts";
import { startTestThread } from "../support/store-thread.ts";
import { makeDirectory } from "./directory.ts";
import { at, COMMIT_A, delivery, keep, options, pushFor, rejection } from "./sample.ts";

setDefaultTimeout(60_000);

let directory: Awaited<ReturnType<typeof makeDirectory>>;

beforeEach(async () => {
  directory = await makeDirectory();
});
afterEach(() => directory.remove());

describe("a store in a thread", () => {
  test("accepts groups that fit into the shared memory, and larger ones", async () => {
    const store = await startTestThread().open(directory.path);
    for (const sizes of [[10, 20], [SHARED_BYTES - 20, 20], [SHARED_BYTES, 1], [6_000_000], [30, 40]]) {
      const bodies = sizes.map((size) => new Uint8Array(randomBytes(size)));
      const receipts = await Promise.all(bodies.map((body) => keep(store, delivery({ body }))));
      for (const [n, receipt] of receipts.entries()) {
        expect((await store.readDelivery(receipt.delivery))?.body).toEqual(bodies[n] as Uint8Array);
      }
    }
    await store.close();
  });

  test("accepts a group while another one is under way", async () => {
    const store = await startTestThread().open(directory.path);
    const bodies = Array.from({ length: 60 }, () => new Uint8Array(randomBytes(5000)));
    const receipts = await Promise.all(
      bodies.map(async (body, n) => {
        const kept = keep(store, delivery({ body }));
        // Passes on what waits.
        if (n % 7 === 0) void store.listLocks();
        return kept;
      }),
    );
    expect(receipts.map((receipt) => receipt.delivery)).toEqual(bodies.map((_, n) => n + 1));
    for (const [n, body] of bodies.entries()) expect((await store.readDelivery(n + 1))?.body).toEqual(body);
    await store.close();
  });

  test("rejects with the errors of the store, with code, message and cause", async () => {
    const holder = await openSqlite(directory.path);
    const thread = startTestThread();
    const taken = await rejection(thread.open(directory.path));
    thread.end();
    expect(taken).toBeInstanceOf(AppError);
    expect(taken).toMatchObject({ code: "failed" });
    expect(taken.message).toContain(String(process.pid));
    await holder.close();

    const store = await startTestThread().open(directory.path);
    const internal = await rejection(store.appendOutput(999, ["lost"]));
    expect(internal).not.toBeInstanceOf(AppError);
    expect(internal.message).toContain("FOREIGN KEY");
    await store.close();
  });

  test("takes subscriptions that are channels with functions, and goes on after an argument that cannot be copied", async () => {
    const store = await startTestThread().open(directory.path);
    const channel = {
      name: "hook",
      targets: null,
      kinds: ["failed"] as const,
      send: () => Promise.resolve(),
    };
    expect(await store.recoverInterrupted(at(0), [channel])).toEqual([]);
    const uncopiable = { target: () => {} } as never;
    expect((await rejection(store.lock(uncopiable))).name).toBe("DataCloneError");
    expect(await store.listLocks()).toEqual([]);
    await store.close();
  });

  test("commits what waits before it closes, and rejects every later call as unavailable", async () => {
    const store = await startTestThread().open(directory.path);
    const accepted = keep(store, pushFor("blog"), { pushedCommit: COMMIT_A });
    await store.close();
    expect(await accepted).toMatchObject({ delivery: 1 });
    expect(await rejection(store.readDelivery(1))).toMatchObject({ code: "unavailable" });
    expect(await rejection(keep(store, delivery()))).toMatchObject({ code: "unavailable" });
    await store.close();
    const again = await openSqlite(directory.path);
    expect(await again.readDelivery(1)).toMatchObject({ id: 1, deployments: [1] });
    await again.close();
  });

  test("leaves no lock behind when it is ended before it is opened", async () => {
    startTestThread().end();
    const store = await startTestThread().open(directory.path);
    expect(await store.claim(["blog"], at(0))).toBeNull();
    await store.close();
  });
});

describe("a thread that dies", () => {
  test("rejects the calls that wait and all later ones as unavailable, and is reported", async () => {
    let real: Thread | undefined;
    const thread = startStoreThread((listeners) => {
      real = startThread("store/thread/main.ts", listeners);
      return real;
    });
    const store = await thread.open(directory.path);
    const before = await keep(store, delivery({ body: Buffer.from("before") }));
    const waiting = Array.from({ length: 20 }, () => store.accept(delivery(), options()));
    const reading = store.readDelivery(1);
    real?.end();
    const outcomes = await Promise.allSettled([...waiting, reading]);
    for (const outcome of outcomes) {
      expect(outcome).toMatchObject({ status: "rejected", reason: { code: "unavailable" } });
    }
    expect(await thread.failed).toEqual(expect.any(String));
    const later = await Promise.allSettled([store.accept(delivery(), options()), store.probe(at(0))]);
    for (const outcome of later) {
      expect(outcome).toMatchObject({ status: "rejected", reason: { code: "unavailable" } });
    }
    expect(before.delivery).toBe(1);
  });

  test("is reported with its cause when a module of it throws", async () => {
    const thread = startStoreThread((listeners) => startThread("store/thread/missing.ts", listeners));
    const [opened] = await Promise.allSettled([thread.open(directory.path)]);
    expect(opened).toMatchObject({ status: "rejected", reason: { code: "unavailable" } });
    expect(await thread.failed).toContain("missing.ts");
  });

  test("is not reported when it was ended on purpose", async () => {
    const thread = startTestThread();
    const store = await thread.open(directory.path);
    await store.close();
    const outcome = await Promise.race([thread.failed, setTimeout(100, "nothing")]);
    expect(outcome).toBe("nothing");
  });
});

describe("the reply to a group", () => {
  test("is what resolves its accepts", async () => {
    const sent: Message[] = [];
    let listeners: ThreadListeners | undefined;
    const thread = startStoreThread((given) => {
      listeners = given;
      return { post: (message) => sent.push(message as Message), end: () => {} };
    });
    const opening = thread.open(directory.path);
    listeners?.onMessage({ kind: "done", value: null });
    const store = await opening;
    let isAnswered = false;
    void store.accept(delivery(), options()).then(() => {
      isAnswered = true;
    });
    await setImmediate();
    await setTimeout(20);
    expect(sent.map((message) => (typeof message === "string" ? "group" : message.kind))).toEqual([
      "open",
      "group",
    ]);
    expect(isAnswered).toBe(false);
    listeners?.onMessage("[1]");
    await setImmediate();
    expect(isAnswered).toBe(true);
  });
});
