import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { DeploymentCause } from "../../src/domain/delivery.ts";
import type { CiEvent } from "../../src/domain/event.ts";
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
} from "./sample.ts";

const PASSED: DeploymentCause = { trigger: "ci", choice: { kind: "ci", commit: COMMIT_A } };

function ci(own: Partial<CiEvent> = {}): CiEvent {
  return {
    kind: "ci",
    name: "workflow_run",
    action: "completed",
    repository: "octocat/blog",
    refs: ["main"],
    commit: COMMIT_A,
    workflows: ["test", "ci.yml"],
    outcome: "success",
    cause: "push",
    run: { check: "ci.yml", number: 7, attempt: 2 },
    ...own,
  };
}

/** The contract of every store for CI, and for the events and triggers of deliveries. */
export function ciContract(open: () => Promise<OpenedStore>): void {
  describe("the results of CI", () => {
    let opened: OpenedStore;
    let store: Store;

    beforeEach(async () => {
      opened = await open();
      store = opened.store;
    });
    afterEach(() => opened.close());

    test("are listed by source and commit in the order of their arrival, even after a restart", async () => {
      const event = { event: "ci", eventName: "workflow_run", action: "completed" } as const;
      const results = [ci({ outcome: "pending" }), ci({ cause: "foreign" }), ci()];
      for (const each of results) await keep(store, delivery(event), { ci: each });
      await keep(store, delivery(event), { ci: ci({ commit: COMMIT_B }) });
      await keep(store, delivery({ ...event, source: "other" }), { ci: ci() });
      await keep(store, delivery());
      store = await opened.reopen();
      const expected = results.map(({ repository, refs, workflows, outcome, cause, run }) => ({
        ...{ repository, refs, workflows, outcome, cause, run },
      }));
      expect(await store.listCiResults("github", COMMIT_A)).toEqual(expected);
      expect(await store.listCiResults("other", COMMIT_A)).toHaveLength(1);
      expect(await store.listCiResults("github", "c".repeat(40))).toEqual([]);
      const filter = { source: null, status: null, target: null };
      const { items } = await store.listDeliveries(filter, { limit: 10, before: null });
      expect(items.map(({ eventName, action }) => `${eventName} ${action}`)).toEqual([
        "push null",
        ...Array.from({ length: 5 }, () => "workflow_run completed"),
      ]);
      expect(await store.readDelivery(1)).toMatchObject(event);
    });

    test("give their deployments a trigger and a commit, which a retry keeps", async () => {
      const options = { pushedCommit: COMMIT_A, causeOf: () => PASSED, queueAll: ["blog"] };
      const id = onlyDeployment(await keep(store, pushFor("blog"), options));
      const own = { pushedCommit: COMMIT_A, ...PASSED };
      expect(await store.readDeployment(id)).toMatchObject(own);
      await store.claim(["blog"], at(1));
      store = await opened.reopen();
      const [interrupted] = await store.recoverInterrupted(at(2), []);
      expect(interrupted?.retry).toMatchObject({ ...own, retryOf: id, state: "queued" });
    });

    test("wait once for each commit of a target, so that they do not fill its queue", async () => {
      const causeOf = (commit: string) => () => ({ trigger: "ci", choice: { kind: "ci", commit } }) as const;
      const deploy = async (target: string, commit: string, id: string) => {
        const identity = { id, hook: "1" };
        const options = { causeOf: causeOf(commit), queueAll: [target], repeatedBody: "new" } as const;
        return keep(store, { ...pushFor(target), identity }, options);
      };
      const first = onlyDeployment(await deploy("blog", COMMIT_A, "1"));
      await deploy("blog", COMMIT_B, "2");
      await deploy("docs", COMMIT_A, "3");
      const { superseded } = await deploy("blog", COMMIT_A, "4");
      expect(superseded.map(({ id }) => id)).toEqual([first]);
      const { items } = await store.listDeployments(
        { target: null, source: null, state: "queued" },
        { limit: 10, before: null },
      );
      expect(items.map(({ id }) => id)).toEqual([4, 3, 2]);
    });

    test("keep the commit when their delivery is repeated, with the trigger of the repetition", async () => {
      const identity = { id: "1", hook: "1" };
      const options = { pushedCommit: COMMIT_A, causeOf: () => PASSED, queueAll: ["blog"] };
      const receipts = [
        await keep(store, { ...pushFor("blog"), identity }, options),
        await keep(store, { ...pushFor("blog"), identity }, options),
        await keep(store, { ...pushFor("blog"), identity }, { ...options, replayOf: 1 }),
      ];
      const deployments = await Promise.all(
        receipts.map((each) => store.readDeployment(onlyDeployment(each))),
      );
      expect(deployments.map((each) => each?.trigger)).toEqual(["ci", "redelivery", "replay"]);
      expect(deployments.map((each) => each?.choice)).toEqual(Array(3).fill(PASSED.choice));
    });

    test.each(["push", "release", "event"] as const)(
      "of other kinds keep the trigger %s while a lock blocks them",
      async (trigger) => {
        await store.lock(lockOf("blog"));
        await keep(store, blockedPush("blog"), { causeOf: () => ({ trigger, choice: null }) });
        const unlocked = await store.unlock("blog", at(1));
        expect(unlocked?.queued?.deployment).toMatchObject({ trigger, choice: null });
      },
    );
  });
}
