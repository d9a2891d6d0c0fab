import {
  afterAll,
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  expect,
  setDefaultTimeout,
  test,
} from "bun:test";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import type { Fleet, RemoteChange } from "../../src/domain/host.ts";
import type { Store } from "../../src/domain/store.ts";
import type { Placement } from "../../src/domain/target.ts";
import { openPostgres } from "../../src/store/postgres.ts";
import { type Cluster, HAS_POSTGRES, startCluster } from "../support/postgres.ts";
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
  rejection,
  request,
  success,
} from "./sample.ts";

setDefaultTimeout(120_000);

/** Seconds. */
const LEASE = 120;
const PATIENCE = 300;
const patience = PATIENCE * 1000;

const BOTH: Placement = { hosts: ["web-1", "web-2"], rollout: "together" };
const IN_TURN: Placement = { hosts: ["web-1", "web-2"], rollout: "one-by-one" };
const failure = success(COMMIT_A, {
  state: "failed",
  code: "step_failed",
  reason: "npm ci exited with code 1",
});

describe.skipIf(!HAS_POSTGRES)("two stores on one database", () => {
  let cluster: Cluster;
  let url: string;
  let admin: pg.Client;
  let first: Store;
  let second: Store;

  beforeAll(async () => {
    cluster = await startCluster();
    url = await cluster.createDatabase(LEASE);
    admin = new pg.Client({ connectionString: url, options: "-c search_path=hooklatch" });
    await admin.connect();
    await (await openPostgres({ url, host: "web-1", patience })).close();
  });
  afterAll(async () => {
    await admin.end();
    await cluster.stop();
  });

  beforeEach(async () => {
    await cluster.empty(url);
    first = await openPostgres({ url, host: "web-1", patience });
    second = await openPostgres({ url, host: "web-2", patience });
  });
  afterEach(() => Promise.all([first.close(), second.close()]));

  /** As if nothing was heard of a host for a time. */
  const age = (host: string, seconds: number) =>
    admin.query("UPDATE host SET seen_at = seen_at - make_interval(secs => $2) WHERE name = $1", [
      host,
      seconds,
    ]);
  const stateOf = async (id: number) => (await first.readDeployment(id))?.state;
  const pushBoth = (placement = BOTH) => keep(first, pushFor("blog"), { placementOf: () => placement });

  test("recognise deliveries that the other stored, and number them in one sequence", async () => {
    const given = Array.from({ length: 100 }, (_, n) =>
      delivery({ identity: { id: `${n}`, hook: "h" }, body: Buffer.from(`{"n":${n}}`) }),
    );
    const results = await Promise.all(
      [first, second].flatMap((store) =>
        given.map((each) => store.accept(each, options({ onRedelivery: "skip" }))),
      ),
    );
    const stored = results.flatMap((result) => (result.kind === "stored" ? result.delivery : []));
    expect(results.filter(({ kind }) => kind === "duplicate")).toHaveLength(100);
    expect(stored.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, n) => n + 1));
  });

  test("show no delivery after one with a higher id", async () => {
    let last = 0;
    let late = 0;
    const seen = new Set<number>();
    const writing = Promise.all(
      [first, second].map(async (store) => {
        for (let round = 0; round < 20; round++) {
          await Promise.all(Array.from({ length: 10 }, () => keep(store, delivery())));
        }
      }),
    );
    const done = writing.then(() => true);
    for (let over = false; !over; over = await Promise.race([done, sleep(1).then(() => false)])) {
      const { rows } = await admin.query<{ id: string }>("SELECT id FROM delivery ORDER BY id");
      for (const id of rows.map((row) => Number(row.id))) {
        if (!seen.has(id) && id < last) late += 1;
        seen.add(id);
      }
      last = Math.max(0, ...seen);
    }
    expect([seen.size > 0, late]).toEqual([true, 0]);
  });

  test("claim only deployments of their own host, each once", async () => {
    await pushBoth();
    const claims = await Promise.all(
      [first, first, second, second].map((store) => store.claim(["blog"], at(1))),
    );
    const claimed = claims.filter((each) => each !== null);
    expect(claimed.map(({ host, state }) => `${host} ${state}`).toSorted()).toEqual([
      "web-1 running",
      "web-2 running",
    ]);
  });

  test("supersede on the same host only", async () => {
    const older = onlyDeployment(await keep(second, pushFor("blog")));
    const own = await keep(first, pushFor("blog"));
    expect([own.superseded, await stateOf(older)]).toEqual([[], "queued"]);
    const both = await pushBoth();
    expect(both.superseded.map(({ id }) => id).toSorted()).toEqual([older, onlyDeployment(own)]);
    expect(both.deployments.map(({ host }) => host)).toEqual(["web-1", "web-2"]);
  });

  test("deploy a target without hosts where it is configured", async () => {
    const describe = (store: Store, ...names: string[]) =>
      fleetOf(store).describeHost({ version: "1", targets: names.map((name) => ({ name, releases: [] })) });
    await describe(first, "docs");
    await describe(second, "blog", "docs");
    const placementOf = () => ({ hosts: null, rollout: "together" }) as const;
    const { deployments } = await keep(first, pushFor("blog", "docs"), { placementOf });
    expect(deployments.map(({ target, host }) => `${target} ${host}`)).toEqual([
      "blog web-2",
      "docs web-1",
      "docs web-2",
    ]);
  });

  test("do not deploy a target that the other has locked, also where the push was not yet known to be blocked", async () => {
    await second.lock(lockOf("blog"));
    const id = onlyDeployment(await keep(first, pushFor("blog")));
    expect(await first.claim(["blog"], at(1))).toBeNull();
    expect(await second.unlock("blog", at(2))).toMatchObject({ waiting: id });
    expect(await first.claim(["blog"], at(3))).toMatchObject({ id });
  });

  test("deploy a delivery that a lock blocked which the other has removed meanwhile", async () => {
    await first.lock(lockOf("blog"));
    await second.unlock("blog", at(1));
    const { deployments } = await keep(first, blockedPush("blog"), { placementOf: () => BOTH });
    expect(deployments.map(({ host, state }) => `${host} ${state}`)).toEqual([
      "web-1 queued",
      "web-2 queued",
    ]);
  });

  test("queue what a lock blocked on every host", async () => {
    await first.lock(lockOf("blog"));
    await keep(second, blockedPush("blog"), { placementOf: () => BOTH });
    const queued = (await first.unlock("blog", at(1)))?.queued;
    expect([queued?.deployment.host, queued?.others.map(({ host }) => host)]).toEqual(["web-1", ["web-2"]]);
  });

  describe("when a process is gone", () => {
    test("leave the runs of a host alone whose lease holds", async () => {
      await pushBoth();
      const running = await second.claim(["blog"], at(1));
      expect(await first.recoverInterrupted(at(2), [])).toEqual([]);
      expect(await stateOf(running?.id ?? 0)).toBe("running");
    });

    test("queue its run again for the same host once its lease has ended, and reject its late result", async () => {
      await pushBoth();
      const { id = 0 } = (await second.claim(["blog"], at(1))) ?? {};
      await age("web-2", LEASE + 5);
      const [lost] = await first.recoverInterrupted(at(2), []);
      expect(lost).toMatchObject({
        deployment: { id, state: "interrupted", code: "lease_lost" },
        retry: { host: "web-2", retryOf: id },
      });
      expect((await rejection(second.finish(id, success(COMMIT_A), at(3), []))).message).toContain(
        "is not running",
      );
      expect(await first.readLive("blog", "web-2")).toBeNull();
      // Its lease has ended: it may start nothing before it renewed it.
      expect(await second.claim(["blog"], at(4))).toBeNull();
      expect(await fleetOf(second).renew()).toEqual({ kind: "renewed", cancelled: [] });
      // Told once, so that it can clean up.
      expect(await second.recoverInterrupted(at(5), [])).toMatchObject([{ deployment: { id } }]);
      expect(await second.recoverInterrupted(at(5), [])).toEqual([]);
      expect(await second.claim(["blog"], at(6))).toMatchObject({ id: lost?.retry?.id ?? 0, attempt: 2 });
    });

    test("keep a run whose lease was renewed in time", async () => {
      await pushBoth();
      const { id = 0 } = (await second.claim(["blog"], at(1))) ?? {};
      await age("web-2", LEASE + 5);
      await fleetOf(second).renew();
      expect(await first.recoverInterrupted(at(2), [])).toEqual([]);
      await second.finish(id, success(COMMIT_A), at(3), []);
      expect(await second.readLive("blog")).toMatchObject({ commit: COMMIT_A });
      expect(await first.readLive("blog")).toBeNull();
    });

    test("let the next process of the host take over, and reject what the old one does", async () => {
      await keep(first, pushFor("blog"));
      const { id = 0 } = (await first.claim(["blog"], at(1))) ?? {};
      await age("web-1", LEASE + 5);
      const next = await openPostgres({ url, host: "web-1", patience });
      expect(await fleetOf(first).renew()).toEqual({ kind: "replaced" });
      expect(await next.recoverInterrupted(at(2), [])).toMatchObject([{ deployment: { id, code: "crash" } }]);
      expect(await first.claim(["blog"], at(3))).toBeNull();
      expect((await rejection(first.finish(id, success(COMMIT_A), at(3), []))).message).toContain(
        "is not running",
      );
      expect(await next.claim(["blog"], at(4))).toMatchObject({ attempt: 2 });
      await next.close();
    });

    test("refuse a second process with the name of a host that is up", async () => {
      const renewing = setInterval(() => void fleetOf(first).renew(), 100);
      const error = await rejection(openPostgres({ url, host: "web-1", patience }));
      clearInterval(renewing);
      expect(error).toMatchObject({ code: "failed" });
      expect(error.message).toMatchSnapshot();
    });
  });

  describe("in a one-by-one rollout", () => {
    const claimOn = (store: Store) => store.claim(["blog"], at(1));

    test("start on the next host when the one before has succeeded", async () => {
      const [one, two] = (await pushBoth(IN_TURN)).deployments;
      expect(two?.waitsFor).toBe(one?.id ?? 0);
      expect(await claimOn(second)).toBeNull();
      await claimOn(first);
      expect(await claimOn(second)).toBeNull();
      await first.finish(one?.id ?? 0, success(COMMIT_A), at(2), []);
      expect(await claimOn(second)).toMatchObject({ id: two?.id ?? 0 });
    });

    test("cancel the rest when one fails", async () => {
      const [one, two] = (await pushBoth(IN_TURN)).deployments;
      await claimOn(first);
      const { stopped } = await first.finish(one?.id ?? 0, failure, at(2), []);
      expect(stopped).toMatchObject([{ id: two?.id ?? 0, state: "cancelled", code: "rollout_stopped" }]);
    });

    test("wait for the retry of one that was interrupted", async () => {
      const [one, two] = (await pushBoth(IN_TURN)).deployments;
      await claimOn(first);
      await age("web-1", LEASE + 5);
      const [lost] = await second.recoverInterrupted(at(2), []);
      expect(lost?.deployment.id).toBe(one?.id ?? 0);
      expect(await first.readDeployment(two?.id ?? 0)).toMatchObject({
        state: "queued",
        waitsFor: lost?.retry?.id ?? 0,
      });
    });

    test("pass a host that is away for long, which deploys when it returns", async () => {
      const [one, two] = (await pushBoth(IN_TURN)).deployments;
      await age("web-1", LEASE + 5);
      await second.recoverInterrupted(at(2), []);
      expect(await claimOn(second)).toBeNull();
      await age("web-1", PATIENCE);
      await second.recoverInterrupted(at(3), []);
      expect(await claimOn(second)).toMatchObject({ id: two?.id ?? 0 });
      expect(await stateOf(one?.id ?? 0)).toBe("queued");
    });

    test("are superseded together by a newer push", async () => {
      const old = (await pushBoth(IN_TURN)).deployments;
      const newer = await pushBoth(IN_TURN);
      expect(newer.superseded.map(({ id }) => id)).toEqual(old.map(({ id }) => id));
      expect(await Promise.all(newer.deployments.map(({ id }) => stateOf(id)))).toEqual(["queued", "queued"]);
    });
  });

  test("send a notification once: the other gets it when the reservation has ended", async () => {
    const subscriptions = [{ name: "chat", targets: null, kinds: ["failed"] as const }];
    await keep(first, pushFor("blog"));
    const { id = 0 } = (await first.claim(["blog"], at(1))) ?? {};
    await first.finish(id, failure, at(2), subscriptions);
    expect(await first.dueNotifications(at(3), 9)).toHaveLength(1);
    expect(await second.dueNotifications(at(3), 9)).toEqual([]);
    expect(await first.dueNotifications(at(3), 9)).toHaveLength(1);
    await admin.query("UPDATE notification SET reserved_until = reserved_until - interval '61 seconds'");
    expect(await second.dueNotifications(at(3), 9)).toHaveLength(1);
    expect(await first.dueNotifications(at(3), 9)).toEqual([]);
  });

  describe("tell each other", () => {
    let changes: RemoteChange[];
    beforeEach(() => {
      changes = [];
      fleetOf(second).subscribe((change) => changes.push(change));
    });
    const heard = async (count: number) => {
      for (let wait = 0; changes.length < count && wait < 500; wait++) await sleep(10);
      return changes;
    };

    test("about deployments, locks, deliveries and output, in order", async () => {
      const { publish } = fleetOf(first);
      const receipt = await keep(first, pushFor("blog"));
      const [deployment] = receipt.deployments;
      if (deployment === undefined) throw new Error("nothing was queued");
      publish({ kind: "deployment", deployment });
      await first.lock(lockOf("blog"));
      publish({ kind: "lock", target: "blog", lock: lockOf("blog") });
      const reason = "why ".repeat(4000);
      publish({
        kind: "delivery",
        delivery: receipt.delivery,
        source: "github",
        event: "push",
        status: "ok",
        reason,
      });
      publish({ kind: "output", deployment: deployment.id });
      const events = (await heard(4)).map((change) => (change.kind === "event" ? change.event : null));
      expect(events).toEqual([
        { kind: "deployment", deployment },
        { kind: "lock", target: "blog", lock: lockOf("blog") },
        // The text was too long for a notice.
        {
          kind: "delivery",
          delivery: receipt.delivery,
          source: "github",
          event: "push",
          status: "ok",
          reason: null,
        },
        { kind: "output", deployment: deployment.id },
      ]);
    });

    test("whom a person wants to end", async () => {
      await pushBoth();
      const { id = 0 } = (await second.claim(["blog"], at(1))) ?? {};
      expect(await fleetOf(first).requestCancel(id, "cancelled by ada")).toBe(true);
      expect(await heard(1)).toEqual([{ kind: "cancel" }]);
      expect(await fleetOf(second).renew()).toEqual({
        kind: "renewed",
        cancelled: [{ deployment: id, reason: "cancelled by ada" }],
      });
      expect(await fleetOf(first).requestCancel(id + 99, "nobody")).toBe(false);
    });

    test("also after their connection was cut", async () => {
      await admin.query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE '%changes'",
      );
      for (let wait = 0; changes.length === 0 && wait < 500; wait++) {
        fleetOf(first).publish({ kind: "output", deployment: wait });
        await sleep(50);
      }
      expect(changes.length).toBeGreaterThan(0);
    });
  });

  test("list the hosts, drain one, and forget one that is away", async () => {
    await fleetOf(second).describeHost({ version: "1.2.3", targets: [{ name: "blog", releases: ["a"] }] });
    const list = async () =>
      (await fleetOf(first).listHosts()).map(({ name, state, isDraining }) => ({ name, state, isDraining }));
    await fleetOf(first).drainHost("web-2", true);
    const [one, two] = (await pushBoth(IN_TURN)).deployments;
    expect(await list()).toEqual([
      { name: "web-1", state: "up", isDraining: false },
      { name: "web-2", state: "up", isDraining: true },
    ]);
    await first.claim(["blog"], at(1));
    await first.finish(one?.id ?? 0, success(COMMIT_A), at(2), []);
    expect(await second.claim(["blog"], at(3))).toBeNull();
    expect(await fleetOf(first).forgetHost("web-2", at(4))).toEqual({ kind: "up" });
    await second.close();
    expect(await list()).toMatchObject([{ state: "up" }, { state: "away" }]);
    expect(await fleetOf(first).forgetHost("web-2", at(4))).toEqual({
      kind: "forgotten",
      cancelled: [two?.id ?? 0],
    });
    expect(await first.readDeployment(two?.id ?? 0)).toMatchObject({
      state: "cancelled",
      code: "host_forgotten",
    });
    expect(await fleetOf(first).forgetHost("web-2", at(4))).toEqual({ kind: "unknown host" });
    expect(await list()).toHaveLength(1);
  });

  test("share the answers to challenges", async () => {
    await fleetOf(first).challenges.store("token", "token.key");
    expect(await fleetOf(second).challenges.find("token")).toBe("token.key");
    await fleetOf(first).challenges.remove("token");
    expect(await fleetOf(second).challenges.find("token")).toBeNull();
  });

  test("roll back on their own host only", async () => {
    for (const [store, commit] of [
      [first, COMMIT_A],
      [second, COMMIT_B],
    ] as const) {
      await store.queueDeployment(request("blog"), at(0));
      const { id = 0 } = (await store.claim(["blog"], at(1))) ?? {};
      await store.finish(id, success(commit), at(2), []);
    }
    const liveOn = async (host: string) => (await first.readTargetStatus("blog", at(3), host)).live?.commit;
    expect([await liveOn("web-1"), await liveOn("web-2"), await liveOn("web-3")]).toEqual([
      COMMIT_A,
      COMMIT_B,
      undefined,
    ]);
    const filter = { target: "blog", state: null, source: null, host: "web-2" };
    expect((await first.listDeployments(filter, { limit: 9, before: null })).items).toMatchObject([
      { host: "web-2" },
    ]);
  });
});

function fleetOf({ fleet }: Store): Fleet {
  if (fleet === null) throw new Error("the store has one host");
  return fleet;
}
