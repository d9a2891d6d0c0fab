import { describe, expect, test } from "bun:test";
import type { Event, PushEvent } from "../../src/domain/event.ts";
import type { Lock } from "../../src/domain/lock.ts";
import { createRuleValues, RULE_VARIABLES } from "../../src/domain/rule.ts";
import type { Source } from "../../src/domain/source.ts";
import type { Target } from "../../src/domain/target.ts";
import { createRouter, type RoutingResult } from "../../src/flow/route-delivery.ts";
import { compileExpression } from "../../src/lib/expression.ts";
import { generic } from "../../src/providers/generic/index.ts";
import { github } from "../../src/providers/github/index.ts";
import { TestClock } from "../support/clock.ts";
import { targetOf } from "../support/target.ts";
import { numbersIn } from "../support/words.ts";

const common = {
  path: "/hook",
  keepHeaders: [],
  answer: { kind: "receipt" },
  print: false,
  onRedelivery: "run",
  allow: null,
} as const;
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
  const route = createRouter({ targetsOf, locks, clock: new TestClock() });
  return (source: Source, event: Event, json = "{}") => route(source, [event], createRuleValues(json, {}));
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

test("createRouter caches no event with long names", () => {
  const route = createTestRouter(() => [targetOf("blog")]);
  const result = (length: number) => route(githubSource, push("x".repeat(length)));
  expect(result(10)).toBe(result(10));
  expect(result(1000)).not.toBe(result(1000));
  expect(result(1000)).toEqual(result(1000));
});

describe("createRouter with a locked target", () => {
  const targets = [targetOf("blog"), targetOf("docs")];
  const codesOf = ({ decisions }: RoutingResult) =>
    Object.fromEntries(decisions.map(({ target, code }) => [target, code]));

  test("does not deploy the target and gives the reason of the lock, until a lock changes", () => {
    const locks = new SetLocks();
    const route = createTestRouter(() => targets, locks);
    expect(codesOf(route(githubSource, push("main")))).toEqual({ blog: null, docs: null });
    locks.lock("blog", "release freeze");
    const locked = route(githubSource, push("main"));
    expect(locked).toMatchObject({ status: "ok", deploys: true });
    expect(locked.decisions).toEqual([
      { target: "blog", deploy: false, code: "locked", reason: expect.stringContaining("release freeze") },
      { target: "docs", deploy: true, code: null, reason: null },
    ]);
    expect(route(githubSource, push("main", "c2"))).toBe(locked);
    locks.lock("docs", "migration");
    const allLocked = route(githubSource, push("main"));
    expect(allLocked).toMatchObject({ status: "held", deploys: false });
    expect(codesOf(allLocked)).toEqual({ blog: "locked", docs: "locked" });
    for (const part of ["blog", "release freeze", "docs", "migration", "ada"]) {
      expect(allLocked.reason).toContain(part);
    }
    expect([locked.decisions[0]?.reason, allLocked.reason]).toMatchSnapshot();
    locks.unlock("blog");
    locks.unlock("docs");
    const unlocked = route(githubSource, push("main"));
    expect(unlocked).toMatchObject({ status: "ok", reason: null });
    expect(codesOf(unlocked)).toEqual({ blog: null, docs: null });
  });

  test("returns the decisions of the targets that the event is about, and counts the others", () => {
    const locks = new SetLocks();
    locks.lock("docs", "migration");
    const route = createTestRouter(() => [...targets, targetOf("job", { repository: null })], locks);
    const shown = (event: Event) => {
      const result = route(githubSource, event);
      return { ...codesOf(result), others: result.otherTargets };
    };
    expect<unknown>(shown(push("main"))).toEqual({ blog: null, docs: "locked", job: null, others: 0 });
    expect<unknown>(shown(push("dev"))).toEqual({ blog: "branch", docs: "branch", job: null, others: 0 });
    locks.lock("job", "migration");
    expect<unknown>(shown({ ...push("main"), repository: "octocat/other" })).toEqual({
      job: "locked",
      others: 2,
    });
    expect<unknown>(shown({ kind: "other", name: "issues" })).toEqual({ job: "locked", others: 2 });
    expect<unknown>(shown({ kind: "ping" })).toEqual({ others: 3 });
  });

  test("does not report a target as locked when the event does not deploy it", () => {
    const locks = new SetLocks();
    locks.lock("blog", "release freeze");
    const route = createTestRouter(() => targets, locks);
    const skipped = route(githubSource, push("dev"));
    expect(skipped.decisions).toMatchObject([
      { target: "blog", deploy: false, code: "branch" },
      { target: "docs", deploy: false, code: "branch" },
    ]);
    expect(skipped.decisions[0]?.reason).not.toContain("release freeze");
    expect(skipped.decisions[0]?.reason).toMatchSnapshot();
    expect(route(githubSource, { kind: "ping" })).toMatchObject({ status: "pong", decisions: [] });
  });
});

describe("createRouter with a condition", () => {
  const condition = compileExpression('payload.by != "bot"', RULE_VARIABLES);
  const when = condition.kind === "compiled" ? condition.expression : null;
  const targets = [targetOf("blog", { when }), targetOf("docs")];

  test("decides each delivery by its own payload", () => {
    const route = createTestRouter(() => targets);
    const codes = (json: string) => route(githubSource, push("main"), json).decisions.map(({ code }) => code);
    expect(codes('{"by":"ada"}')).toEqual([null, null]);
    expect(codes('{"by":"bot"}')).toEqual(["when", null]);
    expect(codes("{}")).toEqual(["when", null]);
    expect(codes('{"by":"ada"}')).toEqual([null, null]);
    expect(route(githubSource, push("main"), "{}").reason).toMatchSnapshot();
  });

  test("reports the lock only of a target whose condition is true", () => {
    const locks = new SetLocks();
    locks.lock("blog", "release freeze");
    const route = createTestRouter(() => targets, locks);
    const code = (json: string) => route(githubSource, push("main"), json).decisions[0]?.code;
    expect<unknown>([code('{"by":"ada"}'), code('{"by":"bot"}')]).toEqual(["locked", "when"]);
  });
});
