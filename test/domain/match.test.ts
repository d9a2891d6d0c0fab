import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { Event, PushEvent } from "../../src/domain/event.ts";
import { match, summarise, tagMatches } from "../../src/domain/match.ts";
import type { Target, WatchedRef } from "../../src/domain/target.ts";
import { targetOf } from "../support/target.ts";

const COMMIT = "59b20b8d5c6ff8d09518454d4dd8b7b30f095ab5";

function target(name: string, ref: WatchedRef | null, repository = "octocat/blog"): Target {
  const cloneUrl = `https://github.com/${repository}.git`;
  return targetOf(name, { watch: ref === null ? null : { repository, ref, cloneUrl } });
}

const main = { kind: "branch", name: "main" } as const;
const blog = target("blog", main);
const releases = target("releases", { kind: "tag", pattern: "v*" });
const script = target("script", null);

function push(changes: Partial<PushEvent> = {}): PushEvent {
  const ordinary = { repository: "octocat/blog", ref: main, deleted: false, commit: COMMIT, skip: false };
  return { kind: "push", ...ordinary, ...changes };
}

function whyNot(event: Event, watching: Target): string | null {
  const [decision] = match(event, [watching]);
  if (decision === undefined) throw new Error("match gave no decision");
  expect(decision).toEqual({
    target: watching.name,
    deploy: decision.reason === null,
    reason: decision.reason,
  });
  return decision.reason;
}

describe("a target of the branch main", () => {
  for (const [what, event] of [
    ["a push to main", push()],
    ["a repository written in another case", push({ repository: "OctoCat/Blog" })],
    ["a push that does not tell its commit", push({ commit: null })],
  ] as const) {
    test(`deploys on ${what}`, () => {
      expect(whyNot(event, blog)).toBeNull();
    });
  }

  for (const [event, reason] of [
    [push({ ref: { kind: "branch", name: "feature/main" } }), 'branch "feature/main" is not "main"'],
    [push({ ref: { kind: "branch", name: "Main" } }), 'branch "Main" is not "main"'],
    [push({ ref: { kind: "branch", name: "" } }), 'branch "" is not "main"'],
    [push({ ref: { kind: "tag", name: "main" } }), 'tag "main" is not branch "main"'],
    [push({ ref: { kind: "other", name: "refs/notes/main" } }), 'ref "refs/notes/main" is not branch "main"'],
    [push({ ref: { kind: "other", name: "main" } }), 'ref "main" is not branch "main"'],
    [push({ deleted: true, commit: null }), 'branch "main" was deleted'],
    [push({ skip: true }), "the commit's message asks to skip the deployment"],
    [push({ repository: "octocat/blog2" }), 'repository "octocat/blog2" is not "octocat/blog"'],
    [push({ repository: "mallory/blog" }), 'repository "mallory/blog" is not "octocat/blog"'],
    [push({ repository: "a\n\u001b[2J" }), 'repository "a\\n\\u001b[2J" is not "octocat/blog"'],
    [{ kind: "other", name: "issues" }, 'event "issues" is not a push'],
    [{ kind: "ping" }, "a ping deploys nothing"],
  ] as const) {
    test(`says: ${reason}`, () => {
      expect(whyNot(event, blog)).toBe(reason);
    });
  }

  test("cuts a name that is too long to read", () => {
    const reason = whyNot(push({ ref: { kind: "branch", name: "x".repeat(10_000) } }), blog);
    expect(reason).toBe(`branch "${"x".repeat(200)}…" is not "main"`);
  });
});

describe("a target of tags", () => {
  test("deploys on a tag that fits", () => {
    expect(whyNot(push({ ref: { kind: "tag", name: "v1.0" } }), releases)).toBeNull();
  });

  for (const [event, reason] of [
    [push({ ref: { kind: "tag", name: "main" } }), 'tag "main" does not match "v*"'],
    [push({ ref: { kind: "branch", name: "v1" } }), 'branch "v1" is not a tag'],
    [push({ ref: { kind: "other", name: "refs/x/v1" } }), 'ref "refs/x/v1" is not a tag'],
    [push({ ref: { kind: "tag", name: "v1" }, deleted: true, commit: null }), 'tag "v1" was deleted'],
  ] as const) {
    test(`says: ${reason}`, () => {
      expect(whyNot(event, releases)).toBe(reason);
    });
  }
});

describe("a target without git", () => {
  test("runs on every event but a ping", () => {
    expect(whyNot({ kind: "other", name: "issues" }, script)).toBeNull();
    expect(whyNot(push({ deleted: true, commit: null }), script)).toBeNull();
    expect(whyNot({ kind: "ping" }, script)).toBe("a ping deploys nothing");
  });
});

describe("summarise", () => {
  test("gives every reason with its target, in the configuration's order", () => {
    const decisions = match(push({ ref: { kind: "branch", name: "dev" } }), [blog, script, releases]);
    expect(decisions.map((decision) => decision.target)).toEqual(["blog", "script", "releases"]);
    expect(summarise(decisions, "github")).toBe(
      'blog: branch "dev" is not "main"; releases: branch "dev" is not a tag',
    );
  });

  test("says so when no target listens", () => {
    expect(summarise(match(push(), []), "github")).toBe("no target listens to source github");
  });

  test("is empty when every target deploys", () => {
    expect(summarise(match(push(), [blog]), "github")).toBe("");
  });
});

describe("tagMatches", () => {
  for (const [tag, pattern, fits] of [
    ["v1.0", "v*", true],
    ["v", "v*", true],
    ["release/v1", "v*", false],
    ["v1", "v1", true],
    ["v1.0", "v1", false],
    ["v1-rc-2", "v*-rc-*", true],
    ["v1", "*", true],
    ["aba", "ab*ba", false],
    ["abba", "ab*ba", true],
    ["v1x0", "v1.0", false],
    ["v1", "[v]1", false],
    ["v1", "v?", false],
  ] as const) {
    test(`${JSON.stringify(tag)} ${fits ? "fits" : "does not fit"} ${JSON.stringify(pattern)}`, () => {
      expect(tagMatches(tag, pattern)).toBe(fits);
    });
  }

  test("agrees with a regular expression on any tag and pattern", () => {
    const text = fc
      .array(fc.constantFrom("a", "b", ".", "+", "\\", "$"), { maxLength: 8 })
      .map((all) => all.join(""));
    const pattern = fc.array(fc.oneof(text, fc.constant("*")), { maxLength: 6 }).map((all) => all.join(""));
    fc.assert(
      fc.property(text, pattern, (tag, shell) => {
        const escaped = shell.split("*").map((part) => part.replaceAll(/[.+\\$]/g, "\\$&"));
        expect(tagMatches(tag, shell)).toBe(new RegExp(`^${escaped.join(".*")}$`, "s").test(tag));
      }),
      { numRuns: 2000 },
    );
  });

  test("takes what fills the stars of any pattern", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.string(), fc.string())), fc.string(), (pairs, last) => {
        const literal = (part: string) => part.replaceAll("*", "");
        const pattern = `${pairs.map(([part]) => `${literal(part)}*`).join("")}${literal(last)}`;
        const tag = `${pairs.map(([part, filling]) => literal(part) + filling).join("")}${literal(last)}`;
        expect(tagMatches(tag, pattern)).toBe(true);
      }),
    );
  });
});
