import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { Retention } from "../../src/domain/deployment-store.ts";
import type { Store } from "../../src/domain/store.ts";
import type { OpenedStore } from "./opened-store.ts";
import { at, COMMIT_A, COMMIT_B, delivery, keep, onlyDeployment, pushFor, success } from "./sample.ts";

/** The contract of every store for pruning. */
export function retentionContract(open: () => Promise<OpenedStore>): void {
  describe("pruning", () => {
    let opened: OpenedStore;
    let store: Store;

    beforeEach(async () => {
      opened = await open();
      store = opened.store;
    });
    afterEach(() => opened.close());

    const LATE = at(1000);
    const retention = (own: Partial<Retention> = {}): Retention => ({
      deliveriesBefore: LATE,
      deploymentsBefore: LATE,
      limit: 100,
      ...own,
    });
    const push = (target: string, seconds: number) => ({ ...pushFor(target), receivedAt: at(seconds) });

    /** Prunes until nothing is left to delete. Returns the number of rows that each call deleted. */
    async function pruneAll(own: Partial<Retention> = {}): Promise<number[]> {
      const calls: number[] = [];
      for (;;) {
        const removed = await store.prune(retention(own));
        if (removed === 0) return calls;
        calls.push(removed);
      }
    }

    /** Queues, runs and finishes a deployment. Returns its id and the id of its delivery. */
    async function deploy(target: string, seconds: number, result = success(COMMIT_A)) {
      const receipt = await keep(store, push(target, seconds));
      const id = onlyDeployment(receipt);
      await store.claim([target], at(seconds));
      await store.finish(id, result, at(seconds), []);
      return { delivery: receipt.delivery, deployment: id };
    }
    const failed = success(COMMIT_B, { state: "failed", code: "step_failed", reason: "why", release: null });

    test("deletes nothing from an empty store", async () => {
      expect(await store.prune(retention())).toBe(0);
    });

    test("deletes deliveries received before the cutoff, and none at or after it", async () => {
      const ids: number[] = [];
      for (const seconds of [1, 2, 3, 4]) {
        ids.push((await keep(store, delivery({ receivedAt: at(seconds) }))).delivery);
      }
      await pruneAll({ deliveriesBefore: at(3) });
      const deliveries = await Promise.all(ids.map((id) => store.readDelivery(id)));
      expect(deliveries.map((one) => one !== null)).toEqual([false, false, true, true]);
    });

    test("deletes by the time of receipt, even when deliveries are out of order because the clock was wrong", async () => {
      const wrong = await keep(store, delivery({ receivedAt: at(500) }));
      const old = await keep(store, delivery({ receivedAt: at(1) }));
      await pruneAll({ deliveriesBefore: at(100) });
      expect(await store.readDelivery(old.delivery)).toBeNull();
      expect(await store.readDelivery(wrong.delivery)).not.toBeNull();
      await pruneAll();
      expect(await store.readDelivery(wrong.delivery)).toBeNull();
    });

    test("deletes at most the limit per call, and everything in the end", async () => {
      const receipts = await Promise.all(
        Array.from({ length: 25 }, (_, n) => keep(store, delivery({ receivedAt: at(n) }))),
      );
      const calls = await pruneAll({ limit: 10 });
      expect(Math.max(...calls)).toBeLessThanOrEqual(10);
      expect(calls.reduce((sum, removed) => sum + removed, 0)).toBeGreaterThanOrEqual(25);
      for (const receipt of receipts) expect(await store.readDelivery(receipt.delivery)).toBeNull();
    });

    test("keeps live, queued, running and newest deployments and the deliveries that they need", async () => {
      const live = await deploy("live", 1);
      const queued = await keep(store, push("queued", 2));
      const running = await keep(store, push("running", 3));
      await store.claim(["running"], at(3));
      const old = await deploy("finished", 4, failed);
      // Catching up does not retry a commit whose newest deployment failed: it needs that record.
      const newest = await deploy("finished", 5, failed);
      await pruneAll();

      for (const id of [
        live.deployment,
        onlyDeployment(queued),
        onlyDeployment(running),
        newest.deployment,
      ]) {
        expect(await store.readDeployment(id)).not.toBeNull();
      }
      for (const id of [live.delivery, queued.delivery, running.delivery]) {
        expect(await store.readDelivery(id)).not.toBeNull();
      }
      expect(await store.readDeployment(old.deployment)).toBeNull();
      expect(await store.readDelivery(old.delivery)).toBeNull();
      expect(await store.readLive("live")).toMatchObject({ commit: COMMIT_A });
    });

    test("keeps the newest deployment of the tip besides later chosen releases, so that it is not retried", async () => {
      const tip = await deploy("blog", 1, failed);
      const choice = { kind: "release", release: null } as const;
      for (const seconds of [2, 3]) {
        await store.queueDeployment(
          { target: "blog", trigger: "rollback", commit: null, choice },
          at(seconds),
        );
        const claimed = await store.claim(["blog"], at(seconds));
        await store.finish(claimed?.id ?? 0, success(COMMIT_A), at(seconds), []);
      }
      await pruneAll();
      expect(await store.readDeployment(tip.deployment)).toMatchObject({ commit: COMMIT_B });
      expect(await store.readDeployment(tip.deployment + 1)).toBeNull();
      expect((await store.readTargetStatus("blog", LATE)).latestOfTip?.id).toBe(tip.deployment);
    });

    test("deletes a deployment that is no longer live", async () => {
      const before = await deploy("blog", 1);
      const now = await deploy("blog", 2, success(COMMIT_B));
      await pruneAll();
      expect(await store.readDeployment(before.deployment)).toBeNull();
      expect(await store.readDelivery(before.delivery)).toBeNull();
      expect(await store.readDeployment(now.deployment)).not.toBeNull();
    });

    test("keeps a deployment with its steps and output after its delivery is deleted", async () => {
      const steps = [{ command: "true", exitCode: 0, signal: null, milliseconds: 1 }];
      const { delivery: id, deployment } = await deploy("blog", 1, { ...failed, steps });
      await store.appendOutput(deployment, ["line"]);
      await pruneAll({ deploymentsBefore: at(0) });
      expect(await store.readDelivery(id)).toBeNull();
      expect(await store.readDeployment(deployment)).toMatchObject({ delivery: null, steps });
      expect(await store.readOutput(deployment)).toEqual(["line"]);
    });

    test("deletes a deployment with its output, within the limit per call", async () => {
      const { deployment } = await deploy("blog", 1, failed);
      const other = await deploy("docs", 2);
      await deploy("blog", 3, failed);
      await store.appendOutput(
        deployment,
        Array.from({ length: 95 }, (_, n) => `line ${n}`),
      );
      await store.appendOutput(other.deployment, ["other"]);
      const calls = await pruneAll({ limit: 10 });
      expect(Math.max(...calls)).toBeLessThanOrEqual(10);
      expect(calls.length).toBeGreaterThanOrEqual(10);
      expect(await store.readDeployment(deployment)).toBeNull();
      expect(await store.readOutput(deployment)).toEqual([]);
      expect(await store.readOutput(other.deployment)).toEqual(["other"]);
    });

    test("accepts a delivery as new after its first copy was deleted", async () => {
      const given = delivery({ identity: { id: "1", hook: "h" }, receivedAt: at(1) });
      const first = await keep(store, given);
      await pruneAll();
      const again = await keep(store, given);
      expect(again.redeliveryOf).toBeNull();
      expect(again.delivery).toBeGreaterThan(first.delivery);
      store = await opened.reopen();
      expect((await keep(store, given)).redeliveryOf).toBe(again.delivery);
    });

    test("makes the oldest redelivery the first delivery when the original is deleted", async () => {
      const given = (seconds: number) =>
        delivery({ identity: { id: "1", hook: "h" }, receivedAt: at(seconds) });
      await keep(store, given(1));
      const second = await keep(store, given(2));
      await pruneAll({ deliveriesBefore: at(2) });
      expect(await store.readDelivery(second.delivery)).toMatchObject({ redeliveryOf: null });
      expect((await keep(store, given(3))).redeliveryOf).toBe(second.delivery);
    });

    test("deletes clients that expired before the cutoff, and no others", async () => {
      for (const [address, seconds] of [
        ["192.0.2.1", 2],
        ["192.0.2.2", 3],
        ["192.0.2.3", 4],
      ] as const) {
        await store.authorise({ source: "webhook", address, authorisedAt: at(1), expiresAt: at(seconds) });
      }
      expect(await pruneAll({ deliveriesBefore: at(3) })).toEqual([1]);
      const { items } = await store.listClients(null, { limit: 10, before: null });
      expect(items.map(({ address }) => address)).toEqual(["192.0.2.3", "192.0.2.2"]);
    });

    test("never reuses the id of the newest delivery after it was deleted", async () => {
      const newest = await keep(store, delivery({ receivedAt: at(1) }));
      await pruneAll();
      expect(await store.readDelivery(newest.delivery)).toBeNull();
      store = await opened.reopen();
      expect((await keep(store, delivery())).delivery).toBe(newest.delivery + 1);
    });
  });
}
