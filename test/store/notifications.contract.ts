import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type {
  Notification,
  NotificationKind,
  NotificationSubscription,
} from "../../src/domain/notification.ts";
import type { Store } from "../../src/domain/store.ts";
import type { OpenedStore } from "./opened-store.ts";
import { at, COMMIT_A, COMMIT_B, rejection, request, runNext, success } from "./sample.ts";

/** The contract of every store for notifications. */
export function notificationsContract(open: () => Promise<OpenedStore>): void {
  describe("queueing notifications", () => {
    let opened: OpenedStore;
    let store: Store;

    beforeEach(async () => {
      opened = await open();
      store = opened.store;
    });
    afterEach(() => opened.close());

    const subscriptionTo = (
      name: string,
      kinds: readonly NotificationKind[],
      targets: readonly string[] | null = null,
    ) => ({ name, targets, kinds }) satisfies NotificationSubscription;
    const ALL = subscriptionTo("all", [
      "started",
      "succeeded",
      "recovered",
      "failed",
      "cancelled",
      "interrupted",
    ]);
    const failure = success(COMMIT_A, { state: "failed", code: "step_failed", reason: "why" });

    const due = (seconds: number, limit = 10) => store.dueNotifications(at(seconds), limit);
    const kindsOf = (notifications: readonly Notification[]) =>
      notifications.map(({ channel, kind }) => [channel, kind]);

    /** Runs a deployment of the target from the request to its end. Returns its id. */
    async function deploy(
      result = success(COMMIT_A),
      subscriptions: readonly NotificationSubscription[] = [ALL],
      target = "blog",
    ) {
      await store.queueDeployment(request(target), at(0));
      return runNext(store, target, result, at(1), subscriptions);
    }
    async function start(target = "blog"): Promise<number> {
      await store.queueDeployment(request(target), at(0));
      return (await store.claim([target], at(0)))?.id ?? 0;
    }

    test("queues none when no subscription matches", async () => {
      await deploy(success(COMMIT_A), []);
      await deploy(success(COMMIT_A), [
        subscriptionTo("other", ["succeeded"], ["docs"]),
        subscriptionTo("failures", ["failed"]),
      ]);
      expect(await due(100)).toEqual([]);
      expect(await store.nextNotificationAt()).toBeNull();
    });

    test("replaces an unsent start notification after a crash by one about the interruption", async () => {
      const deployment = await start();
      await store.notifyStarted(deployment, [ALL], at(1));
      store = await opened.reopen();
      await store.recoverInterrupted(at(2), [ALL]);
      expect(kindsOf(await due(100))).toEqual([["all", "interrupted"]]);
    });

    test("queues one at the end for each matching subscription, even after a restart", async () => {
      const deployment = await deploy(failure, [
        subscriptionTo("chat", ["failed"], ["blog", "docs"]),
        subscriptionTo("pager", ["recovered"]),
        subscriptionTo("hook", ["succeeded", "failed"]),
      ]);
      store = await opened.reopen();
      const notifications = await due(1);
      expect(kindsOf(notifications)).toEqual([
        ["chat", "failed"],
        ["hook", "failed"],
      ]);
      expect(notifications[0]).toEqual({
        id: expect.any(Number),
        channel: "chat",
        deployment,
        kind: "failed",
        attempts: 0,
        createdAt: at(1),
      });
      expect(await store.nextNotificationAt()).toEqual(at(1));
      expect(await due(0)).toEqual([]);
    });

    test("queues none when the deployment was not running", async () => {
      const {
        deployment: { id },
      } = await store.queueDeployment(request("blog"), at(0));
      expect((await rejection(store.finish(id, failure, at(1), [ALL]))).message).toMatchSnapshot();
      expect(await due(100)).toEqual([]);
    });

    test("reports a success after a failure as recovered, ignoring cancelled and superseded deployments in between", async () => {
      await deploy(failure, []);
      await deploy(failure, [], "docs");
      await deploy(success(COMMIT_A, { state: "cancelled" }), []);
      await store.queueDeployment(request("blog"), at(0));
      await deploy();
      await deploy(success(COMMIT_A), [ALL], "shop");
      expect(kindsOf(await due(1))).toEqual([["all", "recovered"]]);
      for (const { id } of await due(1)) await store.removeNotification(id);
      expect(kindsOf(await due(1))).toEqual([["all", "succeeded"]]);
    });

    test("reports the same failure once until the commit, code, reason or state changes", async () => {
      const chat = [subscriptionTo("chat", ["failed", "recovered"])];
      const results = [
        failure,
        failure,
        { ...failure, reason: "another" },
        { ...failure, reason: "another", code: "timeout" },
        { ...failure, reason: "another", code: "timeout", commit: COMMIT_B },
        { ...failure, reason: "another", code: "timeout", commit: COMMIT_B },
        success(COMMIT_B),
        failure,
      ] as const;
      const ids: number[] = [];
      for (const result of results) ids.push(await deploy(result, chat));
      const notified: (number | undefined)[] = [];
      for (let [next] = await due(1); next !== undefined; [next] = await due(1)) {
        notified.push(next.deployment);
        await store.removeNotification(next.id);
      }
      expect(notified).toEqual([0, 2, 3, 4, 6, 7].map((at) => ids[at]));
    });

    test("reports the same failure of a commit that could not be fetched once", async () => {
      const chat = [subscriptionTo("chat", ["failed"])];
      const ids: number[] = [];
      for (const commit of [COMMIT_A, COMMIT_A, COMMIT_B]) {
        await store.queueDeployment(request("blog", { trigger: "catch-up", commit }), at(0));
        ids.push(await runNext(store, "blog", { ...failure, commit: null }, at(1), chat));
      }
      const notified: (number | undefined)[] = [];
      for (let [next] = await due(1); next !== undefined; [next] = await due(1)) {
        notified.push(next.deployment);
        await store.removeNotification(next.id);
      }
      expect(notified).toEqual([ids[0], ids[2]]);
    });

    test("reports a success after a success as succeeded, even after an earlier failure", async () => {
      await deploy(failure, []);
      await deploy(success(COMMIT_A), []);
      await deploy();
      expect(kindsOf(await due(1))).toEqual([["all", "succeeded"]]);
    });

    test.each(["cancelled", "interrupted"] as const)(
      "queues one when the deployment ends as %s",
      async (state) => {
        await deploy(success(COMMIT_A, { state }));
        expect(kindsOf(await due(1))).toEqual([["all", state]]);
      },
    );

    test("queues one at the start for matching subscriptions, even after a restart", async () => {
      const deployment = await start();
      const others = [subscriptionTo("end", ["failed"]), subscriptionTo("docs", ["started"], ["docs"])];
      await store.notifyStarted(deployment, [ALL, ...others], at(2));
      store = await opened.reopen();
      expect(await due(2)).toMatchObject([{ channel: "all", deployment, kind: "started", createdAt: at(2) }]);
    });

    test("replaces an unsent start notification by the end for subscriptions to the end", async () => {
      const deployment = await start();
      const startOnly = subscriptionTo("start", ["started"]);
      await store.notifyStarted(deployment, [ALL, startOnly], at(1));
      const [replaced] = await due(1);
      await store.finish(deployment, failure, at(2), [ALL, startOnly]);
      expect(kindsOf(await due(2))).toEqual([
        ["start", "started"],
        ["all", "failed"],
      ]);
      // The replaced notification was being sent: its result must not affect the new one.
      await store.postponeNotification(replaced?.id ?? 0, at(50));
      await store.removeNotification(replaced?.id ?? 0);
      expect(kindsOf(await due(2))).toEqual([
        ["start", "started"],
        ["all", "failed"],
      ]);
    });

    test("queues no start notification for a finished or unknown deployment", async () => {
      const deployment = await deploy(failure, []);
      await store.notifyStarted(deployment, [ALL], at(2));
      await store.notifyStarted(deployment + 1, [ALL], at(2));
      expect(await due(100)).toEqual([]);
    });

    test("returns the oldest notification of each channel, up to the limit", async () => {
      const chat = subscriptionTo("chat", ["succeeded"]);
      const hook = subscriptionTo("hook", ["succeeded"]);
      const first = await deploy(success(COMMIT_A), [chat, hook]);
      await deploy(success(COMMIT_A), [hook, chat]);
      expect(await due(1)).toMatchObject([
        { channel: "chat", deployment: first },
        { channel: "hook", deployment: first },
      ]);
      expect(kindsOf(await due(1, 1))).toEqual([["chat", "succeeded"]]);
    });

    test("counts a failed attempt and returns the notification when it is due again, even after a restart", async () => {
      await deploy();
      const [notification] = await due(1);
      await store.postponeNotification(notification?.id ?? 0, at(60));
      store = await opened.reopen();
      expect(await store.nextNotificationAt()).toEqual(at(60));
      expect(await due(59)).toEqual([]);
      expect(await due(60)).toMatchObject([{ id: notification?.id ?? 0, attempts: 1 }]);
    });

    test("returns the next notification of a channel while an older one waits for a retry", async () => {
      await deploy(failure);
      const [postponed] = await due(1);
      await store.postponeNotification(postponed?.id ?? 0, at(60));
      await deploy();
      expect(kindsOf(await due(1))).toEqual([["all", "recovered"]]);
    });

    test("deletes only the sent notification, even after a restart", async () => {
      await deploy(failure);
      await deploy();
      const [sent] = await due(1);
      await store.removeNotification(sent?.id ?? 0);
      store = await opened.reopen();
      expect(kindsOf(await due(1))).toEqual([["all", "recovered"]]);
    });

    test("deletes the notifications of a deleted deployment", async () => {
      await deploy(failure);
      const newest = await deploy(failure);
      const retention = { deliveriesBefore: at(100), deploymentsBefore: at(100), limit: 100 };
      while ((await store.prune(retention)) > 0);
      expect(await due(1)).toMatchObject([{ deployment: newest }]);
    });
  });
}
