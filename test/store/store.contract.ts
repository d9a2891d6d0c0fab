import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import fc from "fast-check";
import { type Choice, MAX_OUTPUT_BYTES, OUTPUT_LINE_COST } from "../../src/domain/deployment.ts";
import type { Store } from "../../src/domain/store.ts";
import { replaceNul } from "../../src/lib/text.ts";
import { numbersIn } from "../support/words.ts";
import { blocksContract } from "./blocks.contract.ts";
import { ciContract } from "./ci.contract.ts";
import { duplicatesContract } from "./duplicates.contract.ts";
import { listsContract } from "./lists.contract.ts";
import { locksContract } from "./locks.contract.ts";
import { notificationsContract } from "./notifications.contract.ts";
import type { OpenedStore } from "./opened-store.ts";
import { queueContract } from "./queue.contract.ts";
import { rangesContract } from "./ranges.contract.ts";
import { retentionContract } from "./retention.contract.ts";
import {
  at,
  COMMIT_A,
  COMMIT_B,
  delivery,
  keep,
  onlyDeployment,
  pushFor,
  rejection,
  request,
  runNext,
  success,
} from "./sample.ts";

/** The contract of every store. Runs once for each implementation. */
export function storeContract(name: string, open: () => Promise<OpenedStore>): void {
  describe(`${name} store`, () => {
    duplicatesContract(open);
    blocksContract(open);
    retentionContract(open);
    listsContract(open);
    locksContract(open);
    notificationsContract(open);
    rangesContract(open);
    queueContract(open);
    ciContract(open);

    let opened: OpenedStore;
    let store: Store;

    beforeEach(async () => {
      opened = await open();
      store = opened.store;
    });
    afterEach(() => opened.close());

    const queue = async (target: string) =>
      onlyDeployment(await keep(store, pushFor(target), { pushedCommit: COMMIT_A }));
    const stateOf = async (id: number) => (await store.readDeployment(id))?.state;

    test("a rollback has the subject and the author that an earlier deployment of the commit read", async () => {
      for (const [commit, subject] of [
        [COMMIT_A, "First"],
        [COMMIT_B, "Second"],
        [COMMIT_A, null],
      ] as const) {
        await store.queueDeployment(request("blog"), at(0));
        const author = subject === null ? null : "Ada";
        const commitUrl = `https://forge.example/${commit}`;
        await runNext(store, "blog", success(commit, { subject, author, commitUrl }));
      }
      expect(await store.readDeployment(3)).toMatchObject({
        commit: COMMIT_A,
        subject: "First",
        author: "Ada",
        commitUrl: `https://forge.example/${COMMIT_A}`,
      });
    });

    describe("storing deliveries", () => {
      test("returns a delivery unchanged, byte for byte, for any content", async () => {
        const text = fc.string({ unit: "binary", maxLength: 40 }).map(replaceNul);
        let runs = 0;
        const any = fc.record({
          reason: fc.option(text),
          identity: fc.option(fc.record({ id: fc.option(text), hook: fc.option(text) })),
          headers: fc.dictionary(fc.string({ minLength: 1 }), text, { maxKeys: 4, noNullPrototype: true }),
          body: fc.oneof(
            fc.uint8Array({ maxLength: 600 }),
            fc.integer({ min: 0, max: 40_000 }).map((size) => new Uint8Array(size)),
          ),
          decisions: fc.uniqueArray(
            fc.record({
              target: text,
              deploy: fc.constant(false),
              code: fc.constant("branch"),
              reason: text,
            }),
            { maxLength: 3, selector: ({ target }) => target },
          ),
          otherTargets: fc.nat(),
        });
        await fc.assert(
          fc.asyncProperty(any, async (own) => {
            runs += 1;
            // A separate source for each run, so that no delivery is a duplicate of an earlier one.
            const given = delivery({ ...own, source: `source-${runs}` });
            const { delivery: id, deployments } = await keep(store, given);
            expect(deployments).toEqual([]);
            expect(await store.readDelivery(id)).toEqual({
              ...given,
              id,
              redeliveryOf: null,
              replayOf: null,
              deployments: [],
            });
          }),
          { numRuns: 60 },
        );
      });

      test("stores 200 concurrent deliveries under distinct ids, even after a restart", async () => {
        const given = Array.from({ length: 200 }, (_, n) =>
          delivery({ body: Buffer.from(`body ${n} `.repeat(n)) }),
        );
        const receipts = await Promise.all(given.map((one) => keep(store, one)));
        expect(new Set(receipts.map((receipt) => receipt.delivery)).size).toBe(200);

        store = await opened.reopen();
        for (const [n, { delivery: id }] of receipts.entries()) {
          const stored = await store.readDelivery(id);
          expect(Buffer.from(stored?.body ?? []).toString()).toBe(`body ${n} `.repeat(n));
        }
      });

      test("assigns increasing ids to deliveries, even after a restart", async () => {
        const first = await keep(store, delivery());
        store = await opened.reopen();
        const second = await keep(store, delivery());
        expect(second.delivery).toBeGreaterThan(first.delivery);
      });

      test("returns null for an unknown delivery", async () => {
        expect(await store.readDelivery(1)).toBeNull();
      });

      test("stores pending deliveries when it is closed, and rejects later ones", async () => {
        const pending = keep(store, pushFor("blog"));
        await store.close();
        const receipt = await pending;
        expect(await rejection(keep(store, pushFor("blog")))).toMatchObject({ code: "unavailable" });

        store = await opened.reopen();
        expect(await store.readDelivery(receipt.delivery)).toMatchObject({
          deployments: [onlyDeployment(receipt)],
        });
        expect(await store.readDelivery(receipt.delivery + 1)).toBeNull();
        expect(await store.readDeployment(onlyDeployment(receipt) + 1)).toBeNull();
      });
    });

    describe("queueing deployments", () => {
      test("queues one deployment for each decision to deploy, and none for the others", async () => {
        const given = delivery({
          receivedAt: at(7),
          decisions: [
            { target: "blog", deploy: true, code: null, reason: null },
            { target: "docs", deploy: false, code: "branch", reason: 'branch "main" is not "docs"' },
            { target: "shop", deploy: true, code: null, reason: null },
          ],
        });
        const receipt = await keep(store, given, { pushedCommit: COMMIT_A });
        expect(receipt.deployments.map(({ target }) => target)).toEqual(["blog", "shop"]);
        const ids = receipt.deployments.map(({ id }) => id);
        expect((await store.readDelivery(receipt.delivery))?.deployments).toEqual(ids);

        expect(await store.readDeployment(ids[0] ?? 0)).toEqual({
          id: ids[0] ?? 0,
          target: "blog",
          host: store.host,
          waitsFor: null,
          state: "queued",
          code: null,
          reason: null,
          trigger: "push",
          attempt: 1,
          retryOf: null,
          retriedAs: null,
          supersededBy: null,
          delivery: receipt.delivery,
          pushedCommit: COMMIT_A,
          choice: null,
          branch: null,
          commit: null,
          subject: null,
          author: null,
          commitUrl: null,
          previousCommit: null,
          release: null,
          createdAt: at(7),
          startedAt: null,
          endedAt: null,
          steps: [],
        });
      });

      test("supersedes older queued deployments of a target and records by which", async () => {
        const other = await queue("docs");
        const first = await queue("blog");
        const second = await queue("blog");
        const newer = { ...pushFor("blog"), receivedAt: at(5) };
        const receipt = await keep(store, newer, { pushedCommit: COMMIT_B });
        const third = onlyDeployment(receipt);
        expect(receipt.superseded).toMatchObject([{ id: second }]);
        for (const returned of [...receipt.deployments, ...receipt.superseded]) {
          expect(await store.readDeployment(returned.id)).toEqual(returned);
        }

        const superseded = await Promise.all([first, second].map((id) => store.readDeployment(id)));
        expect(superseded).toMatchObject([
          { state: "superseded", code: "superseded", reason: null, supersededBy: second, endedAt: at(0) },
          { state: "superseded", code: "superseded", reason: null, supersededBy: third, endedAt: at(5) },
        ]);
        expect(await stateOf(third)).toBe("queued");
        expect(await stateOf(other)).toBe("queued");
      });

      test("supersedes all but the newest of twenty concurrent deployments of a target", async () => {
        const ids = (await Promise.all(Array.from({ length: 20 }, () => keep(store, pushFor("blog"))))).map(
          onlyDeployment,
        );
        const states = await Promise.all(ids.map(stateOf));
        expect(states.slice(0, -1).every((state) => state === "superseded")).toBe(true);
        expect(states.at(-1)).toBe("queued");
      });

      test("queues a deployment without a delivery, which supersedes the queued one", async () => {
        const queued = await queue("blog");
        const request = { target: "blog", trigger: "catch-up" as const, commit: COMMIT_B, choice: null };
        const { deployment, superseded } = await store.queueDeployment(request, at(3));
        const { id } = deployment;
        expect([await store.readDeployment(id), await store.readDeployment(queued)]).toEqual([
          deployment,
          ...superseded,
        ]);
        expect(deployment).toMatchObject({
          target: "blog",
          state: "queued",
          trigger: "catch-up",
          delivery: null,
          pushedCommit: COMMIT_B,
          createdAt: at(3),
        });
        expect(superseded).toMatchObject([{ id: queued, state: "superseded", supersededBy: id }]);
      });

      test("preserves the chosen commit or release after a restart and when the deployment is queued again", async () => {
        const choices: readonly Choice[] = [
          { kind: "commit", commit: COMMIT_A.slice(0, 7) },
          { kind: "release", release: "20261121T203000Z-aaaaaaaaaaaa" },
          { kind: "release", release: null },
        ];
        for (const [n, choice] of choices.entries()) {
          const target = `target-${n}`;
          const {
            deployment: { id },
          } = await store.queueDeployment({ target, trigger: "rollback", commit: null, choice }, at(0));
          store = await opened.reopen();
          expect(await store.readDeployment(id)).toMatchObject({ trigger: "rollback", choice });
          await store.claim([target], at(1));
          store = await opened.reopen();
          const [interrupted] = await store.recoverInterrupted(at(2), []);
          expect(await store.readDeployment(interrupted?.retry?.id ?? 0)).toMatchObject({ choice });
          await store.claim([target], at(3));
          const result = success(COMMIT_A, { state: "interrupted", code: "shutdown" });
          await store.finish(interrupted?.retry?.id ?? 0, result, at(4), []);
          expect(await store.claim([target], at(5))).toMatchObject({ choice });
          await store.finish((interrupted?.retry?.id ?? 0) + 1, success(COMMIT_A), at(6), []);
        }
      });

      test("does not supersede a running deployment", async () => {
        const running = await queue("blog");
        await store.claim(["blog"], at(1));
        const queued = await queue("blog");
        expect(await stateOf(running)).toBe("running");
        expect(await stateOf(queued)).toBe("queued");
      });
    });

    describe("claiming a deployment", () => {
      test("returns the oldest deployment whose target is idle, or null", async () => {
        const blog = await queue("blog");
        const docs = await queue("docs");
        const targets = ["docs", "blog"];
        expect(await store.claim(targets, at(1))).toMatchObject({
          id: blog,
          target: "blog",
          state: "running",
          startedAt: at(1),
          endedAt: null,
        });
        const nextBlog = await queue("blog");
        expect(await store.claim(targets, at(2))).toMatchObject({ id: docs });
        expect(await store.claim(targets, at(3))).toBeNull();
        expect(await stateOf(nextBlog)).toBe("queued");

        await store.finish(blog, success(COMMIT_A), at(4), []);
        expect(await store.claim(targets, at(5))).toMatchObject({ id: nextBlog });
      });

      test("does not claim deployments of targets that are not listed", async () => {
        const id = await queue("blog");
        expect(await store.claim([], at(1))).toBeNull();
        expect(await store.claim(["docs"], at(1))).toBeNull();
        expect(await stateOf(id)).toBe("queued");
      });

      test("never runs two deployments of a target when claims are concurrent", async () => {
        await queue("blog");
        await store.claim(["blog"], at(1));
        await queue("blog");
        await queue("docs");
        const claims = await Promise.all(
          Array.from({ length: 5 }, () => store.claim(["blog", "docs"], at(2))),
        );
        expect(claims.filter((claim) => claim !== null).map(({ target }) => target)).toEqual(["docs"]);
      });

      test("accepts a thousand target names", async () => {
        const id = await queue("target-999");
        const names = Array.from({ length: 1000 }, (_, n) => `target-${n}`);
        expect(await store.claim(names, at(1))).toMatchObject({ id });
      });

      test("claims a deployment that was queued before a restart", async () => {
        const id = await queue("blog");
        store = await opened.reopen();
        expect(await store.claim(["blog"], at(1))).toMatchObject({ id, pushedCommit: COMMIT_A });
      });

      test("records the previously live commit", async () => {
        await queue("blog");
        const first = await store.claim(["blog"], at(1));
        expect(first?.previousCommit).toBeNull();
        await store.finish(first?.id ?? 0, success(COMMIT_A), at(2), []);
        await queue("blog");
        expect(await store.claim(["blog"], at(3))).toMatchObject({ previousCommit: COMMIT_A });
      });
    });

    describe("finishing a deployment", () => {
      test("stores the result of a success, its steps in order, and the new live release", async () => {
        const id = await queue("blog");
        await store.claim(["blog"], at(1));
        const steps = [
          { command: "npm ci", exitCode: 0, signal: null, milliseconds: 1234 },
          { command: "npm run build", exitCode: null, signal: "SIGTERM", milliseconds: 5 },
        ];
        const result = success(COMMIT_A, { reason: "the tip is newer than the push", steps });
        const { deployment: finished } = await store.finish(id, result, at(9), []);
        expect(finished).toMatchObject({ ...result, id, startedAt: at(1), endedAt: at(9) });

        store = await opened.reopen();
        expect(await store.readDeployment(id)).toEqual(finished);
        expect(await store.readLive("blog")).toEqual({
          commit: COMMIT_A,
          release: result.release,
          since: at(9),
        });
        expect(await store.readLive("docs")).toBeNull();
      });

      test("rounds the duration of a step to whole milliseconds", async () => {
        const id = await queue("blog");
        await store.claim(["blog"], at(1));
        const steps = [{ command: "true", exitCode: 0, signal: null, milliseconds: 1.7 }];
        const { deployment: finished } = await store.finish(id, success(COMMIT_A, { steps }), at(2), []);
        expect(finished.steps[0]?.milliseconds).toBe(2);
      });

      test("replaces the live release after a later success", async () => {
        for (const [n, commit] of [COMMIT_A, COMMIT_B].entries()) {
          const id = await queue("blog");
          await store.claim(["blog"], at(n));
          await store.finish(id, success(commit), at(n), []);
        }
        expect(await store.readLive("blog")).toMatchObject({ commit: COMMIT_B, since: at(1) });
      });

      test.each([
        ["failed", "step_failed"],
        ["cancelled", "cancelled"],
        ["interrupted", "shutdown"],
      ] as const)("does not change the live release when the deployment ends as %s", async (state, code) => {
        const first = await queue("blog");
        await store.claim(["blog"], at(1));
        await store.finish(first, success(COMMIT_A), at(2), []);
        const second = await queue("blog");
        await store.claim(["blog"], at(3));
        const result = success(COMMIT_B, { state, code, reason: "why" });
        const { deployment: finished } = await store.finish(second, result, at(4), []);
        expect(finished).toMatchObject({ state, code, reason: "why", endedAt: at(4) });
        expect(await store.readLive("blog")).toMatchObject({ commit: COMMIT_A, since: at(2) });
      });

      test("queues an interrupted deployment again, no matter how often the server is stopped", async () => {
        const {
          deployment: { id },
        } = await store.queueDeployment(
          { target: "blog", trigger: "catch-up", commit: COMMIT_B, choice: null },
          at(0),
        );
        await store.claim(["blog"], at(1));
        const result = success(COMMIT_A, { state: "interrupted", code: "shutdown" });
        const interrupted = await store.finish(id, result, at(2), []);
        expect(interrupted).toMatchObject({
          deployment: {
            state: "interrupted",
            code: "shutdown",
            reason: null,
            retriedAs: 2,
            supersededBy: null,
          },
          retry: { id: 2, state: "queued", retryOf: 1 },
        });
        expect(await store.readDeployment(2)).toEqual(interrupted.retry);
        const again = await store.claim(["blog"], at(3));
        expect(again).toMatchObject({ trigger: "catch-up", pushedCommit: COMMIT_B, createdAt: at(2) });
        await store.finish(again?.id ?? 0, result, at(4), []);
        expect(await store.claim(["blog"], at(5))).toMatchObject({
          attempt: 1,
          retryOf: 2,
          pushedCommit: COMMIT_B,
        });
      });

      test("throws and changes nothing when the deployment is not running", async () => {
        const id = await queue("blog");
        const ids = [id, id + 1];
        const errors = await Promise.all(
          ids.map((each) => rejection(store.finish(each, success(COMMIT_A), at(1), []))),
        );
        expect(errors.map(({ message }) => numbersIn(message))).toEqual([[id], [id + 1]]);
        expect(errors.map(({ message }) => message)).toMatchSnapshot();
        expect(await store.readDeployment(id)).toMatchObject({
          state: "queued",
          endedAt: null,
          commit: null,
        });
        expect(await store.readLive("blog")).toBeNull();
      });
    });

    describe("cancelling a queued deployment", () => {
      test("stores the state and the reason, even after a restart, and claims the next deployment", async () => {
        const id = await queue("blog");
        const other = await queue("docs");
        const cancelled = await store.cancelQueued(id, "cancelled by ada", at(3));
        expect(cancelled).toMatchObject({
          id,
          state: "cancelled",
          code: "cancelled",
          reason: "cancelled by ada",
          startedAt: null,
          endedAt: at(3),
        });
        store = await opened.reopen();
        expect(await store.readDeployment(id)).toEqual(cancelled);
        expect(await stateOf(other)).toBe("queued");
        expect(await store.claim(["blog"], at(4))).toBeNull();
        const next = await queue("blog");
        expect(await store.claim(["blog"], at(5))).toMatchObject({ id: next });
      });

      test("returns null and changes nothing for a running, finished or unknown deployment", async () => {
        const id = await queue("blog");
        await store.claim(["blog"], at(1));
        expect(await store.cancelQueued(id, "why", at(2))).toBeNull();
        expect(await stateOf(id)).toBe("running");
        const { deployment: finished } = await store.finish(id, success(COMMIT_A), at(3), []);
        expect(await store.cancelQueued(id, "why", at(4))).toBeNull();
        expect(await store.readDeployment(id)).toEqual(finished);
        expect(await store.cancelQueued(id + 1, "why", at(4))).toBeNull();
      });
    });

    describe("recovering after a restart", () => {
      test("marks only running deployments as interrupted", async () => {
        const running = await queue("blog");
        await store.claim(["blog"], at(1));
        const queued = await queue("blog");
        store = await opened.reopen();

        const interrupted = await store.recoverInterrupted(at(9), []);
        expect(interrupted).toHaveLength(1);
        expect(interrupted[0]?.deployment).toMatchObject({
          id: running,
          state: "interrupted",
          code: "crash",
          reason: null,
          retriedAs: null,
          supersededBy: queued,
          startedAt: at(1),
          endedAt: at(9),
        });
        expect(await stateOf(queued)).toBe("queued");
        expect(await store.recoverInterrupted(at(10), [])).toEqual([]);
        expect(await store.claim(["blog"], at(11))).toMatchObject({ id: queued });
      });

      test("queues an interrupted deployment again once", async () => {
        const receipt = await keep(store, pushFor("blog"), { pushedCommit: COMMIT_A });
        const first = onlyDeployment(receipt);
        await store.claim(["blog"], at(1));
        store = await opened.reopen();
        const [interrupted] = await store.recoverInterrupted(at(9), []);
        const second = interrupted?.retry?.id ?? 0;
        expect(second).toBeGreaterThan(first);
        expect(interrupted?.deployment).toMatchObject({
          code: "crash",
          retriedAs: second,
          supersededBy: null,
        });
        expect(await store.readDeployment(second)).toEqual(interrupted?.retry ?? null);
        expect(await store.readDeployment(second)).toMatchObject({
          target: "blog",
          host: store.host,
          waitsFor: null,
          state: "queued",
          code: null,
          reason: null,
          trigger: "push",
          attempt: 2,
          retryOf: first,
          delivery: receipt.delivery,
          pushedCommit: COMMIT_A,
          createdAt: at(9),
          startedAt: null,
        });
        expect((await store.readDelivery(receipt.delivery))?.deployments).toEqual([first, second]);

        expect(await store.claim(["blog"], at(10))).toMatchObject({ id: second });
        store = await opened.reopen();
        const [last] = await store.recoverInterrupted(at(11), []);
        expect(last).toMatchObject({
          deployment: {
            id: second,
            state: "interrupted",
            code: "crash",
            attempt: 2,
            retriedAs: null,
            supersededBy: null,
          },
          retry: null,
        });
        expect(await store.claim(["blog"], at(12))).toBeNull();
      });

      test("does not queue an interrupted deployment again when a newer one of the target is queued", async () => {
        await queue("blog");
        await store.claim(["blog"], at(1));
        const queued = await queue("blog");
        store = await opened.reopen();
        expect(await store.recoverInterrupted(at(9), [])).toMatchObject([{ retry: null }]);
        expect(await store.readDeployment(queued + 1)).toBeNull();
      });

      test("cancels only queued deployments of targets that are no longer configured", async () => {
        const running = await queue("old");
        await store.claim(["old"], at(1));
        const orphan = await queue("old");
        const configured = await queue("blog");

        const cancelled = await store.cancelUnconfigured(["blog"], at(2));
        expect(cancelled).toHaveLength(1);
        expect(cancelled[0]).toMatchObject({
          id: orphan,
          state: "cancelled",
          code: "not_configured",
          reason: null,
          endedAt: at(2),
        });
        expect(await stateOf(running)).toBe("running");
        expect(await stateOf(configured)).toBe("queued");
      });

      test("returns null for an unknown deployment", async () => {
        expect(await store.readDeployment(1)).toBeNull();
      });
    });

    describe("storing output", () => {
      test("returns the lines of one deployment in order, even after a restart", async () => {
        const id = await queue("blog");
        const other = await queue("docs");
        await store.appendOutput(id, ["first", "", "  ünï\ufffdcode 🎉"]);
        await store.appendOutput(other, ["other"]);
        store = await opened.reopen();
        await store.appendOutput(id, []);
        await store.appendOutput(id, ["last"]);
        expect(await store.readOutput(id)).toEqual(["first", "", "  ünï\ufffdcode 🎉", "last"]);
        expect(await store.readOutput(other)).toEqual(["other"]);
      });

      test("returns the last lines that fit in a number of bytes", async () => {
        const id = await queue("blog");
        await store.appendOutput(id, ["first", "ü", "", "last"]);
        const read = (bytes: number) => store.readOutput(id, bytes);
        expect(await read(4)).toEqual([]);
        expect(await read(5)).toEqual(["last"]);
        expect(await read(6)).toEqual(["", "last"]);
        expect(await read(8)).toEqual(["", "last"]);
        expect(await read(9)).toEqual(["ü", "", "last"]);
        expect(await read(15)).toEqual(["first", "ü", "", "last"]);
      });

      test("returns the last lines with the marker of the cut ones, and without reading the others", async () => {
        const id = await queue("blog");
        await store.appendOutput(id, numberedLines(0, (MAX_OUTPUT_BYTES / 1024) * 2));
        const all = await store.readOutput(id);
        const suffixes = [16 * 1024, MAX_OUTPUT_BYTES / 2, MAX_OUTPUT_BYTES * 0.75].map(async (bytes) => {
          const lines = await store.readOutput(id, bytes);
          expect(lines).toEqual(all.slice(-lines.length));
          return lines.length;
        });
        const [short = 0, ...longer] = await Promise.all(suffixes);
        expect(short).toBeGreaterThan(10);
        for (const length of longer) expect(length).toBeGreaterThan(short);
        const timeOf = async (bytes: number) => {
          const start = performance.now();
          for (let count = 0; count < 10; count++) await store.readOutput(id, bytes);
          return performance.now() - start;
        };
        expect(await timeOf(16 * 1024)).toBeLessThan((await timeOf(MAX_OUTPUT_BYTES)) / 10);
      });

      test("returns no lines for a deployment without output", async () => {
        expect(await store.readOutput(await queue("blog"))).toEqual([]);
      });

      test("returns numbered lines after a given line, up to the limit", async () => {
        const id = await queue("blog");
        await store.appendOutput(id, ["zero", "one", "two", "three"]);
        store = await opened.reopen();
        expect(await store.readOutputAfter(id, -1, 2)).toEqual([
          { line: 0, text: "zero" },
          { line: 1, text: "one" },
        ]);
        expect(await store.readOutputAfter(id, 1, 10)).toEqual([
          { line: 2, text: "two" },
          { line: 3, text: "three" },
        ]);
        expect(await store.readOutputAfter(id, 3, 10)).toEqual([]);
        expect(await store.readOutputAfter(id + 1, -1, 10)).toEqual([]);
      });

      test("replaces cut lines after a given line by one marker with their count and the number of the last one", async () => {
        const id = await queue("blog");
        const total = (MAX_OUTPUT_BYTES / 1024) * 2;
        await store.appendOutput(id, numberedLines(0, total));
        const half = MAX_OUTPUT_BYTES / 1024 / 2;
        // The marker takes the space of one line.
        const lastCut = total - half;
        const numbers = async (after: number, limit: number) =>
          (await store.readOutputAfter(id, after, limit)).map(({ line }) => line);
        expect(await numbers(half - 2, 3)).toEqual([half - 1, lastCut, lastCut + 1]);
        expect(await numbers(half - 2, 2)).toEqual([half - 1, lastCut]);
        expect(await numbers(half - 2, 1)).toEqual([half - 1]);
        const markers = [
          ...(await store.readOutputAfter(id, half - 1, 1)),
          ...(await store.readOutputAfter(id, lastCut - 3, 1)),
        ];
        expect(markers.map(({ line, text }) => ({ line, numbers: numbersIn(text) }))).toEqual([
          { line: lastCut, numbers: [10_241] },
          { line: lastCut, numbers: [3] },
        ]);
        expect(markers.map(({ text }) => text)).toMatchSnapshot();
        expect(await numbers(lastCut, 1)).toEqual([lastCut + 1]);
        const { length } = await store.readOutputAfter(id, -1, total);
        expect(length).toBe(half + 1 + half - 1);
      });

      test("keeps output of exactly the maximum size, and cuts one line beyond it", async () => {
        const id = await queue("blog");
        const lines = numberedLines(0, MAX_OUTPUT_BYTES / 1024);
        await store.appendOutput(id, lines);
        expect(await store.readOutput(id)).toEqual(lines);

        await store.appendOutput(id, [""]);
        const half = lines.length / 2;
        const stored = await store.readOutput(id);
        const marker = stored[half] ?? "";
        expect(stored).toEqual([...lines.slice(0, half), marker, ...lines.slice(half + 1), ""]);
        expect(numbersIn(marker)).toEqual([1]);
        expect(marker).toMatchSnapshot();
      });

      test("keeps the first and last half and counts the cut lines, even across a restart", async () => {
        const id = await queue("blog");
        const total = (MAX_OUTPUT_BYTES / 1024) * 2;
        for (let from = 0; from < total; from += 1024) {
          await store.appendOutput(id, numberedLines(from, 1024));
          if (from === total / 2) store = await opened.reopen();
        }
        const lines = numberedLines(0, total);
        const half = MAX_OUTPUT_BYTES / 1024 / 2;
        const stored = await store.readOutput(id);
        const marker = stored[half] ?? "";
        expect(stored).toEqual([...lines.slice(0, half), marker, ...lines.slice(-half + 1)]);
        expect(numbersIn(marker)).toEqual([10_241]);
        expect(Buffer.byteLength(`${stored.join("\n")}\n`)).toBeLessThanOrEqual(MAX_OUTPUT_BYTES);
      });
    });

    describe("storing clients", () => {
      const client = { source: "webhook", address: "192.0.2.1", authorisedAt: at(0), expiresAt: at(60) };

      test("finds a client only by its own source and address, even after a restart", async () => {
        await store.authorise(client);
        store = await opened.reopen();
        expect(await store.findClient("webhook", "192.0.2.1")).toEqual(client);
        expect(await store.findClient("webhook", "192.0.2.2")).toBeNull();
        expect(await store.findClient("other", "192.0.2.1")).toBeNull();
      });

      test("updates the times of a client that is authorised again", async () => {
        await store.authorise(client);
        const again = { ...client, authorisedAt: at(30), expiresAt: at(90) };
        await store.authorise(again);
        expect(await store.findClient("webhook", "192.0.2.1")).toEqual(again);
      });

      test("deletes only the given client", async () => {
        const other = { ...client, source: "other" };
        await store.authorise(client);
        await store.authorise(other);
        await store.forgetClient(client);
        await store.forgetClient(client);
        expect(await store.findClient("webhook", "192.0.2.1")).toBeNull();
        expect(await store.findClient("other", "192.0.2.1")).toEqual(other);
      });

      test("does not delete a client that was authorised again in the meantime", async () => {
        const again = { ...client, authorisedAt: at(30), expiresAt: at(90) };
        await store.authorise(again);
        await store.forgetClient(client);
        expect(await store.findClient("webhook", "192.0.2.1")).toEqual(again);
      });
    });
  });
}

/** Lines of 1024 bytes each, including the newline. */
function numberedLines(from: number, count: number): string[] {
  return Array.from({ length: count }, (_, n) => `line ${from + n} `.padEnd(1024 - OUTPUT_LINE_COST, "."));
}
