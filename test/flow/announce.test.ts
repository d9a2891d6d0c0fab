import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { Deployment } from "../../src/domain/deployment.ts";
import type { Messenger, PostOutcome } from "../../src/domain/messenger.ts";
import type { News, Notice } from "../../src/domain/notice.ts";
import type { Store } from "../../src/domain/store.ts";
import { type Announcer, createAnnouncer } from "../../src/flow/announce.ts";
import { logInto } from "../support/public.ts";
import { until } from "../support/until.ts";
import { deployed, type KeptStore, openKeptStore } from "./kept-store.ts";
import { ManualClock } from "./manual-clock.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

let kept: KeptStore;
let store: Store;
let clock: ManualClock;
let log: string[];
let announcer: Announcer | null;

beforeEach(async () => {
  kept = await openKeptStore();
  store = kept.store;
  clock = new ManualClock();
  log = [];
  announcer = null;
});

afterEach(async () => {
  await announcer?.stop();
  await kept.close();
});

/** Somebody who writes down what it is told and answers as the test says; it is asked how when it is told. */
class Listener implements Messenger {
  readonly targets = null;
  readonly told: string[] = [];
  answer: () => PostOutcome | Promise<PostOutcome> = () => ({ kind: "taken" });

  constructor(
    readonly name: string,
    readonly on: readonly News[] = ["succeeded", "failed"],
  ) {}

  async tell(notice: Notice, deployment: Deployment): Promise<PostOutcome> {
    this.told.push(`${deployment.target} ${notice.news}`);
    return this.answer();
  }
}

function announce(messengers: readonly Messenger[], over: Partial<Store> = {}): Announcer {
  announcer = createAnnouncer({
    store: { ...store, ...over },
    messengers: () => messengers,
    clock,
    log: logInto(log),
  });
  announcer.wake();
  return announcer;
}

const deploy = (target: string, subscribers: readonly Messenger[]) =>
  deployed(store, target, {}, subscribers, clock.now());

/** Whether nobody waits for anything to be told. */
const nothingWaits = async () => (await store.nextNoticeAt()) === null;

/** Resolves when the announcer has seen to everything that is due, and sleeps. */
async function settled(): Promise<void> {
  await until(() => clock.sleeping === 1);
}

describe("the announcer", () => {
  test("tells each subscriber what an earlier run left, oldest first, and what comes then", async () => {
    const [chat, pager] = [new Listener("chat"), new Listener("pager", ["failed"])];
    const both = [chat, pager];
    await deploy("blog", both);
    await deployed(store, "docs", { state: "failed" }, both, clock.now());
    const { wake } = announce(both);
    await until(() => chat.told.length === 2 && pager.told.length === 1);
    await deploy("shop", both);
    wake();
    await until(() => chat.told.length === 3);
    expect(chat.told).toEqual(["blog succeeded", "docs failed", "shop succeeded"]);
    expect(pager.told).toEqual(["docs failed"]);
    await settled();
    expect(await nothingWaits()).toBe(true);
  });

  test("tells one thing at a time to a subscriber, and does not let another wait for it", async () => {
    const [slow, quick] = [new Listener("slow"), new Listener("quick")];
    const answered = Promise.withResolvers<PostOutcome>();
    slow.answer = () => answered.promise;
    for (const target of ["blog", "docs", "shop"]) await deploy(target, [slow, quick]);
    announce([slow, quick]);
    await until(() => quick.told.length === 3);
    expect(slow.told).toEqual(["blog succeeded"]);
    answered.resolve({ kind: "taken" });
    await until(() => slow.told.length === 3);
    expect(slow.told).toEqual(["blog succeeded", "docs succeeded", "shop succeeded"]);
  });

  test("tries again with growing waits and gives up after the last", async () => {
    const chat = new Listener("chat");
    chat.answer = () => ({ kind: "failed", reason: "answered 503" });
    await deploy("blog", [chat]);
    announce([chat]);
    const waits = [5000, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 10 * HOUR];
    for (const [attempt, wait] of waits.entries()) {
      await until(() => chat.told.length === attempt + 1);
      await settled();
      expect((await store.nextNoticeAt())?.getTime()).toBe(clock.now().getTime() + wait);
      clock.advance(wait - 1);
      await settled();
      expect(chat.told).toHaveLength(attempt + 1);
      clock.advance(1);
    }
    await until(() => chat.told.length === 8);
    await settled();
    expect(await nothingWaits()).toBe(true);
    expect(log.at(-1)).toContain("gave up telling a subscriber");
    expect(log.at(-1)).toContain("answered 503");
  });

  test("goes on when a subscriber takes it again", async () => {
    const chat = new Listener("chat");
    chat.answer = () => ({ kind: "failed", reason: "no route" });
    await deploy("blog", [chat]);
    announce([chat]);
    await until(() => chat.told.length === 1);
    await settled();
    chat.answer = () => ({ kind: "taken" });
    clock.advance(5000);
    await until(() => chat.told.length === 2);
    await settled();
    expect(await nothingWaits()).toBe(true);
  });

  test("gives up at once on one that refuses", async () => {
    const chat = new Listener("chat");
    chat.answer = () => ({ kind: "refused", reason: "answered 410" });
    await deploy("blog", [chat]);
    announce([chat]);
    await until(() => chat.told.length === 1);
    await settled();
    expect(await nothingWaits()).toBe(true);
    expect(log.join("\n")).toContain("answered 410");
  });

  test("drops notices for those who are no longer configured, and tells the others", async () => {
    const [gone, chat] = [new Listener("gone"), new Listener("chat")];
    for (const target of ["blog", "docs"]) await deploy(target, [gone, chat]);
    announce([chat]);
    await until(() => chat.told.length === 2 && log.filter((line) => line.includes("gone")).length === 2);
    await settled();
    expect(gone.told).toEqual([]);
    expect(await nothingWaits()).toBe(true);
    expect(log.join("\n")).toContain("it is no longer configured");
  });

  test("drops a notice whose deployment is no longer kept", async () => {
    const chat = new Listener("chat");
    await deploy("blog", [chat]);
    announce([chat], { readDeployment: async () => null });
    await until(() => log.length === 1);
    await settled();
    expect(chat.told).toEqual([]);
    expect(await nothingWaits()).toBe(true);
  });

  test("tells nothing twice when the store cannot write down that it was taken", async () => {
    const chat = new Listener("chat");
    await deploy("blog", [chat]);
    let refusals = 0;
    announce([chat], {
      settleNotice: (id) => {
        if (refusals++ === 0) return Promise.reject(new Error("the disk is full"));
        return store.settleNotice(id);
      },
    });
    await until(() => refusals === 1 && clock.sleeping === 2);
    clock.advance(10_000);
    await until(() => refusals === 2);
    await settled();
    expect(chat.told).toHaveLength(1);
    expect(log.join("\n")).toContain("the disk is full");
  });

  test("asks again when the store could not answer", async () => {
    const chat = new Listener("chat");
    await deploy("blog", [chat]);
    let asked = 0;
    announce([chat], {
      dueNotices: (now, limit) => {
        if (asked++ === 0) return Promise.reject(new Error("locked"));
        return store.dueNotices(now, limit);
      },
    });
    await until(() => asked === 1 && clock.sleeping === 1);
    clock.advance(10_000);
    await until(() => chat.told.length === 1);
  });

  test("stops when what is being told is told, and writes that down", async () => {
    const chat = new Listener("chat");
    const answered = Promise.withResolvers<PostOutcome>();
    chat.answer = () => answered.promise;
    for (const target of ["blog", "docs"]) await deploy(target, [chat]);
    const { stop } = announce([chat]);
    await until(() => chat.told.length === 1);
    const stopped = stop();
    answered.resolve({ kind: "taken" });
    await stopped;
    expect(chat.told).toEqual(["blog succeeded"]);
    expect(await store.dueNotices(clock.now(), 10)).toMatchObject([{ deployment: 2 }]);
  });

  test("stops without one that does not answer, and tells it after the next start", async () => {
    const chat = new Listener("chat");
    const never = Promise.withResolvers<PostOutcome>();
    chat.answer = () => never.promise;
    await deploy("blog", [chat]);
    const { stop } = announce([chat]);
    await until(() => chat.told.length === 1);
    await settled();
    const stopped = stop();
    await until(() => clock.sleeping === 1);
    clock.advance(2000);
    await stopped;
    const again = new Listener("chat");
    announce([again]);
    await until(() => again.told.length === 1);
  });
});
