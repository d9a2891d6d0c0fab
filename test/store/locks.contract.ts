import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { DeliveryStatus } from "../../src/domain/delivery.ts";
import type { Store } from "../../src/domain/store.ts";
import type { OpenedStore } from "./opened-store.ts";
import {
  at,
  blockedPush,
  COMMIT_A,
  COMMIT_B,
  delivery,
  keep,
  lockOf,
  onlyDeployment,
  options,
  pushFor,
  request,
  runNext,
  skippedPush,
  success,
} from "./sample.ts";

/** The result of unlocking when no delivery was blocked and no deployment is queued. */
const NOTHING_BLOCKED = { queued: null, waiting: null, skippedDelivery: null };

/** The contract of every store for locks. */
export function locksContract(open: () => Promise<OpenedStore>): void {
  describe("locking a target", () => {
    let opened: OpenedStore;
    let store: Store;

    beforeEach(async () => {
      opened = await open();
      store = opened.store;
    });
    afterEach(() => opened.close());

    /** Stores a push that a lock on the target blocks. Returns the id of the delivery. */
    const keepBlocked = async (target: string, pushedCommit = COMMIT_A, receivedAt = at(0)) =>
      (await keep(store, { ...blockedPush(target), receivedAt }, { pushedCommit })).delivery;

    test("lists the locks sorted by target, even after a restart", async () => {
      const blog = lockOf("blog", { until: at(60) });
      const docs = lockOf("docs", { by: "bob", reason: "ünï 🎉", since: at(5) });
      await store.lock(docs);
      await store.lock(blog);
      store = await opened.reopen();
      expect(await store.listLocks()).toEqual([blog, docs]);
    });

    test("replaces the lock of a target", async () => {
      await store.lock(lockOf("blog", { until: at(60) }));
      const again = lockOf("blog", { by: "bob", reason: "other", since: at(5) });
      await store.lock(again);
      expect(await store.listLocks()).toEqual([again]);
    });

    test("returns null and queues nothing for a target that is not locked", async () => {
      await store.lock(lockOf("docs"));
      await keepBlocked("docs");
      expect(await store.unlock("blog", at(1))).toBeNull();
      expect(await store.listLocks()).toEqual([lockOf("docs")]);
      expect(await store.readDeployment(1)).toBeNull();
    });

    test("removes the lock permanently, and queues nothing when no delivery was blocked", async () => {
      await store.lock(lockOf("blog"));
      expect(await store.unlock("blog", at(1))).toEqual({
        lock: lockOf("blog"),
        queued: null,
        waiting: null,
        skippedDelivery: null,
      });
      store = await opened.reopen();
      expect(await store.listLocks()).toEqual([]);
      expect(await store.unlock("blog", at(2))).toBeNull();
      expect(await store.readDeployment(1)).toBeNull();
    });

    test("queues the newest blocked delivery with its trigger and commit, even after a restart", async () => {
      await store.lock(lockOf("blog"));
      await keepBlocked("blog", COMMIT_A);
      const newest = await keepBlocked("blog", COMMIT_B);
      store = await opened.reopen();
      const unlocked = await store.unlock("blog", at(9));
      expect(await store.readDeployment(unlocked?.waiting ?? 0)).toMatchObject({
        target: "blog",
        state: "queued",
        trigger: "push",
        delivery: newest,
        pushedCommit: COMMIT_B,
        choice: null,
        createdAt: at(9),
      });
      expect((await store.readDelivery(newest))?.deployments).toEqual([unlocked?.waiting ?? 0]);
      expect(await store.unlock("blog", at(10))).toBeNull();
    });

    test("queues a blocked redelivery and a blocked replay with their own triggers", async () => {
      const given = delivery({ identity: { id: "1", hook: "h" } });
      const first = await keep(store, given);
      await store.lock(lockOf("blog"));
      await store.lock(lockOf("docs"));
      await keep(store, { ...given, decisions: blockedPush("blog").decisions });
      await keep(store, { ...given, decisions: blockedPush("docs").decisions }, { replayOf: first.delivery });
      const blog = await store.unlock("blog", at(1));
      const docs = await store.unlock("docs", at(1));
      expect(await store.readDeployment(blog?.waiting ?? 0)).toMatchObject({ trigger: "redelivery" });
      expect(await store.readDeployment(docs?.waiting ?? 0)).toMatchObject({ trigger: "replay" });
    });

    /** The ids of the deliveries with this status, newest first. */
    const idsWith = async (status: DeliveryStatus) => {
      const filter = { source: null, status, target: null };
      return (await store.listDeliveries(filter, { limit: 50, before: null })).items.map(({ id }) => id);
    };

    test("ends the status held: ok for the queued delivery, skipped for the older ones", async () => {
      await store.lock(lockOf("blog"));
      const older = await keepBlocked("blog");
      const newest = await keepBlocked("blog", COMMIT_B);
      const { delivery: unrelated } = await keep(store, skippedPush("blog"));
      expect(await idsWith("held")).toEqual([newest, older]);
      await store.unlock("blog", at(1));
      expect(await idsWith("held")).toEqual([]);
      expect(await idsWith("ok")).toEqual([newest]);
      expect(await idsWith("skipped")).toEqual([unrelated, older]);
    });

    test("holds a delivery until its last lock ends, unless it is deployed before", async () => {
      for (const target of ["blog", "docs"]) await store.lock(lockOf(target));
      const { delivery: first } = await keep(store, blockedPush("blog", "docs"));
      const { delivery: second } = await keep(store, blockedPush("docs", "blog"));
      await store.unlock("blog", at(1));
      expect([await idsWith("held"), await idsWith("ok")]).toEqual([[first], [second]]);
      await store.unlock("docs", at(2));
      expect([await idsWith("held"), await idsWith("skipped")]).toEqual([[], [first]]);
    });

    test("holds deliveries while the lock is replaced, and queues a delivery that came after its end", async () => {
      await store.lock(lockOf("blog"));
      const held = await keepBlocked("blog");
      await store.lock(lockOf("blog", { by: "bob" }));
      const late = await keepBlocked("docs");
      expect([await idsWith("held"), await idsWith("ok")]).toEqual([[held], [late]]);
    });

    test("does not record a duplicate as blocked", async () => {
      const given = delivery({ identity: { id: "1", hook: "h" } });
      await keep(store, given);
      await store.lock(lockOf("blog"));
      const { decisions } = blockedPush("blog");
      const again = await store.accept({ ...given, decisions }, options({ onRedelivery: "skip" }));
      expect(again.kind).toBe("duplicate");
      expect(await store.unlock("blog", at(1))).toMatchObject(NOTHING_BLOCKED);
    });

    test("queues a delivery whose lock was already removed, because nothing else would", async () => {
      const receipt = await keep(store, blockedPush("blog"));
      const id = onlyDeployment(receipt);
      expect(await store.readDeployment(id)).toMatchObject({ state: "queued", delivery: receipt.delivery });
      expect(await store.readDelivery(receipt.delivery)).toMatchObject({ status: "ok", deployments: [id] });
      await store.lock(lockOf("blog"));
      expect(await store.unlock("blog", at(1))).toMatchObject({ ...NOTHING_BLOCKED, waiting: id });
    });

    test("queues a blocked delivery that was accepted but not yet committed before the unlock", async () => {
      await store.lock(lockOf("blog"));
      const pending = keepBlocked("blog");
      const unlocked = await store.unlock("blog", at(1));
      expect(await store.readDeployment(unlocked?.waiting ?? 0)).toMatchObject({
        delivery: await pending,
      });
    });

    test("keeps the blocked delivery of the lock that it replaces", async () => {
      await store.lock(lockOf("blog"));
      const blocked = await keepBlocked("blog");
      await store.lock(lockOf("blog", { by: "bob" }));
      const unlocked = await store.unlock("blog", at(1));
      expect(await store.readDeployment(unlocked?.waiting ?? 0)).toMatchObject({ delivery: blocked });
    });

    test("supersedes the queued deployment of an older delivery", async () => {
      const older = onlyDeployment(await keep(store, pushFor("blog")));
      await store.lock(lockOf("blog"));
      const blocked = await keepBlocked("blog");
      const unlocked = await store.unlock("blog", at(1));
      expect(unlocked?.queued?.superseded).toMatchObject([{ id: older, state: "superseded" }]);
      expect(await store.readDeployment(older)).toEqual(unlocked?.queued?.superseded[0] ?? null);
      expect(await store.claim(["blog"], at(2))).toMatchObject({
        id: unlocked?.waiting ?? 0,
        delivery: blocked,
      });
      expect(await store.claim(["blog"], at(2))).toBeNull();
    });

    test("returns the queued deployment when no delivery was blocked", async () => {
      const waiting = onlyDeployment(await keep(store, pushFor("blog")));
      await store.lock(lockOf("blog"));
      expect(await store.unlock("blog", at(1))).toMatchObject({
        queued: null,
        waiting,
        skippedDelivery: null,
      });
      expect(await store.claim(["blog"], at(2))).toMatchObject({ id: waiting });
    });

    describe.each(["manual", "rollback", "catch-up"] as const)("with a queued %s deployment", (trigger) => {
      test("supersedes it when it is older than the blocked delivery", async () => {
        await store.lock(lockOf("blog"));
        const { deployment } = await store.queueDeployment(request("blog", { trigger }), at(1));
        const blocked = await keepBlocked("blog", COMMIT_A, at(2));
        const unlocked = await store.unlock("blog", at(3));
        expect(unlocked).toMatchObject({
          queued: {
            deployment: { delivery: blocked },
            superseded: [{ id: deployment.id, state: "superseded" }],
          },
          skippedDelivery: null,
        });
        expect(await store.claim(["blog"], at(4))).toMatchObject({ delivery: blocked });
        expect(await store.claim(["blog"], at(4))).toBeNull();
      });

      test("keeps it and queues nothing when it is newer than the blocked delivery", async () => {
        await store.lock(lockOf("blog"));
        const blocked = await keepBlocked("blog", COMMIT_A, at(1));
        const { deployment } = await store.queueDeployment(request("blog", { trigger }), at(2));
        expect(await store.unlock("blog", at(3))).toMatchObject({
          queued: null,
          waiting: deployment.id,
          skippedDelivery: blocked,
        });
        expect(await store.claim(["blog"], at(4))).toMatchObject({ id: deployment.id });
        expect(await store.claim(["blog"], at(4))).toBeNull();
      });

      test("uses its original age when it was queued again after an interruption", async () => {
        await store.queueDeployment(request("blog", { trigger }), at(1));
        await store.claim(["blog"], at(2));
        await store.lock(lockOf("blog"));
        const blocked = await keepBlocked("blog", COMMIT_A, at(3));
        store = await opened.reopen();
        await store.recoverInterrupted(at(4), []);
        expect(await store.unlock("blog", at(7))).toMatchObject({
          queued: { deployment: { delivery: blocked } },
        });
      });
    });

    describe.each(["manual", "rollback"] as const)("with a later %s deployment that began", (trigger) => {
      /** Requests and claims it after a delivery that the lock blocks; returns that delivery. */
      const beginLater = async () => {
        await store.lock(lockOf("blog"));
        const blocked = await keepBlocked("blog", COMMIT_A, at(1));
        await store.queueDeployment(request("blog", { trigger }), at(2));
        return blocked;
      };

      test("queues nothing while it runs", async () => {
        const blocked = await beginLater();
        await store.claim(["blog"], at(3));
        expect(await store.unlock("blog", at(4))).toMatchObject({
          queued: null,
          waiting: null,
          skippedDelivery: blocked,
        });
        expect(await idsWith("skipped")).toEqual([blocked]);
      });

      test("queues nothing after it succeeded, also after an interruption", async () => {
        const blocked = await beginLater();
        await store.claim(["blog"], at(3));
        store = await opened.reopen();
        await store.recoverInterrupted(at(4), []);
        await runNext(store, "blog", success(COMMIT_B), at(5));
        expect(await store.unlock("blog", at(6))).toMatchObject({ queued: null, skippedDelivery: blocked });
      });

      test("queues the blocked delivery after it failed", async () => {
        const blocked = await beginLater();
        await runNext(store, "blog", success(COMMIT_B, { state: "failed" }), at(3));
        expect(await store.unlock("blog", at(4))).toMatchObject({
          queued: { deployment: { delivery: blocked } },
        });
      });

      test("queues the blocked delivery after it was cancelled", async () => {
        const blocked = await beginLater();
        await store.cancelQueued(1, "cancelled by ada", at(3));
        expect(await store.unlock("blog", at(4))).toMatchObject({
          queued: { deployment: { delivery: blocked } },
        });
      });

      test("queues the blocked delivery after one that was requested before it succeeded", async () => {
        await store.lock(lockOf("blog"));
        await store.queueDeployment(request("blog", { trigger }), at(1));
        const blocked = await keepBlocked("blog", COMMIT_A, at(2));
        await runNext(store, "blog", success(COMMIT_B), at(3));
        expect(await store.unlock("blog", at(4))).toMatchObject({
          queued: { deployment: { delivery: blocked } },
        });
      });
    });

    test("queues nothing when a newer delivery was deployed after the lock expired", async () => {
      await store.lock(lockOf("blog", { until: at(5) }));
      const blocked = await keepBlocked("blog");
      const newer = onlyDeployment(await keep(store, pushFor("blog")));
      await runNext(store, "blog", success(COMMIT_B), at(6));
      expect(await store.unlock("blog", at(7))).toMatchObject({
        queued: null,
        waiting: null,
        skippedDelivery: blocked,
      });
      expect(await store.readDeployment(newer + 1)).toBeNull();
    });

    test("blocks queued deployments of its target until it expires, and of no other target", async () => {
      const { deployments } = await keep(store, pushFor("blog", "docs"));
      const [blog, docs] = deployments.map(({ id }) => id);
      await store.lock(lockOf("blog", { until: at(5) }));
      store = await opened.reopen();
      expect(await store.claim(["blog", "docs"], at(4))).toMatchObject({ id: docs ?? 0 });
      expect(await store.claim(["blog", "docs"], at(4))).toBeNull();
      expect(await store.claim(["blog", "docs"], at(5))).toMatchObject({ id: blog ?? 0 });
    });

    test("blocks queued deployments until the unlock when it has no end time", async () => {
      const {
        deployment: { id },
      } = await store.queueDeployment(request("blog", { trigger: "catch-up" }), at(0));
      await store.lock(lockOf("blog"));
      expect(await store.claim(["blog"], at(1_000_000))).toBeNull();
      await store.unlock("blog", at(1));
      expect(await store.claim(["blog"], at(2))).toMatchObject({ id });
    });

    test.each(["manual", "rollback"] as const)("does not block a %s deployment", async (trigger) => {
      await store.lock(lockOf("blog"));
      const {
        deployment: { id },
      } = await store.queueDeployment(request("blog", { trigger }), at(0));
      expect(await store.claim(["blog"], at(1))).toMatchObject({ id });
    });

    test("protects only the newest blocked delivery from pruning", async () => {
      await store.lock(lockOf("blog"));
      const older = await keepBlocked("blog");
      const newest = await keepBlocked("blog");
      const retention = { deliveriesBefore: at(100), deploymentsBefore: at(100), limit: 100 };
      while ((await store.prune(retention)) > 0);
      expect(await store.readDelivery(older)).toBeNull();
      expect(await store.readDelivery(newest)).not.toBeNull();
      const unlocked = await store.unlock("blog", at(200));
      expect(await store.readDeployment(unlocked?.waiting ?? 0)).toMatchObject({ delivery: newest });
    });
  });
}
