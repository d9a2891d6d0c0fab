import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import fc from "fast-check";
import { type Choice, MAX_OUTPUT_BYTES } from "../../src/domain/deployment.ts";
import type { Store } from "../../src/domain/store.ts";
import { comparingContract } from "./comparing.contract.ts";
import { listingContract } from "./listing.contract.ts";
import { lockingContract } from "./locking.contract.ts";
import { noticingContract } from "./noticing.contract.ts";
import type { OpenedStore } from "./opened-store.ts";
import { pruningContract } from "./pruning.contract.ts";
import { rangesContract } from "./ranges.contract.ts";
import { at, COMMIT_A, COMMIT_B, delivery, keep, onlyDeployment, pushFor, success } from "./sample.ts";

/** What every store promises; run for each implementation. */
export function storeContract(name: string, open: () => Promise<OpenedStore>): void {
  describe(`the ${name} store`, () => {
    comparingContract(open);
    pruningContract(open);
    listingContract(open);
    lockingContract(open);
    noticingContract(open);
    rangesContract(open);

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

    describe("keeping deliveries", () => {
      test("gives a delivery back as it came, byte for byte, whatever is in it", async () => {
        const text = fc.string({ unit: "binary", maxLength: 40 });
        let runs = 0;
        const any = fc.record({
          reason: fc.option(text),
          identity: fc.option(fc.record({ id: fc.option(text), hook: fc.option(text) })),
          headers: fc.dictionary(fc.string({ minLength: 1 }), text, { maxKeys: 4, noNullPrototype: true }),
          body: fc.oneof(
            fc.uint8Array({ maxLength: 600 }),
            fc.integer({ min: 0, max: 40_000 }).map((size) => new Uint8Array(size)),
          ),
          decisions: fc.array(fc.record({ target: text, deploy: fc.constant(false), reason: text }), {
            maxLength: 3,
          }),
        });
        await fc.assert(
          fc.asyncProperty(any, async (own) => {
            runs += 1;
            // Each in a source of its own, so that none repeats another.
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

      test("keeps 200 deliveries that come at once, each under its own number, over a restart", async () => {
        const given = Array.from({ length: 200 }, (_, n) =>
          delivery({ body: Buffer.from(`body ${n} `.repeat(n)) }),
        );
        const receipts = await Promise.all(given.map((one) => keep(store, one)));
        expect(new Set(receipts.map((receipt) => receipt.delivery)).size).toBe(200);

        store = await opened.reopen();
        for (const [n, { delivery: id }] of receipts.entries()) {
          const kept = await store.readDelivery(id);
          expect(Buffer.from(kept?.body ?? []).toString()).toBe(`body ${n} `.repeat(n));
        }
      });

      test("numbers deliveries upwards, also over a restart", async () => {
        const first = await keep(store, delivery());
        store = await opened.reopen();
        const second = await keep(store, delivery());
        expect(second.delivery).toBeGreaterThan(first.delivery);
      });

      test("gives null for a delivery that is not there", async () => {
        expect(await store.readDelivery(1)).toBeNull();
      });

      test("keeps what waits when it is closed, and then refuses what comes", async () => {
        const waiting = keep(store, pushFor("blog"));
        await store.close();
        const receipt = await waiting;
        await expect(keep(store, pushFor("blog"))).rejects.toMatchObject({ code: "unavailable" });

        store = await opened.reopen();
        expect(await store.readDelivery(receipt.delivery)).toMatchObject({
          deployments: [onlyDeployment(receipt)],
        });
        expect(await store.readDelivery(receipt.delivery + 1)).toBeNull();
        expect(await store.readDeployment(onlyDeployment(receipt) + 1)).toBeNull();
      });
    });

    describe("queueing deployments", () => {
      test("queues one for each decision that deploys, and none for the others", async () => {
        const given = delivery({
          receivedAt: at(7),
          decisions: [
            { target: "blog", deploy: true, reason: null },
            { target: "docs", deploy: false, reason: 'branch "main" is not "docs"' },
            { target: "shop", deploy: true, reason: null },
          ],
        });
        const receipt = await keep(store, given, { pushedCommit: COMMIT_A });
        expect(receipt.deployments.map(({ target }) => target)).toEqual(["blog", "shop"]);
        const ids = receipt.deployments.map(({ id }) => id);
        expect((await store.readDelivery(receipt.delivery))?.deployments).toEqual(ids);

        expect(await store.readDeployment(ids[0] ?? 0)).toEqual({
          id: ids[0] ?? 0,
          target: "blog",
          state: "queued",
          reason: null,
          trigger: "push",
          attempt: 1,
          delivery: receipt.delivery,
          pushedCommit: COMMIT_A,
          choice: null,
          branch: null,
          commit: null,
          previousCommit: null,
          release: null,
          createdAt: at(7),
          startedAt: null,
          endedAt: null,
          steps: [],
        });
      });

      test("keeps only the newest waiting deployment of a target and says why of the others", async () => {
        const other = await queue("docs");
        const first = await queue("blog");
        const second = await queue("blog");
        const newer = { ...pushFor("blog"), receivedAt: at(5) };
        const receipt = await keep(store, newer, { pushedCommit: COMMIT_B });
        const third = onlyDeployment(receipt);
        expect(receipt.superseded).toMatchObject([{ id: second }]);
        for (const told of [...receipt.deployments, ...receipt.superseded]) {
          expect(await store.readDeployment(told.id)).toEqual(told);
        }

        expect(await store.readDeployment(first)).toMatchObject({
          state: "superseded",
          reason: `deployment ${second} is newer`,
          endedAt: at(0),
        });
        expect(await store.readDeployment(second)).toMatchObject({
          state: "superseded",
          reason: `deployment ${third} is newer`,
          endedAt: at(5),
        });
        expect(await stateOf(third)).toBe("queued");
        expect(await stateOf(other)).toBe("queued");
      });

      test("keeps only the newest of a target when twenty come at once", async () => {
        const ids = (await Promise.all(Array.from({ length: 20 }, () => keep(store, pushFor("blog"))))).map(
          onlyDeployment,
        );
        const states = await Promise.all(ids.map(stateOf));
        expect(states.slice(0, -1).every((state) => state === "superseded")).toBe(true);
        expect(states.at(-1)).toBe("queued");
      });

      test("queues what nobody sent, which supersedes what waits", async () => {
        const waiting = await queue("blog");
        const request = { target: "blog", trigger: "catch-up" as const, commit: COMMIT_B, choice: null };
        const { deployment, superseded } = await store.request(request, at(3));
        const { id } = deployment;
        expect([await store.readDeployment(id), await store.readDeployment(waiting)]).toEqual([
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
        expect(await store.readDeployment(waiting)).toMatchObject({
          state: "superseded",
          reason: `deployment ${id} is newer`,
        });
      });

      test("keeps what a person chose, over a restart and when it has to be queued again", async () => {
        const choices: readonly Choice[] = [
          { kind: "commit", commit: COMMIT_A.slice(0, 7) },
          { kind: "release", release: "20261121T203000Z-aaaaaaaaaaaa" },
          { kind: "release", release: null },
        ];
        for (const [n, choice] of choices.entries()) {
          const target = `target-${n}`;
          const {
            deployment: { id },
          } = await store.request({ target, trigger: "rollback", commit: null, choice }, at(0));
          store = await opened.reopen();
          expect(await store.readDeployment(id)).toMatchObject({ trigger: "rollback", choice });
          await store.claim([target], at(1));
          const [interrupted] = await store.interruptRunning(at(2), []);
          expect(await store.readDeployment(interrupted?.queuedAgain?.id ?? 0)).toMatchObject({ choice });
          await store.claim([target], at(3));
          const ending = success(COMMIT_A, { state: "interrupted" });
          await store.settle(interrupted?.queuedAgain?.id ?? 0, ending, at(4), []);
          expect(await store.claim([target], at(5))).toMatchObject({ choice });
          await store.settle((interrupted?.queuedAgain?.id ?? 0) + 1, success(COMMIT_A), at(6), []);
        }
      });

      test("leaves a running deployment alone when a newer one comes", async () => {
        const running = await queue("blog");
        await store.claim(["blog"], at(1));
        const waiting = await queue("blog");
        expect(await stateOf(running)).toBe("running");
        expect(await stateOf(waiting)).toBe("queued");
      });
    });

    describe("claiming a deployment", () => {
      test("takes the oldest whose target is free, and null when there is none", async () => {
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

        await store.settle(blog, success(COMMIT_A), at(4), []);
        expect(await store.claim(targets, at(5))).toMatchObject({ id: nextBlog });
      });

      test("takes nothing of a target that it was not asked for", async () => {
        const id = await queue("blog");
        expect(await store.claim([], at(1))).toBeNull();
        expect(await store.claim(["docs"], at(1))).toBeNull();
        expect(await stateOf(id)).toBe("queued");
      });

      test("never gives one target to two who claim at once", async () => {
        await queue("blog");
        await store.claim(["blog"], at(1));
        await queue("blog");
        await queue("docs");
        const claims = await Promise.all(
          Array.from({ length: 5 }, () => store.claim(["blog", "docs"], at(2))),
        );
        expect(claims.filter((claim) => claim !== null).map(({ target }) => target)).toEqual(["docs"]);
      });

      test("finds the one that is wanted among the names of a thousand targets", async () => {
        const id = await queue("target-999");
        const names = Array.from({ length: 1000 }, (_, n) => `target-${n}`);
        expect(await store.claim(names, at(1))).toMatchObject({ id });
      });

      test("takes what was queued before a restart", async () => {
        const id = await queue("blog");
        store = await opened.reopen();
        expect(await store.claim(["blog"], at(1))).toMatchObject({ id, pushedCommit: COMMIT_A });
      });

      test("notes the commit that is live before it", async () => {
        await queue("blog");
        const first = await store.claim(["blog"], at(1));
        expect(first?.previousCommit).toBeNull();
        await store.settle(first?.id ?? 0, success(COMMIT_A), at(2), []);
        await queue("blog");
        expect(await store.claim(["blog"], at(3))).toMatchObject({ previousCommit: COMMIT_A });
      });
    });

    describe("settling a deployment", () => {
      test("writes down how a success ended, its steps in order, and what is live since then", async () => {
        const id = await queue("blog");
        await store.claim(["blog"], at(1));
        const steps = [
          { command: "npm ci", exitCode: 0, signal: null, milliseconds: 1234 },
          { command: "npm run build", exitCode: null, signal: "SIGTERM", milliseconds: 5 },
        ];
        const ending = success(COMMIT_A, { reason: "the tip is newer than the push", steps });
        const { deployment: settled } = await store.settle(id, ending, at(9), []);
        expect(settled).toMatchObject({ ...ending, id, startedAt: at(1), endedAt: at(9) });

        store = await opened.reopen();
        expect(await store.readDeployment(id)).toEqual(settled);
        expect(await store.readLive("blog")).toEqual({
          commit: COMMIT_A,
          release: ending.release,
          since: at(9),
        });
        expect(await store.readLive("docs")).toBeNull();
      });

      test("keeps a step's time in whole milliseconds", async () => {
        const id = await queue("blog");
        await store.claim(["blog"], at(1));
        const steps = [{ command: "true", exitCode: 0, signal: null, milliseconds: 1.7 }];
        const { deployment: settled } = await store.settle(id, success(COMMIT_A, { steps }), at(2), []);
        expect(settled.steps[0]?.milliseconds).toBe(2);
      });

      test("puts a later success in the place of what was live", async () => {
        for (const [n, commit] of [COMMIT_A, COMMIT_B].entries()) {
          const id = await queue("blog");
          await store.claim(["blog"], at(n));
          await store.settle(id, success(commit), at(n), []);
        }
        expect(await store.readLive("blog")).toMatchObject({ commit: COMMIT_B, since: at(1) });
      });

      test.each(["failed", "cancelled", "interrupted"] as const)(
        "leaves what was live when it ends as %s",
        async (state) => {
          const first = await queue("blog");
          await store.claim(["blog"], at(1));
          await store.settle(first, success(COMMIT_A), at(2), []);
          const second = await queue("blog");
          await store.claim(["blog"], at(3));
          const { deployment: settled } = await store.settle(
            second,
            success(COMMIT_B, { state, reason: "why" }),
            at(4),
            [],
          );
          expect(settled).toMatchObject({ state, endedAt: at(4) });
          expect(settled.reason).toStartWith("why");
          expect(await store.readLive("blog")).toMatchObject({ commit: COMMIT_A, since: at(2) });
        },
      );

      test("queues one that ended as interrupted again, however often the server is stopped", async () => {
        const {
          deployment: { id },
        } = await store.request(
          { target: "blog", trigger: "catch-up", commit: COMMIT_B, choice: null },
          at(0),
        );
        await store.claim(["blog"], at(1));
        const ending = success(COMMIT_A, { state: "interrupted", reason: "hooklatch is stopping" });
        const interrupted = await store.settle(id, ending, at(2), []);
        expect(interrupted).toMatchObject({
          deployment: { state: "interrupted", reason: "hooklatch is stopping; deployment 2 follows it" },
          queuedAgain: { id: 2, state: "queued" },
        });
        expect(await store.readDeployment(2)).toEqual(interrupted.queuedAgain);
        const again = await store.claim(["blog"], at(3));
        expect(again).toMatchObject({ trigger: "catch-up", pushedCommit: COMMIT_B, createdAt: at(2) });
        await store.settle(again?.id ?? 0, ending, at(4), []);
        expect(await store.claim(["blog"], at(5))).toMatchObject({ attempt: 1, pushedCommit: COMMIT_B });
      });

      test("throws, and changes nothing, when the deployment is not running", async () => {
        const id = await queue("blog");
        await expect(store.settle(id, success(COMMIT_A), at(1), [])).rejects.toThrow(`${id} is not running`);
        await expect(store.settle(id + 1, success(COMMIT_A), at(1), [])).rejects.toThrow("is not running");
        expect(await store.readDeployment(id)).toMatchObject({
          state: "queued",
          endedAt: null,
          commit: null,
        });
        expect(await store.readLive("blog")).toBeNull();
      });
    });

    describe("cancelling what waits", () => {
      test("marks it cancelled with the reason, over a restart, and lets the next one come", async () => {
        const id = await queue("blog");
        const other = await queue("docs");
        const cancelled = await store.cancelQueued(id, "cancelled by ada", at(3));
        expect(cancelled).toMatchObject({
          id,
          state: "cancelled",
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

      test("gives null, and changes nothing, for one that runs, has ended or is not there", async () => {
        const id = await queue("blog");
        await store.claim(["blog"], at(1));
        expect(await store.cancelQueued(id, "why", at(2))).toBeNull();
        expect(await stateOf(id)).toBe("running");
        const { deployment: settled } = await store.settle(id, success(COMMIT_A), at(3), []);
        expect(await store.cancelQueued(id, "why", at(4))).toBeNull();
        expect(await store.readDeployment(id)).toEqual(settled);
        expect(await store.cancelQueued(id + 1, "why", at(4))).toBeNull();
      });
    });

    describe("starting anew", () => {
      test("marks what was running interrupted, and nothing else", async () => {
        const running = await queue("blog");
        await store.claim(["blog"], at(1));
        const queued = await queue("blog");
        store = await opened.reopen();

        const interrupted = await store.interruptRunning(at(9), []);
        expect(interrupted).toHaveLength(1);
        expect(interrupted[0]?.deployment).toMatchObject({
          id: running,
          state: "interrupted",
          reason: `hooklatch was killed, or the machine stopped, while it ran; deployment ${queued} follows it`,
          startedAt: at(1),
          endedAt: at(9),
        });
        expect(await stateOf(queued)).toBe("queued");
        expect(await store.interruptRunning(at(10), [])).toEqual([]);
        expect(await store.claim(["blog"], at(11))).toMatchObject({ id: queued });
      });

      test("queues what was running again, once and not for ever", async () => {
        const { delivery: asked, ...receipt } = await keep(store, pushFor("blog"), {
          pushedCommit: COMMIT_A,
        });
        const first = onlyDeployment({ delivery: asked, ...receipt });
        await store.claim(["blog"], at(1));
        store = await opened.reopen();
        const [interrupted] = await store.interruptRunning(at(9), []);
        const second = interrupted?.queuedAgain?.id ?? 0;
        expect(second).toBeGreaterThan(first);
        expect(interrupted?.deployment.reason).toEndWith(`; deployment ${second} follows it`);
        expect(await store.readDeployment(second)).toEqual(interrupted?.queuedAgain ?? null);
        expect(await store.readDeployment(second)).toMatchObject({
          target: "blog",
          state: "queued",
          reason: null,
          trigger: "push",
          delivery: asked,
          pushedCommit: COMMIT_A,
          createdAt: at(9),
          startedAt: null,
        });
        expect((await store.readDelivery(asked))?.deployments).toEqual([first, second]);

        expect(await store.claim(["blog"], at(10))).toMatchObject({ id: second });
        store = await opened.reopen();
        expect(await store.interruptRunning(at(11), [])).toMatchObject([
          {
            deployment: {
              id: second,
              state: "interrupted",
              reason: "hooklatch was killed, or the machine stopped, while it ran",
              attempt: 2,
            },
            queuedAgain: null,
          },
        ]);
        expect(await store.claim(["blog"], at(12))).toBeNull();
      });

      test("queues nothing again where a newer one of the target waits", async () => {
        await queue("blog");
        await store.claim(["blog"], at(1));
        const waiting = await queue("blog");
        expect(await store.interruptRunning(at(9), [])).toMatchObject([{ queuedAgain: null }]);
        expect(await store.readDeployment(waiting + 1)).toBeNull();
      });

      test("cancels what waits for a target that is no longer configured, and nothing else", async () => {
        const running = await queue("old");
        await store.claim(["old"], at(1));
        const orphan = await queue("old");
        const wanted = await queue("blog");

        const cancelled = await store.cancelUnconfigured(["blog"], at(2));
        expect(cancelled).toHaveLength(1);
        expect(cancelled[0]).toMatchObject({
          id: orphan,
          state: "cancelled",
          reason: "target old is no longer configured",
          endedAt: at(2),
        });
        expect(await stateOf(running)).toBe("running");
        expect(await stateOf(wanted)).toBe("queued");
      });

      test("gives null for a deployment that is not there", async () => {
        expect(await store.readDeployment(1)).toBeNull();
      });
    });

    describe("keeping output", () => {
      test("gives the lines back in order, over a restart, and none of another deployment's", async () => {
        const id = await queue("blog");
        const other = await queue("docs");
        await store.appendOutput(id, ["first", "", "  ünï\u0000code 🎉"]);
        await store.appendOutput(other, ["theirs"]);
        store = await opened.reopen();
        await store.appendOutput(id, []);
        await store.appendOutput(id, ["last"]);
        expect(await store.readOutput(id)).toEqual(["first", "", "  ünï\u0000code 🎉", "last"]);
        expect(await store.readOutput(other)).toEqual(["theirs"]);
      });

      test("gives no line of a deployment that wrote none", async () => {
        expect(await store.readOutput(await queue("blog"))).toEqual([]);
      });

      test("gives the lines after a certain one, with their numbers, as many as are wanted", async () => {
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

      test("gives one line for those that were cut, under the last one's number, and counts only what is missed", async () => {
        const id = await queue("blog");
        const total = (MAX_OUTPUT_BYTES / 1024) * 2;
        await store.appendOutput(id, numberedLines(0, total));
        const half = MAX_OUTPUT_BYTES / 1024 / 2;
        // The line that tells of them takes the room of one.
        const lastCut = total - half;
        const numbers = async (after: number, limit: number) =>
          (await store.readOutputAfter(id, after, limit)).map(({ line }) => line);
        expect(await numbers(half - 2, 3)).toEqual([half - 1, lastCut, lastCut + 1]);
        expect(await numbers(half - 2, 2)).toEqual([half - 1, lastCut]);
        expect(await numbers(half - 2, 1)).toEqual([half - 1]);
        expect(await store.readOutputAfter(id, half - 1, 1)).toEqual([
          { line: lastCut, text: "[… 10,241 lines cut …]" },
        ]);
        expect(await store.readOutputAfter(id, lastCut - 3, 1)).toEqual([
          { line: lastCut, text: "[… 3 lines cut …]" },
        ]);
        expect(await numbers(lastCut, 1)).toEqual([lastCut + 1]);
        const { length } = await store.readOutputAfter(id, -1, total);
        expect(length).toBe(half + 1 + half - 1);
      });

      test("keeps all of it up to the very byte of the bound, and cuts one line at the next", async () => {
        const id = await queue("blog");
        const lines = numberedLines(0, MAX_OUTPUT_BYTES / 1024);
        await store.appendOutput(id, lines);
        expect(await store.readOutput(id)).toEqual(lines);

        await store.appendOutput(id, [""]);
        const half = lines.length / 2;
        expect(await store.readOutput(id)).toEqual([
          ...lines.slice(0, half),
          "[… 1 line cut …]",
          ...lines.slice(half + 1),
          "",
        ]);
      });

      test("keeps the first and the newest half, and says how many lines are cut, over a restart", async () => {
        const id = await queue("blog");
        const total = (MAX_OUTPUT_BYTES / 1024) * 2;
        for (let from = 0; from < total; from += 1024) {
          await store.appendOutput(id, numberedLines(from, 1024));
          if (from === total / 2) store = await opened.reopen();
        }
        const lines = numberedLines(0, total);
        const half = MAX_OUTPUT_BYTES / 1024 / 2;
        const kept = await store.readOutput(id);
        expect(kept).toEqual([...lines.slice(0, half), "[… 10,241 lines cut …]", ...lines.slice(-half + 1)]);
        expect(Buffer.byteLength(`${kept.join("\n")}\n`)).toBeLessThanOrEqual(MAX_OUTPUT_BYTES);
      });
    });

    describe("remembering clients", () => {
      const client = { source: "webhook", address: "192.0.2.1", authorisedAt: at(0), expiresAt: at(60) };

      test("finds a client at its own source and address only, over a restart", async () => {
        await store.authorise(client);
        store = await opened.reopen();
        expect(await store.findClient("webhook", "192.0.2.1")).toEqual(client);
        expect(await store.findClient("webhook", "192.0.2.2")).toBeNull();
        expect(await store.findClient("other", "192.0.2.1")).toBeNull();
      });

      test("gives a client that is known already the new times", async () => {
        await store.authorise(client);
        const again = { ...client, authorisedAt: at(30), expiresAt: at(90) };
        await store.authorise(again);
        expect(await store.findClient("webhook", "192.0.2.1")).toEqual(again);
      });

      test("forgets the client it is told to and no other", async () => {
        const other = { ...client, source: "other" };
        await store.authorise(client);
        await store.authorise(other);
        await store.forgetClient(client);
        await store.forgetClient(client);
        expect(await store.findClient("webhook", "192.0.2.1")).toBeNull();
        expect(await store.findClient("other", "192.0.2.1")).toEqual(other);
      });

      test("does not forget one that was authorised again since it was found", async () => {
        const again = { ...client, authorisedAt: at(30), expiresAt: at(90) };
        await store.authorise(again);
        await store.forgetClient(client);
        expect(await store.findClient("webhook", "192.0.2.1")).toEqual(again);
      });
    });
  });
}

/** Lines of 1024 bytes each, their newline counted. */
function numberedLines(from: number, count: number): string[] {
  return Array.from({ length: count }, (_, n) => `line ${from + n} `.padEnd(1023, "."));
}
