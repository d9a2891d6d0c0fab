import { describe, expect, test } from "bun:test";
import type { Event, PushEvent } from "../../src/domain/event.ts";
import type { Lock } from "../../src/domain/lock.ts";
import type { Source } from "../../src/domain/source.ts";
import type { Target } from "../../src/domain/target.ts";
import { rememberOutcomes } from "../../src/flow/decide.ts";
import { generic } from "../../src/providers/generic.ts";
import { github } from "../../src/providers/github.ts";
import { targetOf } from "../support/target.ts";
import { ManualClock } from "./manual-clock.ts";

const common = { path: "/hook", print: false, onRedelivery: "run", allow: null } as const;
const signed: Source = { ...common, name: "github", provider: "github", dialect: github.open({}) };
const admitting: Source = { ...common, name: "webhook", provider: "generic", dialect: generic.open({}) };

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

/** Locks as a test sets them. */
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

function decideFor(targetsOf: (source: Source) => readonly Target[], locks = new SetLocks()) {
  return rememberOutcomes({ targetsOf, locks, clock: new ManualClock() });
}

describe("an outcome", () => {
  const targets = [targetOf("blog"), targetOf("docs", { source: "webhook", watch: null })];
  const decide = decideFor(({ name }) => targets.filter(({ source }) => source === name));

  test("is the very same one for equal events, whatever their commit, and another for others", () => {
    expect(decide(signed, push("main", "c1"))).toBe(decide(signed, push("main", "c2")));
    expect(decide(signed, push("dev"))).not.toBe(decide(signed, push("main")));
    expect(decide(signed, push("dev"))).toMatchObject({ status: "skipped", deploys: false });
    expect(decide(signed, push("main"))).toMatchObject({ status: "ok", deploys: true, reason: null });
  });

  test("is the source's own", () => {
    const hello: Event = { kind: "other", name: "payload" };
    expect(decide(admitting, hello)).toMatchObject({ status: "success", deploys: true });
    expect(decide(signed, hello)).toMatchObject({ status: "skipped", deploys: false });
  });

  test("tells refs apart that have the same name", () => {
    const tag: PushEvent = { ...push("main"), ref: { kind: "tag", name: "main" } };
    expect(decide(signed, tag)).toMatchObject({ reason: 'blog: tag "main" is not branch "main"' });
    expect(decide(signed, { ...push("main"), deleted: true })).toMatchObject({
      reason: 'blog: branch "main" was deleted',
    });
  });

  test("names ten targets and counts the others", () => {
    const many = decideFor(() => Array.from({ length: 1000 }, (_, at) => targetOf(`target-${at}`)));
    const { reason, decisions } = many(signed, push("dev"));
    expect(decisions).toHaveLength(1000);
    expect(reason?.split("; ")).toHaveLength(11);
    expect(reason).toEndWith("; and 990 other targets");
  });
});

describe("an outcome while a target is locked", () => {
  const targets = [targetOf("blog"), targetOf("docs")];

  test("holds it back with the lock's reason, and is worked out anew when a lock changes", () => {
    const locks = new SetLocks();
    const decide = decideFor(() => targets, locks);
    expect(decide(signed, push("main"))).toMatchObject({ status: "ok", heldBack: [] });
    locks.lock("blog", "release freeze");
    const locked = decide(signed, push("main"));
    expect(locked).toMatchObject({ status: "ok", deploys: true, heldBack: ["blog"] });
    expect(locked.decisions).toEqual([
      { target: "blog", deploy: false, reason: "locked by ada: release freeze" },
      { target: "docs", deploy: true, reason: null },
    ]);
    expect(decide(signed, push("main", "c2"))).toBe(locked);
    locks.lock("docs", "moving house");
    expect(decide(signed, push("main"))).toMatchObject({
      status: "skipped",
      deploys: false,
      heldBack: ["blog", "docs"],
      reason: "blog: locked by ada: release freeze; docs: locked by ada: moving house",
    });
    locks.unlock("blog");
    locks.unlock("docs");
    expect(decide(signed, push("main"))).toMatchObject({ status: "ok", heldBack: [], reason: null });
  });

  test("names the targets that an event is about and does not deploy", () => {
    const locks = new SetLocks();
    locks.lock("docs", "moving house");
    const decide = decideFor(() => [...targets, targetOf("job", { watch: null })], locks);
    expect(decide(signed, push("main"))).toMatchObject({ undeployed: ["docs"] });
    expect(decide(signed, push("dev"))).toMatchObject({ undeployed: ["blog", "docs"] });
    locks.lock("job", "moving house");
    const elsewhere = { ...push("main"), repository: "octocat/other" };
    for (const event of [elsewhere, { kind: "other", name: "issues" } as const]) {
      expect(decide(signed, event)).toMatchObject({ undeployed: ["job"] });
    }
    expect(decide(signed, { kind: "ping" })).toMatchObject({ undeployed: [] });
  });

  test("holds back nothing that would not be deployed anyway", () => {
    const locks = new SetLocks();
    locks.lock("blog", "release freeze");
    const decide = decideFor(() => targets, locks);
    expect(decide(signed, push("dev"))).toMatchObject({
      heldBack: [],
      decisions: [{ reason: 'branch "dev" is not "main"' }, {}],
    });
    expect(decide(signed, { kind: "ping" })).toMatchObject({ status: "pong", heldBack: [] });
  });
});
