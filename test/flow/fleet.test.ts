import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { Fleet, RemoteChange, Renewal } from "../../src/domain/host.ts";
import type { ServerEvent } from "../../src/domain/server-event.ts";
import { createEventBus, type EventBus } from "../../src/flow/event-bus.ts";
import { type FleetMember, type FleetServices, joinFleet } from "../../src/flow/fleet.ts";
import { errorMessage } from "../../src/lib/errors.ts";
import { TestClock } from "../support/clock.ts";
import { until } from "../support/until.ts";
import { RecordedLog } from "./recorded-log.ts";
import { deployed, openTestStore, type TestStore } from "./test-store.ts";

const TIMES = { renewEvery: 5_000, duration: 20_000, patience: 60_000 };
const RENEWED: Renewal = { kind: "renewed", cancelled: [] };

let opened: TestStore;
let clock: TestClock;
let log: RecordedLog;
let eventBus: EventBus;
let member: FleetMember | null;
/** What this process asked of the worker, the locks and the store, in order. */
let acts: string[];
/** The answers to renewals; an error for one that fails. The last one repeats. */
let renewals: (Renewal | Error)[];
/** What a renewal waits for before it is answered. */
let answering: Promise<void>;
/** Why the state of the host cannot be stored; null where it can. */
let describing: Error | null;
let releases: string[];
let change: (change: RemoteChange) => void;
let sent: ServerEvent[];

beforeEach(async () => {
  opened = await openTestStore();
  clock = new TestClock();
  log = new RecordedLog();
  acts = [];
  renewals = [RENEWED];
  answering = Promise.resolve();
  describing = null;
  releases = ["r1"];
  sent = [];
  member = null;
});

afterEach(async () => {
  await member?.stop();
  await opened.close();
});

async function join(): Promise<void> {
  const fleet: Pick<Fleet, "times" | "describeHost" | "renew" | "subscribe" | "publish"> = {
    times: TIMES,
    async describeHost({ targets }) {
      if (describing instanceof Error) throw describing;
      acts.push(`describe ${JSON.stringify(targets)}`);
    },
    async renew() {
      const renewal = (renewals.length > 1 ? renewals.shift() : renewals[0]) ?? RENEWED;
      acts.push(renewal instanceof Error ? "fail" : renewal.kind);
      await answering;
      if (renewal instanceof Error) throw renewal;
      return renewal;
    },
    subscribe(listener) {
      change = listener;
      return () => void acts.push("unsubscribe");
    },
    publish: (event) => void sent.push(event),
  };
  eventBus = createEventBus(clock, fleet);
  const services: FleetServices = {
    store: opened.store,
    clock,
    log,
    publish: eventBus.publish,
    eventBus,
    wakeNotifier: () => void acts.push("wake notifier"),
    worker: {
      wake: () => void acts.push("wake"),
      cancel: (id, reason) => acts.push(`cancel ${id} ${reason}`) > 0,
      loseLease: () => void acts.push("lose"),
      regainLease: () => void acts.push("regain"),
    },
    locks: { reload: async () => void acts.push("reload locks") },
    subscriptions: () => [],
    version: "1.2.3",
    listTargets: async () => [{ name: "blog", releases }],
    onReplaced: () => void acts.push("stop"),
  };
  // The parts that this test leaves out would be called by nothing else.
  member = await joinFleet(fleet as Fleet, services);
  await until(() => acts.includes("wake notifier"));
}

/** Forgets the acts so far, advances the time to the next renewal, and returns the acts when `last` is among them. */
async function actsUntil(last: string, milliseconds = TIMES.renewEvery): Promise<readonly string[]> {
  acts = [];
  clock.advance(milliseconds);
  await until(() => acts.includes(last));
  return acts;
}

describe("fleet", () => {
  test("stores what the host deploys before it renews its lease, and keeps up with the others after each renewal", async () => {
    await join();
    const renewed = ["renewed", "reload locks", "wake", "wake notifier"];
    expect(acts).toEqual(['describe [{"name":"blog","releases":["r1"]}]', ...renewed]);
    expect(await actsUntil("wake notifier")).toEqual(renewed);
  });

  test("leaves no timer behind when it cannot join", async () => {
    describing = new Error("the database is away");
    const error = await join().then(() => null, errorMessage);
    expect(error).toBe("the database is away");
    await until(() => clock.sleeping === 0);
  });

  test("renews in time when the answer to a renewal was late", async () => {
    const late = Promise.withResolvers<void>();
    answering = late.promise;
    const joining = join();
    await until(() => acts.includes("renewed"));
    clock.advance(TIMES.renewEvery + 1);
    acts = [];
    answering = Promise.resolve();
    late.resolve();
    await joining;
    await until(() => acts.includes("renewed"));
    expect(acts).not.toContain("lose");
  });

  test("reports the releases again when a deployment of this host has ended", async () => {
    await join();
    releases = ["r2", "r1"];
    const id = await deployed(opened.store, "blog");
    const deployment = await opened.store.readDeployment(id);
    if (deployment === null) throw new Error("the deployment is not stored");
    acts = [];
    eventBus.publish({ kind: "deployment", deployment: { ...deployment, host: "another" } });
    eventBus.publish({ kind: "deployment", deployment });
    await until(() => acts.length > 0);
    expect(acts).toEqual(['describe [{"name":"blog","releases":["r2","r1"]}]']);
    expect(sent).toHaveLength(2);
  });

  test("ends the deployments that a person cancelled on another host", async () => {
    await join();
    renewals = [{ kind: "renewed", cancelled: [{ deployment: 7, reason: "cancelled by ada" }] }];
    acts = [];
    change({ kind: "cancel" });
    await until(() => acts.includes("wake notifier"));
    expect(acts.slice(0, 2)).toEqual(["renewed", "cancel 7 cancelled by ada"]);
  });

  test("gives up its deployments when three quarters of the lease are over, and resumes with the next renewal", async () => {
    await join();
    renewals = [new Error("the database does not answer")];
    for (const _ of [5, 10]) expect(await actsUntil("fail")).toEqual(["fail"]);
    expect(await actsUntil("lose")).toContain("lose");
    expect(await actsUntil("fail")).toEqual(["fail"]);
    renewals = [RENEWED];
    expect((await actsUntil("wake notifier")).slice(0, 2)).toEqual(["renewed", "regain"]);
    expect(log.entries.filter(({ level }) => level === "error")).toHaveLength(1);
  });

  test("waits for no lease any more after it was stopped during a renewal", async () => {
    await join();
    const { promise, resolve } = Promise.withResolvers<void>();
    answering = promise;
    await actsUntil("renewed");
    const stopped = member?.stop();
    resolve();
    await stopped;
    acts = [];
    clock.advance(TIMES.duration);
    await Bun.sleep(1);
    expect(acts).toEqual([]);
    expect(log.entries.filter(({ level }) => level === "error")).toEqual([]);
  });

  test("stops when another process took over the name of the host", async () => {
    await join();
    renewals = [{ kind: "replaced" }];
    expect(await actsUntil("stop")).toEqual(["replaced", "lose", "stop"]);
    acts = [];
    clock.advance(60_000);
    await member?.stop();
    expect(acts).toEqual(["unsubscribe"]);
  });

  test("passes on the events of other processes without sending them back", async () => {
    await join();
    const events: ServerEvent["kind"][] = [];
    eventBus.subscribe(({ kind }) => void events.push(kind));
    acts = [];
    change({ kind: "event", event: { kind: "lock", target: "blog", lock: null } });
    change({ kind: "event", event: { kind: "output", deployment: 3 } });
    await until(() => acts.includes("wake"));
    expect(acts).toEqual(["reload locks", "wake"]);
    expect(events).toEqual(["lock", "output"]);
    expect(sent).toEqual([]);
  });
});
