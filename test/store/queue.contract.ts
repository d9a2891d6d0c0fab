import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { MAX_QUEUED } from "../../src/domain/deployment.ts";
import type { Store } from "../../src/domain/store.ts";
import type { OpenedStore } from "./opened-store.ts";
import { at, keep, onlyDeployment, options, pushFor, request, success } from "./sample.ts";

const ALL = { queueAll: ["job"] };

/** The contract of every store for `queue = "all"`. */
export function queueContract(open: () => Promise<OpenedStore>): void {
  describe("a target that queues all deliveries", () => {
    let opened: OpenedStore;
    let store: Store;

    beforeEach(async () => {
      opened = await open();
      store = opened.store;
    });

    afterEach(() => opened.close());

    const add = async () => onlyDeployment(await keep(store, pushFor("job"), ALL));
    const claim = async () => (await store.claim(["job"], at(1)))?.id ?? null;

    test("supersedes none and runs them in order, one at a time", async () => {
      const ids = [await add(), await add(), await add()];
      const run: (number | null)[] = [];
      for (const id of ids) {
        run.push(await claim());
        expect(await claim()).toBeNull();
        await store.finish(id, success("a".repeat(40)), at(2), []);
      }
      expect(run).toEqual(ids);
      expect(await claim()).toBeNull();
    });

    test("keeps what is queued also beside a deployment by hand", async () => {
      const first = await add();
      const manual = await store.queueDeployment(request("job", { queueAll: true }), at(1));
      const latest = await store.queueDeployment(request("job"), at(1));
      expect([manual.superseded, latest.superseded]).toEqual([[], []]);
      expect((await store.readDeployment(first))?.state).toBe("queued");
    });

    test.each(["crash", "shutdown"] as const)(
      "repeats one interrupted by a %s before the later ones",
      async (cause) => {
        const [first, second] = [await add(), await add()];
        expect(await claim()).toBe(first);
        const nothing = {
          branch: null,
          commit: null,
          release: null,
          reason: null,
          subject: null,
          author: null,
          commitUrl: null,
          steps: [],
        };
        const restart = async () => {
          store = await opened.reopen();
          return store;
        };
        const retry =
          cause === "crash"
            ? (await (await restart()).recoverInterrupted(at(2), []))[0]?.retry
            : (await store.finish(first, { state: "interrupted", code: "shutdown", ...nothing }, at(2), []))
                .retry;
        expect(retry).toMatchObject({ retryOf: first, state: "queued" });
        expect(retry?.delivery).toBeNumber();
        expect(await claim()).toBe(retry?.id ?? null);
        await store.finish(retry?.id ?? 0, success("a".repeat(40)), at(3), []);
        expect(await claim()).toBe(second);
      },
    );

    test(`stores nothing when ${MAX_QUEUED} wait, and the next once one has started`, async () => {
      for (let count = 0; count < MAX_QUEUED; count++) await add();
      const refused = await store.accept(pushFor("job"), options(ALL));
      expect(refused).toEqual({ kind: "queue full", target: "job" });
      const filter = { source: null, event: null, status: null, target: null };
      const { items } = await store.listDeliveries(filter, { limit: 1, before: null });
      expect(items[0]?.id).toBe(MAX_QUEUED);
      // Another target of the same source is not affected.
      await keep(store, pushFor("blog"), ALL);
      await claim();
      expect((await store.accept(pushFor("job"), options(ALL))).kind).toBe("stored");
    });
  });
}
