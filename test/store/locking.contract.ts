import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { Store } from "../../src/domain/store.ts";
import type { OpenedStore } from "./opened-store.ts";
import {
  at,
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
  success,
} from "./sample.ts";

/** What unlocking gives where no delivery was held back and no deployment waits. */
const NOTHING_CAME = { queued: null, waiting: null, passedOver: null };

/** What every store promises of locks. */
export function lockingContract(open: () => Promise<OpenedStore>): void {
  describe("locking a target", () => {
    let opened: OpenedStore;
    let store: Store;

    beforeEach(async () => {
      opened = await open();
      store = opened.store;
    });
    afterEach(() => opened.close());

    /** Keeps a push that a lock on the target holds back; the number of its delivery. */
    const holdBack = async (target: string, pushedCommit = COMMIT_A, receivedAt = at(0)) =>
      (await keep(store, delivery({ receivedAt }), { pushedCommit, heldBack: [target] })).delivery;

    test("lists the locks by target, over a restart", async () => {
      const blog = lockOf("blog", { until: at(60) });
      const docs = lockOf("docs", { by: "bob", reason: "ünï 🎉", since: at(5) });
      await store.lock(docs);
      await store.lock(blog);
      store = await opened.reopen();
      expect(await store.listLocks()).toEqual([blog, docs]);
    });

    test("puts a new lock in the place of the old one", async () => {
      await store.lock(lockOf("blog", { until: at(60) }));
      const again = lockOf("blog", { by: "bob", reason: "other", since: at(5) });
      await store.lock(again);
      expect(await store.listLocks()).toEqual([again]);
    });

    test("gives null, and queues nothing, for a target that is not locked", async () => {
      await store.lock(lockOf("docs"));
      await holdBack("docs");
      expect(await store.unlock("blog", at(1))).toBeNull();
      expect(await store.listLocks()).toEqual([lockOf("docs")]);
      expect(await store.readDeployment(1)).toBeNull();
    });

    test("takes the lock away, over a restart, and queues nothing when nothing came", async () => {
      await store.lock(lockOf("blog"));
      expect(await store.unlock("blog", at(1))).toEqual({
        lock: lockOf("blog"),
        queued: null,
        waiting: null,
        passedOver: null,
      });
      store = await opened.reopen();
      expect(await store.listLocks()).toEqual([]);
      expect(await store.unlock("blog", at(2))).toBeNull();
      expect(await store.readDeployment(1)).toBeNull();
    });

    test("queues the newest delivery that was held back as it would have been, over a restart", async () => {
      await store.lock(lockOf("blog"));
      await holdBack("blog", COMMIT_A);
      const newest = await holdBack("blog", COMMIT_B);
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

    test("queues a redelivery and a replay with their own triggers", async () => {
      const given = delivery({ identity: { id: "1", hook: "h" } });
      const first = await keep(store, given);
      await store.lock(lockOf("blog"));
      await store.lock(lockOf("docs"));
      await keep(store, given, { heldBack: ["blog"] });
      await keep(store, given, { heldBack: ["docs"], replayOf: first.delivery });
      const blog = await store.unlock("blog", at(1));
      const docs = await store.unlock("docs", at(1));
      expect(await store.readDeployment(blog?.waiting ?? 0)).toMatchObject({ trigger: "redelivery" });
      expect(await store.readDeployment(docs?.waiting ?? 0)).toMatchObject({ trigger: "replay" });
    });

    test("holds nothing back of a duplicate", async () => {
      const given = delivery({ identity: { id: "1", hook: "h" } });
      await keep(store, given);
      await store.lock(lockOf("blog"));
      const again = await store.accept(given, options({ onRedelivery: "skip", heldBack: ["blog"] }));
      expect(again.kind).toBe("duplicate");
      expect(await store.unlock("blog", at(1))).toMatchObject(NOTHING_CAME);
    });

    test("keeps a delivery although the lock that held it back is gone, and queues nothing", async () => {
      const held = await holdBack("blog");
      expect(await store.readDelivery(held)).toMatchObject({ deployments: [] });
      await store.lock(lockOf("blog"));
      expect(await store.unlock("blog", at(1))).toMatchObject(NOTHING_CAME);
    });

    test("makes a delivery that is not kept yet, but was asked for before, part of what it held back", async () => {
      await store.lock(lockOf("blog"));
      const waiting = holdBack("blog");
      const unlocked = await store.unlock("blog", at(1));
      expect(await store.readDeployment(unlocked?.waiting ?? 0)).toMatchObject({
        delivery: await waiting,
      });
    });

    test("keeps noted what the lock before it held back", async () => {
      await store.lock(lockOf("blog"));
      const held = await holdBack("blog");
      await store.lock(lockOf("blog", { by: "bob" }));
      const unlocked = await store.unlock("blog", at(1));
      expect(await store.readDeployment(unlocked?.waiting ?? 0)).toMatchObject({ delivery: held });
    });

    test("supersedes the deployment of an older delivery that waited for the lock's end", async () => {
      const older = onlyDeployment(await keep(store, pushFor("blog")));
      await store.lock(lockOf("blog"));
      const held = await holdBack("blog");
      const unlocked = await store.unlock("blog", at(1));
      expect(unlocked?.queued?.superseded).toMatchObject([{ id: older, state: "superseded" }]);
      expect(await store.readDeployment(older)).toEqual(unlocked?.queued?.superseded[0] ?? null);
      expect(await store.claim(["blog"], at(2))).toMatchObject({
        id: unlocked?.waiting ?? 0,
        delivery: held,
      });
      expect(await store.claim(["blog"], at(2))).toBeNull();
    });

    test("names the deployment that waited for the lock's end where nothing came", async () => {
      const waiting = onlyDeployment(await keep(store, pushFor("blog")));
      await store.lock(lockOf("blog"));
      expect(await store.unlock("blog", at(1))).toMatchObject({ queued: null, waiting, passedOver: null });
      expect(await store.claim(["blog"], at(2))).toMatchObject({ id: waiting });
    });

    describe.each(["manual", "rollback", "catch-up"] as const)(
      "where one waits that came by %s",
      (trigger) => {
        test("supersedes it when it was asked for before the delivery came", async () => {
          await store.lock(lockOf("blog"));
          const { deployment } = await store.request(request("blog", { trigger }), at(1));
          const held = await holdBack("blog", COMMIT_A, at(2));
          const unlocked = await store.unlock("blog", at(3));
          expect(unlocked).toMatchObject({
            queued: {
              deployment: { delivery: held },
              superseded: [{ id: deployment.id, state: "superseded" }],
            },
            passedOver: null,
          });
          expect(await store.claim(["blog"], at(4))).toMatchObject({ delivery: held });
          expect(await store.claim(["blog"], at(4))).toBeNull();
        });

        test("keeps it, and queues nothing, when it was asked for after the delivery came", async () => {
          await store.lock(lockOf("blog"));
          const held = await holdBack("blog", COMMIT_A, at(1));
          const { deployment } = await store.request(request("blog", { trigger }), at(2));
          expect(await store.unlock("blog", at(3))).toMatchObject({
            queued: null,
            waiting: deployment.id,
            passedOver: held,
          });
          expect(await store.claim(["blog"], at(4))).toMatchObject({ id: deployment.id });
          expect(await store.claim(["blog"], at(4))).toBeNull();
        });

        test("takes it for as old as it is when stops had it queued again", async () => {
          await store.request(request("blog", { trigger }), at(1));
          await store.claim(["blog"], at(2));
          await store.lock(lockOf("blog"));
          const held = await holdBack("blog", COMMIT_A, at(3));
          await store.interruptRunning(at(4), []);
          expect(await store.unlock("blog", at(7))).toMatchObject({
            queued: { deployment: { delivery: held } },
          });
        });
      },
    );

    test("queues nothing where a newer delivery was deployed after the lock's time was over", async () => {
      await store.lock(lockOf("blog", { until: at(5) }));
      const held = await holdBack("blog");
      const newer = onlyDeployment(await keep(store, pushFor("blog")));
      await runNext(store, "blog", success(COMMIT_B), at(6));
      expect(await store.unlock("blog", at(7))).toMatchObject({
        queued: null,
        waiting: null,
        passedOver: held,
      });
      expect(await store.readDeployment(newer + 1)).toBeNull();
    });

    test("holds what waits until its time is over, and not other targets", async () => {
      const { deployments } = await keep(store, pushFor("blog", "docs"));
      const [blog, docs] = deployments.map(({ id }) => id);
      await store.lock(lockOf("blog", { until: at(5) }));
      store = await opened.reopen();
      expect(await store.claim(["blog", "docs"], at(4))).toMatchObject({ id: docs ?? 0 });
      expect(await store.claim(["blog", "docs"], at(4))).toBeNull();
      expect(await store.claim(["blog", "docs"], at(5))).toMatchObject({ id: blog ?? 0 });
    });

    test("holds what waits until somebody unlocks it where it has no end", async () => {
      const {
        deployment: { id },
      } = await store.request(request("blog", { trigger: "catch-up" }), at(0));
      await store.lock(lockOf("blog"));
      expect(await store.claim(["blog"], at(1_000_000))).toBeNull();
      await store.unlock("blog", at(1));
      expect(await store.claim(["blog"], at(2))).toMatchObject({ id });
    });

    test.each(["manual", "rollback"] as const)(
      "does not hold what a person asked for by %s",
      async (trigger) => {
        await store.lock(lockOf("blog"));
        const {
          deployment: { id },
        } = await store.request(request("blog", { trigger }), at(0));
        expect(await store.claim(["blog"], at(1))).toMatchObject({ id });
      },
    );

    test("keeps the delivery that it holds back however old it is, and no other", async () => {
      await store.lock(lockOf("blog"));
      const older = await holdBack("blog");
      const newest = await holdBack("blog");
      const retention = { deliveriesBefore: at(100), deploymentsBefore: at(100), limit: 100 };
      while ((await store.prune(retention)) > 0);
      expect(await store.readDelivery(older)).toBeNull();
      expect(await store.readDelivery(newest)).not.toBeNull();
      const unlocked = await store.unlock("blog", at(200));
      expect(await store.readDeployment(unlocked?.waiting ?? 0)).toMatchObject({ delivery: newest });
    });
  });
}
