import { describe, expect, test } from "bun:test";
import type { Event, PushEvent } from "../../src/domain/event.ts";
import type { Lock } from "../../src/domain/lock.ts";
import type { Source } from "../../src/domain/source.ts";
import type { Target } from "../../src/domain/target.ts";
import { createRouter } from "../../src/flow/route-delivery.ts";
import { generic } from "../../src/providers/generic/index.ts";
import { github } from "../../src/providers/github/index.ts";
import { TestClock } from "../support/clock.ts";
import { targetOf } from "../support/target.ts";
import { numbersIn } from "../support/words.ts";

const common = { path: "/hook", print: false, onRedelivery: "run", allow: null } as const;
const githubSource: Source = {
  ...common,
  name: "github",
  provider: "github",
  handler: github.createHandler({}),
};
const tokenSource: Source = {
  ...common,
  name: "webhook",
  provider: "generic",
  handler: generic.createHandler({}),
};

function push(branch: string, commit = "c1"): PushEvent {
  return {
    kind: "push",
    repository: "octocat/blog",
    ref: { kind: "branch", name: branch },
    deleted: false,
    commit,
    skip: false,
  };
}

/** Locks in memory that a test sets. */
class SetLocks {
  readonly #locks = new Map<string, Lock>();
  #version = 0;
  of = (target: string) => this.#locks.get(target) ?? null;
  version = () => this.#version;

  lock(target: string, reason: string): void {
    const since = new Date("2026-11-21T12:00:00Z");
    this.#locks.set(target, { target, reason, by: "ada", since, until: null });
    this.#version++;
  }

  unlock(target: string): void {
    this.#locks.delete(target);
    this.#version++;
  }
}

function createTestRouter(targetsOf: (source: Source) => readonly Target[], locks = new SetLocks()) {
  return createRouter({ targetsOf, locks, clock: new TestClock() });
}

describe("createRouter", () => {
  const targets = [targetOf("blog"), targetOf("docs", { source: "webhook", repository: null })];
  const route = createTestRouter(({ name }) => targets.filter(({ source }) => source === name));

  test("returns the same outcome object for events that differ only in their commit", () => {
    expect(route(githubSource, push("main", "c1"))).toBe(route(githubSource, push("main", "c2")));
    expect(route(githubSource, push("dev"))).not.toBe(route(githubSource, push("main")));
    expect(route(githubSource, push("dev"))).toMatchObject({ status: "skipped", deploys: false });
    expect(route(githubSource, push("main"))).toMatchObject({ status: "ok", deploys: true, reason: null });
  });

  test("returns different outcomes for different sources", () => {
    const hello: Event = { kind: "other", name: "payload" };
    expect(route(tokenSource, hello)).toMatchObject({ status: "success", deploys: true });
    expect(route(githubSource, hello)).toMatchObject({ status: "skipped", deploys: false });
  });

  test("distinguishes a branch, a tag and a deleted branch of the same name", () => {
    const tag: PushEvent = { ...push("main"), ref: { kind: "tag", name: "main" } };
    const outcomes = [route(githubSource, tag), route(githubSource, { ...push("main"), deleted: true })];
    for (const outcome of outcomes) {
      expect(outcome).toMatchObject({ status: "skipped", deploys: false });
      expect(outcome.reason).toContain("blog");
    }
    expect(outcomes[0]?.reason).not.toBe(outcomes[1]?.reason ?? "");
    expect(outcomes.map(({ reason }) => reason)).toMatchSnapshot();
  });

  test("lists ten targets in the reason and counts the others", () => {
    const many = createTestRouter(() => Array.from({ length: 1000 }, (_, at) => targetOf(`target-${at}`)));
    const { reason, decisions } = many(githubSource, push("dev"));
    expect(decisions).toHaveLength(1000);
    expect<unknown>(reason?.match(/target-\d+/g)).toEqual(
      Array.from({ length: 10 }, (_, at) => `target-${at}`),
    );
    expect(numbersIn(reason).at(-1)).toBe(990);
    expect(reason).toMatchSnapshot();
  });
});

describe("createRouter with a locked target", () => {
  const targets = [targetOf("blog"), targetOf("docs")];

  test("blocks the target with the reason of the lock, and updates the outcome when a lock changes", () => {
    const locks = new SetLocks();
    const route = createTestRouter(() => targets, locks);
    expect(route(githubSource, push("main"))).toMatchObject({ status: "ok", blockedByLock: [] });
    locks.lock("blog", "release freeze");
    const locked = route(githubSource, push("main"));
    expect(locked).toMatchObject({ status: "ok", deploys: true, blockedByLock: ["blog"] });
    expect(locked.decisions).toEqual([
      { target: "blog", deploy: false, reason: expect.stringContaining("release freeze") },
      { target: "docs", deploy: true, reason: null },
    ]);
    expect(route(githubSource, push("main", "c2"))).toBe(locked);
    locks.lock("docs", "migration");
    const allLocked = route(githubSource, push("main"));
    expect(allLocked).toMatchObject({ status: "skipped", deploys: false, blockedByLock: ["blog", "docs"] });
    for (const part of ["blog", "release freeze", "docs", "migration", "ada"]) {
      expect(allLocked.reason).toContain(part);
    }
    expect([locked.decisions[0]?.reason, allLocked.reason]).toMatchSnapshot();
    locks.unlock("blog");
    locks.unlock("docs");
    expect(route(githubSource, push("main"))).toMatchObject({
      status: "ok",
      blockedByLock: [],
      reason: null,
    });
  });

  test("lists the matching targets that are not deployed", () => {
    const locks = new SetLocks();
    locks.lock("docs", "migration");
    const route = createTestRouter(() => [...targets, targetOf("job", { repository: null })], locks);
    expect(route(githubSource, push("main"))).toMatchObject({ notDeployed: ["docs"] });
    expect(route(githubSource, push("dev"))).toMatchObject({ notDeployed: ["blog", "docs"] });
    locks.lock("job", "migration");
    const elsewhere = { ...push("main"), repository: "octocat/other" };
    for (const event of [elsewhere, { kind: "other", name: "issues" } as const]) {
      expect(route(githubSource, event)).toMatchObject({ notDeployed: ["job"] });
    }
    expect(route(githubSource, { kind: "ping" })).toMatchObject({ notDeployed: [] });
  });

  test("does not report a target as blocked when the event does not deploy it", () => {
    const locks = new SetLocks();
    locks.lock("blog", "release freeze");
    const route = createTestRouter(() => targets, locks);
    const skipped = route(githubSource, push("dev"));
    expect(skipped).toMatchObject({ blockedByLock: [], decisions: [{ target: "blog", deploy: false }, {}] });
    expect(skipped.decisions[0]?.reason).not.toContain("release freeze");
    expect(skipped.decisions[0]?.reason).toMatchSnapshot();
    expect(route(githubSource, { kind: "ping" })).toMatchObject({ status: "pong", blockedByLock: [] });
  });
});
