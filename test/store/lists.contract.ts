import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { Client } from "../../src/domain/client.ts";
import type { DeliveryFilter, DeploymentOutcome } from "../../src/domain/delivery.ts";
import { DEPLOYMENT_STATES } from "../../src/domain/deployment.ts";
import type { DeploymentFilter } from "../../src/domain/deployment-store.ts";
import type { Decision } from "../../src/domain/match.ts";
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
  pushFor,
  readPages,
  request,
  runNext,
  skippedPush,
  success,
} from "./sample.ts";

/** The contract of every store for lists, target status, clients and statistics. */
export function listsContract(open: () => Promise<OpenedStore>): void {
  let opened: OpenedStore;
  let store: Store;

  const openStore = async () => {
    opened = await open();
    store = opened.store;
  };

  describe("listing deliveries", () => {
    beforeEach(openStore);
    afterEach(() => opened.close());

    const filter = (own: Partial<DeliveryFilter> = {}): DeliveryFilter => ({
      source: null,
      status: null,
      target: null,
      ...own,
    });
    const list = (own: Partial<DeliveryFilter> = {}) =>
      store.listDeliveries(filter(own), { limit: 50, before: null });
    const idsOf = async (own: Partial<DeliveryFilter>) => (await list(own)).items.map(({ id }) => id);
    const keepOne = async (own: Parameters<typeof delivery>[0]) =>
      (await keep(store, delivery(own))).delivery;

    test("returns an empty page for an empty store", async () => {
      expect(await list()).toEqual({ items: [], next: null });
      expect(await list({ source: "github", status: "ok", target: "blog" })).toEqual({
        items: [],
        next: null,
      });
    });

    test("returns stored deliveries without the body, with the outcomes of their deployments", async () => {
      const identity = { id: "1", hook: "h" };
      const decisions: readonly Decision[] = [
        { target: "blog", deploy: true, code: null, reason: null },
        { target: "docs", deploy: false, code: "branch", reason: 'branch "main" is not "docs"' },
        { target: "shop", deploy: true, code: null, reason: null },
      ];
      const receipt = await keep(store, delivery({ identity, decisions, reason: "docs: why not" }));
      const [blog = 0, shop = 0] = receipt.deployments.map(({ id }) => id);
      await runNext(
        store,
        "blog",
        success(COMMIT_A, { state: "failed", code: "step_failed", reason: "why" }),
      );
      store = await opened.reopen();

      const unfollowed = { supersededBy: null, retriedAs: null };
      const outcomes: readonly DeploymentOutcome[] = [
        {
          deployment: blog,
          target: "blog",
          state: "failed",
          code: "step_failed",
          reason: "why",
          ...unfollowed,
        },
        { deployment: shop, target: "shop", state: "queued", code: null, reason: null, ...unfollowed },
      ];
      const { items, next } = await list();
      const stored = await store.readDelivery(receipt.delivery);
      expect(items.map((item) => ({ ...item, body: stored?.body }) as unknown)).toEqual([
        { ...stored, outcomes },
      ]);
      expect(items[0]).not.toHaveProperty("body");
      expect(next).toBeNull();
      expect(await store.readOutcomes(receipt.delivery)).toEqual(outcomes);
      expect(await store.readOutcomes(receipt.delivery + 1)).toEqual([]);
    });

    test("returns pages newest first, each delivery once, and null after the last page", async () => {
      const receipts = await Promise.all(Array.from({ length: 7 }, () => keep(store, pushFor("blog"))));
      const newestFirst = receipts.map((receipt) => receipt.delivery).toReversed();
      for (const own of [{}, { source: "github" }, { status: "ok" }, { target: "blog" }] as const) {
        for (const limit of [1, 3, 6, 7, 8]) {
          const pages = await readPages((range) => store.listDeliveries(filter(own), range), limit);
          expect(pages.flat()).toEqual(newestFirst);
          expect(pages.length).toBe(Math.ceil(7 / limit));
        }
      }
    });

    test("filters by source, by status, and by both", async () => {
      const a = await keepOne({ source: "github", status: "ok" });
      const b = await keepOne({ source: "webhook", status: "success" });
      const c = await keepOne({ source: "github", status: "skipped" });
      const d = await keepOne({ source: "mirror", status: "ok" });
      const e = await keepOne({ source: "github", status: "pong" });
      expect(await idsOf({ source: "github" })).toEqual([e, c, a]);
      expect(await idsOf({ source: "webhook" })).toEqual([b]);
      expect(await idsOf({ status: "ok" })).toEqual([d, a]);
      expect(await idsOf({ status: "success" })).toEqual([b]);
      expect(await idsOf({ source: "github", status: "ok" })).toEqual([a]);
      expect(await idsOf({ source: "webhook", status: "ok" })).toEqual([]);
      expect(await idsOf({ source: "nowhere" })).toEqual([]);
    });

    test("filters by a target that the delivery deployed", async () => {
      const both = (await keep(store, pushFor("blog", "docs"))).delivery;
      await keep(store, pushFor("docs"));
      await keep(store, delivery({ otherTargets: 1 }));
      await store.queueDeployment(request("blog"), at(1));
      const blog = (await keep(store, { ...pushFor("blog"), source: "mirror" })).delivery;
      expect(await idsOf({ target: "blog" })).toEqual([blog, both]);
      expect(await idsOf({ target: "blog", source: "mirror" })).toEqual([blog]);
      expect(await idsOf({ target: "blog", status: "skipped" })).toEqual([]);
      expect(await idsOf({ target: "shop" })).toEqual([]);
    });

    test("includes deliveries that matched the target without deploying it, even after a restart", async () => {
      const notDeployed = (...targets: string[]) => keep(store, skippedPush(...targets));
      const ids: number[] = [];
      for (let round = 0; round < 3; round += 1) {
        ids.unshift((await notDeployed("blog", "docs")).delivery);
        ids.unshift((await keep(store, pushFor("blog"))).delivery);
        await notDeployed("docs");
      }
      store = await opened.reopen();
      for (const limit of [1, 2, 5, 50]) {
        const pages = await readPages(
          (range) => store.listDeliveries(filter({ target: "blog" }), range),
          limit,
        );
        expect(pages.flat()).toEqual(ids);
        expect(pages.length).toBe(Math.ceil(ids.length / limit));
      }
      expect(await idsOf({ target: "blog", status: "skipped" })).toEqual(ids.filter((_, at) => at % 2 === 1));
      expect(await idsOf({ target: "blog", source: "mirror" })).toEqual([]);
    });

    test("lists a delivery once when its deployment was queued again", async () => {
      const first = (await keep(store, pushFor("blog"))).delivery;
      await store.claim(["blog"], at(1));
      const second = await keep(store, pushFor("blog"));
      await store.cancelQueued(onlyDeployment(second), "why", at(2));
      store = await opened.reopen();
      await store.recoverInterrupted(at(3), []);
      const third = (await keep(store, pushFor("blog"))).delivery;
      for (const limit of [1, 2, 50]) {
        const pages = await readPages(
          (range) => store.listDeliveries(filter({ target: "blog" }), range),
          limit,
        );
        expect(pages.flat()).toEqual([third, second.delivery, first]);
      }
      const { items } = await list({ target: "blog" });
      expect(items.at(-1)?.outcomes.map(({ state }) => state)).toEqual(["interrupted", "superseded"]);
    });

    test("lists a delivery blocked by a lock in order, before and after it is queued", async () => {
      const before = (await keep(store, pushFor("blog"))).delivery;
      await runNext(store, "blog", success(COMMIT_A));
      await store.lock(lockOf("blog"));
      const blocked = (await keep(store, blockedPush("blog"))).delivery;
      expect(await idsOf({ target: "blog" })).toEqual([blocked, before]);
      await store.unlock("blog", at(1));
      const after = (await keep(store, pushFor("blog"))).delivery;
      expect(await idsOf({ target: "blog" })).toEqual([after, blocked, before]);
    });

    test("starts before a given id, including one outside the results", async () => {
      const first = (await keep(store, pushFor("blog"))).delivery;
      const other = (await keep(store, pushFor("docs"))).delivery;
      await keep(store, pushFor("blog"));
      const page = await store.listDeliveries(filter({ target: "blog" }), { limit: 50, before: other });
      expect(page.items.map(({ id }) => id)).toEqual([first]);
      const none = await store.listDeliveries(filter(), { limit: 50, before: first });
      expect(none).toEqual({ items: [], next: null });
    });
  });

  describe("listing deployments", () => {
    beforeEach(openStore);
    afterEach(() => opened.close());

    const list = (own: Partial<DeploymentFilter> = {}) =>
      store.listDeployments({ target: null, state: null, source: null, ...own }, { limit: 50, before: null });
    const idsOf = async (own: Partial<DeploymentFilter>) => (await list(own)).items.map(({ id }) => id);
    const queue = async (target: string) =>
      (await store.queueDeployment(request(target), at(0))).deployment.id;

    test("returns an empty page for an empty store with any filter", async () => {
      for (const target of [null, "blog"]) {
        for (const state of [null, ...DEPLOYMENT_STATES]) {
          expect(await list({ target, state })).toEqual({ items: [], next: null });
        }
      }
    });

    test("returns the same data as reading a deployment by its id, even after a restart", async () => {
      const steps = [{ command: "true", exitCode: 0, signal: null, milliseconds: 1 }];
      await queue("blog");
      const id = await runNext(store, "blog", success(COMMIT_A, { steps }));
      store = await opened.reopen();
      const { items, next } = await list();
      expect<unknown>(items).toEqual([await store.readDeployment(id)]);
      expect(items[0]?.steps).toEqual(steps);
      expect(next).toBeNull();
    });

    test("filters by source, even among thousands of deployments of other sources", async () => {
      const of = async (source: string, ...targets: string[]) =>
        (await keep(store, { ...pushFor(...targets), source })).deployments.map(({ id }) => id);
      const few = [...(await of("mirror", "blog", "docs"))];
      await queue("shop");
      await Promise.all(Array.from({ length: 2100 }, () => of("github", "blog")));
      few.push(...(await of("mirror", "docs")));
      const newestFirst = few.toReversed();
      expect(await idsOf({ source: "mirror" })).toEqual(newestFirst);
      expect(await idsOf({ source: "mirror", target: "blog" })).toEqual(few.slice(0, 1));
      expect(await idsOf({ source: "mirror", state: "queued" })).toEqual(newestFirst.slice(0, 1));
      expect(await idsOf({ source: "github", state: "queued" })).toHaveLength(1);
      expect(await idsOf({ source: "nowhere" })).toEqual([]);
      for (const source of ["mirror", "github"]) {
        const pages = await readPages(
          (range) => store.listDeployments({ target: null, state: null, source }, range),
          2,
        );
        expect(pages.flat().length).toBe(source === "mirror" ? 3 : 2100);
      }
    });

    test("filters by target, by state, and by both", async () => {
      const superseded = await queue("blog");
      await queue("blog");
      const succeeded = await runNext(store, "blog", success(COMMIT_A));
      await queue("blog");
      const failed = await runNext(store, "blog", success(COMMIT_A, { state: "failed" }));
      await queue("docs");
      const docsFailed = await runNext(store, "docs", success(COMMIT_A, { state: "failed" }));
      const cancelled = await queue("docs");
      await store.cancelQueued(cancelled, "why", at(1));
      const running = await queue("blog");
      await store.claim(["blog"], at(2));
      const queued = await queue("blog");
      const states = { superseded, succeeded, cancelled, running, queued };

      for (const [state, id] of Object.entries(states) as [keyof typeof states, number][]) {
        expect(await idsOf({ state })).toEqual([id]);
        expect(await idsOf({ state, target: "docs" })).toEqual(state === "cancelled" ? [id] : []);
      }
      expect(await idsOf({ state: "failed" })).toEqual([docsFailed, failed]);
      expect(await idsOf({ state: "failed", target: "blog" })).toEqual([failed]);
      expect(await idsOf({ state: "interrupted" })).toEqual([]);
      expect(await idsOf({ target: "docs" })).toEqual([cancelled, docsFailed]);
      expect(await idsOf({})).toEqual([
        queued,
        running,
        cancelled,
        docsFailed,
        failed,
        succeeded,
        superseded,
      ]);
    });

    test("returns pages newest first, each deployment once, and null after the last page", async () => {
      const ids: number[] = [];
      for (let n = 0; n < 7; n += 1) ids.push(await queue(`target-${n}`));
      for (const state of [null, "queued"] as const) {
        for (const limit of [1, 3, 7]) {
          const pages = await readPages(
            (range) => store.listDeployments({ target: null, state, source: null }, range),
            limit,
          );
          expect(pages.flat()).toEqual(ids.toReversed());
          expect(pages.length).toBe(Math.ceil(7 / limit));
        }
      }
    });
  });

  describe("reading the status of a target", () => {
    beforeEach(openStore);
    afterEach(() => opened.close());

    const NOTHING = { live: null, latest: null, latestOfTip: null, queued: null, running: null, lock: null };
    const queue = async (target: string) =>
      (await store.queueDeployment(request(target), at(0))).deployment.id;

    test("returns an empty status for a target that was never deployed", async () => {
      await queue("docs");
      expect(await store.readTargetStatus("blog", at(0))).toEqual(NOTHING);
    });

    test("returns the live, running and queued deployments and the newest one that was not superseded", async () => {
      await queue("blog");
      const first = await runNext(store, "blog", success(COMMIT_A));
      const second = await queue("blog");
      await store.claim(["blog"], at(1));
      await queue("blog");
      const fourth = await queue("blog");
      await queue("docs");
      store = await opened.reopen();
      const expected = {
        ...NOTHING,
        live: await store.readLive("blog"),
        latest: await store.readDeployment(fourth),
        latestOfTip: await store.readDeployment(first),
        queued: fourth,
        running: second,
      };
      expect(expected.live).toMatchObject({ commit: COMMIT_A });
      expect(await store.readTargetStatus("blog", at(2))).toEqual(expected);
      await store.cancelQueued(fourth, "why", at(3));
      expect(await store.readTargetStatus("blog", at(4))).toMatchObject({
        latest: { id: fourth, state: "cancelled" },
        latestOfTip: { id: first },
        queued: null,
      });
    });

    test("returns the newest deployment of the tip, ignoring chosen commits and releases", async () => {
      await queue("blog");
      const tip = await runNext(store, "blog", success(COMMIT_B, { state: "failed" }));
      await queue("blog");
      await runNext(store, "blog", success(COMMIT_A, { state: "failed", commit: null }));
      const choice = { kind: "release", release: null } as const;
      const {
        deployment: { id: chosen },
      } = await store.queueDeployment(request("blog", { trigger: "rollback", choice }), at(0));
      await runNext(store, "blog", success(COMMIT_A));
      expect(await store.readTargetStatus("blog", at(1))).toMatchObject({
        live: { commit: COMMIT_A },
        latest: { id: chosen },
        latestOfTip: { id: tip, commit: COMMIT_B },
      });
    });

    test("returns the active lock, and null after it has expired", async () => {
      const lock = lockOf("blog", { until: at(5) });
      await store.lock(lock);
      await store.lock(lockOf("docs"));
      expect((await store.readTargetStatus("blog", at(4))).lock).toEqual(lock);
      expect((await store.readTargetStatus("blog", at(5))).lock).toBeNull();
      expect((await store.readTargetStatus("docs", at(5))).lock).toEqual(lockOf("docs"));
    });
  });

  describe("listing and revoking clients", () => {
    beforeEach(openStore);
    afterEach(() => opened.close());

    const client = (source: string, address: string, own: Partial<Client> = {}): Client => ({
      source,
      address,
      authorisedAt: at(0),
      expiresAt: at(60),
      ...own,
    });
    const list = async (source: string | null = null) =>
      (await store.listClients(source, { limit: 50, before: null })).items;

    test("lists the most recently authorised clients first, even after a restart", async () => {
      const a = client("webhook", "192.0.2.1");
      const b = client("other", "192.0.2.1");
      const again = client("webhook", "192.0.2.1", { authorisedAt: at(1), expiresAt: at(61) });
      for (const one of [a, b, again]) await store.authorise(one);
      store = await opened.reopen();
      const items = await list();
      expect(items.map(({ id, ...one }) => [typeof id, one])).toEqual([
        ["number", again],
        ["number", b],
      ]);
      expect(await list("other")).toMatchObject([b]);
      expect(await list("nowhere")).toEqual([]);
    });

    test("assigns a higher id at each authorisation, even after all clients were deleted", async () => {
      const given = client("webhook", "192.0.2.1");
      let highest = 0;
      for (const forget of [false, true, false]) {
        await store.authorise(given);
        const id = (await list())[0]?.id ?? 0;
        expect(id).toBeGreaterThan(highest);
        highest = id;
        if (forget) await store.forgetClient(given);
        store = await opened.reopen();
      }
    });

    test("returns pages with each client once, and null after the last page", async () => {
      for (let n = 1; n <= 5; n += 1) await store.authorise(client("webhook", `192.0.2.${n}`));
      for (const source of [null, "webhook"]) {
        for (const limit of [1, 2, 5]) {
          const pages = await readPages((range) => store.listClients(source, range), limit);
          expect(pages.flat()).toEqual((await list()).map(({ id }) => id));
          expect(pages.length).toBe(Math.ceil(5 / limit));
        }
      }
    });

    test("revokes an address at one source only, even after a restart", async () => {
      const webhook = client("webhook", "192.0.2.1");
      const other = client("other", "192.0.2.1");
      for (const one of [webhook, other, client("webhook", "192.0.2.2")]) await store.authorise(one);
      expect(await store.revokeClient("192.0.2.1", "webhook")).toEqual([webhook]);
      store = await opened.reopen();
      expect(await store.findClient("webhook", "192.0.2.1")).toBeNull();
      expect(await store.findClient("other", "192.0.2.1")).toEqual(other);
      expect(await list()).toHaveLength(2);
    });

    test("revokes an address at every source, and returns an empty list for an unknown address", async () => {
      const webhook = client("webhook", "192.0.2.1");
      const other = client("other", "192.0.2.1");
      const stays = client("webhook", "192.0.2.2");
      for (const one of [webhook, other, stays]) await store.authorise(one);
      expect(await store.revokeClient("192.0.2.1", null)).toEqual([webhook, other]);
      expect(await store.revokeClient("192.0.2.1", null)).toEqual([]);
      expect(await store.revokeClient("192.0.2.2", "other")).toEqual([]);
      expect(await list()).toMatchObject([stays]);
    });
  });

  describe("reading statistics", () => {
    beforeEach(openStore);
    afterEach(() => opened.close());

    test("resolves the probe when the store is writable", async () => {
      expect(await store.probe(at(1))).toBeUndefined();
    });

    test("counts queued and running deployments and the size of the files", async () => {
      const empty = await store.readStatistics();
      expect(empty).toMatchObject({ queued: 0, running: 0 });
      expect(empty.bytes).toBeGreaterThan(0);
      for (const target of ["blog", "docs", "shop"]) {
        await keep(store, { ...pushFor(target), body: Buffer.from("x".repeat(100_000)) });
      }
      await store.claim(["blog"], at(1));
      const full = await store.readStatistics();
      expect(full).toMatchObject({ queued: 2, running: 1 });
      expect(full.bytes).toBeGreaterThan(empty.bytes);
    });
  });
}
