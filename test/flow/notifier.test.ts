import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { Deployment } from "../../src/domain/deployment.ts";
import type {
  Notification,
  NotificationChannel,
  NotificationKind,
  SendOutcome,
} from "../../src/domain/notification.ts";
import type { Store } from "../../src/domain/store.ts";
import { createNotifier, type Notifier } from "../../src/flow/notifier.ts";
import { TestClock } from "../support/clock.ts";
import { until } from "../support/until.ts";
import { RecordedLog } from "./recorded-log.ts";
import { deployed, openTestStore, type TestStore } from "./test-store.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

let opened: TestStore;
let store: Store;
let clock: TestClock;
let log: RecordedLog;
let notifier: Notifier | null;

beforeEach(async () => {
  opened = await openTestStore();
  store = opened.store;
  clock = new TestClock();
  log = new RecordedLog();
  notifier = null;
});

afterEach(async () => {
  await notifier?.stop();
  await opened.close();
});

/** A notification channel that records what it is sent. `respond` is called at each attempt. */
class RecordingChannel implements NotificationChannel {
  readonly targets = null;
  readonly sent: string[] = [];
  respond: () => SendOutcome | Promise<SendOutcome> = () => ({ kind: "taken" });

  constructor(
    readonly name: string,
    readonly kinds: readonly NotificationKind[] = ["succeeded", "failed"],
  ) {}

  async send(notification: Notification, deployment: Deployment): Promise<SendOutcome> {
    this.sent.push(`${deployment.target} ${notification.kind}`);
    return this.respond();
  }
}

function startNotifier(channels: readonly NotificationChannel[], over: Partial<Store> = {}): Notifier {
  notifier = createNotifier({
    store: { ...store, ...over },
    channels: () => channels,
    clock,
    log,
  });
  notifier.wake();
  return notifier;
}

const deploy = (target: string, channels: readonly NotificationChannel[]) =>
  deployed(store, target, {}, channels, clock.now());

/** Whether no notification is queued. */
const isQueueEmpty = async () => (await store.nextNotificationAt()) === null;

/** Resolves when the notifier has handled everything that is due, and sleeps. */
async function untilIdle(): Promise<void> {
  await until(() => clock.sleeping === 1);
}

describe("notifier", () => {
  test("sends notifications left by an earlier run, oldest first, and then new ones", async () => {
    const [chat, pager] = [new RecordingChannel("chat"), new RecordingChannel("pager", ["failed"])];
    const both = [chat, pager];
    await deploy("blog", both);
    await deployed(store, "docs", { state: "failed", code: "step_failed" }, both, clock.now());
    const { wake } = startNotifier(both);
    await until(() => chat.sent.length === 2 && pager.sent.length === 1);
    await deploy("shop", both);
    wake();
    await until(() => chat.sent.length === 3);
    expect(chat.sent).toEqual(["blog succeeded", "docs failed", "shop succeeded"]);
    expect(pager.sent).toEqual(["docs failed"]);
    await untilIdle();
    expect(await isQueueEmpty()).toBe(true);
  });

  test("sends one notification at a time to a channel, without delaying other channels", async () => {
    const [slow, quick] = [new RecordingChannel("slow"), new RecordingChannel("quick")];
    const response = Promise.withResolvers<SendOutcome>();
    slow.respond = () => response.promise;
    for (const target of ["blog", "docs", "shop"]) await deploy(target, [slow, quick]);
    startNotifier([slow, quick]);
    await until(() => quick.sent.length === 3);
    expect(slow.sent).toEqual(["blog succeeded"]);
    response.resolve({ kind: "taken" });
    await until(() => slow.sent.length === 3);
    expect(slow.sent).toEqual(["blog succeeded", "docs succeeded", "shop succeeded"]);
  });

  test("retries with increasing delays and drops the notification after the last attempt", async () => {
    const chat = new RecordingChannel("chat");
    chat.respond = () => ({ kind: "failed", reason: "answered 503" });
    await deploy("blog", [chat]);
    startNotifier([chat]);
    const waits = [5000, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 10 * HOUR];
    for (const [attempt, wait] of waits.entries()) {
      await until(() => chat.sent.length === attempt + 1);
      await untilIdle();
      expect((await store.nextNotificationAt())?.getTime()).toBe(clock.now().getTime() + wait);
      clock.advance(wait - 1);
      await untilIdle();
      expect(chat.sent).toHaveLength(attempt + 1);
      clock.advance(1);
    }
    await until(() => chat.sent.length === 8);
    await untilIdle();
    expect(await isQueueEmpty()).toBe(true);
    expect(log.entries).toHaveLength(8);
    expect(log.entries.map(({ fields }) => fields.code)).toEqual([...Array(7), "attempts_exhausted"]);
    for (const { level, fields } of log.entries) {
      expect(level).toBe("warn");
      expect(fields).toMatchObject({ channel: "chat", deployment: 1, reason: "answered 503" });
    }
    expect([...new Set(log.messages)]).toMatchSnapshot();
  });

  test("sends a notification when a retry succeeds", async () => {
    const chat = new RecordingChannel("chat");
    chat.respond = () => ({ kind: "failed", reason: "no route" });
    await deploy("blog", [chat]);
    startNotifier([chat]);
    await until(() => chat.sent.length === 1);
    await untilIdle();
    chat.respond = () => ({ kind: "taken" });
    clock.advance(5000);
    await until(() => chat.sent.length === 2);
    await untilIdle();
    expect(await isQueueEmpty()).toBe(true);
  });

  test("drops a notification at once when the receiver rejects it", async () => {
    const chat = new RecordingChannel("chat");
    chat.respond = () => ({ kind: "refused", reason: "answered 410" });
    await deploy("blog", [chat]);
    startNotifier([chat]);
    await until(() => chat.sent.length === 1);
    await untilIdle();
    expect(await isQueueEmpty()).toBe(true);
    expect(log.entries).toMatchObject([
      { level: "warn", fields: { channel: "chat", deployment: 1, code: "rejected", reason: "answered 410" } },
    ]);
    expect(log.messages).toMatchSnapshot();
  });

  test("drops notifications for channels that are no longer configured, and sends the others", async () => {
    const [removed, chat] = [new RecordingChannel("removed"), new RecordingChannel("chat")];
    for (const target of ["blog", "docs"]) await deploy(target, [removed, chat]);
    startNotifier([chat]);
    const dropped = () => log.entries.filter(({ fields }) => fields.channel === "removed");
    await until(() => chat.sent.length === 2 && dropped().length === 2);
    await untilIdle();
    expect(removed.sent).toEqual([]);
    expect(await isQueueEmpty()).toBe(true);
    expect(dropped()).toMatchObject([
      { level: "warn", fields: { deployment: 1, code: "channel_removed" } },
      { level: "warn", fields: { deployment: 2, code: "channel_removed" } },
    ]);
    expect(dropped().map(({ message, fields }) => `${message}: ${fields.reason}`)).toMatchSnapshot();
  });

  test("drops a notification whose deployment was deleted", async () => {
    const chat = new RecordingChannel("chat");
    await deploy("blog", [chat]);
    startNotifier([chat], { readDeployment: async () => null });
    await until(() => log.entries.length === 1);
    await untilIdle();
    expect(chat.sent).toEqual([]);
    expect(await isQueueEmpty()).toBe(true);
    expect(log.entries[0]?.fields).toMatchObject({ deployment: 1, code: "deployment_removed" });
  });

  test("does not send a notification twice when the store cannot record that it was sent", async () => {
    const chat = new RecordingChannel("chat");
    await deploy("blog", [chat]);
    let attempts = 0;
    startNotifier([chat], {
      removeNotification: (id) => {
        if (attempts++ === 0) return Promise.reject(new Error("the disk is full"));
        return store.removeNotification(id);
      },
    });
    await until(() => attempts === 1 && clock.sleeping === 2);
    clock.advance(10_000);
    await until(() => attempts === 2);
    await untilIdle();
    expect(chat.sent).toHaveLength(1);
    expect(log.entries).toMatchObject([
      { level: "info" },
      { level: "error", fields: { channel: "chat", err: { message: "the disk is full" } } },
    ]);
    expect(log.messages).toMatchSnapshot();
  });

  test("retries when the store cannot be read", async () => {
    const chat = new RecordingChannel("chat");
    await deploy("blog", [chat]);
    let reads = 0;
    startNotifier([chat], {
      dueNotifications: (now, limit) => {
        if (reads++ === 0) return Promise.reject(new Error("locked"));
        return store.dueNotifications(now, limit);
      },
    });
    await until(() => reads === 1 && clock.sleeping === 1);
    clock.advance(10_000);
    await until(() => chat.sent.length === 1);
  });

  test("waits on stop for the notification that is being sent, and records it as sent", async () => {
    const chat = new RecordingChannel("chat");
    const response = Promise.withResolvers<SendOutcome>();
    chat.respond = () => response.promise;
    for (const target of ["blog", "docs"]) await deploy(target, [chat]);
    const { stop } = startNotifier([chat]);
    await until(() => chat.sent.length === 1);
    const stopped = stop();
    response.resolve({ kind: "taken" });
    await stopped;
    expect(chat.sent).toEqual(["blog succeeded"]);
    expect(await store.dueNotifications(clock.now(), 10)).toMatchObject([{ deployment: 2 }]);
  });

  test("stops without waiting for an unresponsive receiver, and sends again after the next start", async () => {
    const chat = new RecordingChannel("chat");
    const never = Promise.withResolvers<SendOutcome>();
    chat.respond = () => never.promise;
    await deploy("blog", [chat]);
    const { stop } = startNotifier([chat]);
    await until(() => chat.sent.length === 1);
    await untilIdle();
    const stopped = stop();
    await until(() => clock.sleeping === 1);
    clock.advance(2000);
    await stopped;
    const again = new RecordingChannel("chat");
    startNotifier([again]);
    await until(() => again.sent.length === 1);
  });
});
