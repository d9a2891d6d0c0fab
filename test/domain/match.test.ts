import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { DecisionCode } from "../../src/domain/codes.ts";
import type { Event, PushEvent } from "../../src/domain/event.ts";
import {
  type Decision,
  isAbout,
  isPrerelease,
  isWatchedTag,
  matchTarget,
  summariseDecisions,
  tagMatches,
} from "../../src/domain/match.ts";
import type { Target, WatchedRef } from "../../src/domain/target.ts";
import { targetOf } from "../support/target.ts";
import { words } from "../support/words.ts";

const COMMIT = "59b20b8d5c6ff8d09518454d4dd8b7b30f095ab5";

function target(name: string, ref: WatchedRef | null, fullName = "octocat/blog"): Target {
  const cloneUrl = `https://github.com/${fullName}.git`;
  return targetOf(name, { repository: ref === null ? null : { fullName, ref, cloneUrl, depth: null } });
}

const main = { kind: "branch", name: "main" } as const;
const blog = target("blog", main);
const releases = target("releases", { kind: "tag", pattern: "v*", prereleases: false });
const script = target("script", null);

function push(changes: Partial<PushEvent> = {}): PushEvent {
  const defaults = { repository: "octocat/blog", ref: main, deleted: false, commit: COMMIT, skip: false };
  return { kind: "push", ...defaults, ...changes };
}

function decide(event: Event, candidate: Target): Decision {
  return matchTarget([event], candidate).decision;
}

function decideAll(event: Event, targets: readonly Target[]): readonly Decision[] {
  return targets.map((target) => matchTarget([event], target).decision);
}

function expectDeployment(event: Event, candidate: Target): void {
  expect(decide(event, candidate)).toEqual({
    target: candidate.name,
    deploy: true,
    code: null,
    reason: null,
  });
}

/** Asserts that an event does not deploy a target, the code, and the names that the reason contains in any wording. */
function expectNoDeployment(
  event: Event,
  candidate: Target,
  code: DecisionCode,
  names: readonly string[] = [],
): void {
  const decision = decide(event, candidate);
  const reason = decision.reason ?? "";
  expect(decision).toEqual({ target: candidate.name, deploy: false, code, reason });
  for (const name of names) expect(reason).toContain(name);
  expect(words(reason)).toMatchSnapshot();
}

describe("a target of the branch main", () => {
  for (const [what, event] of [
    ["a push to main", push()],
    ["a push to a repository in another case", push({ repository: "OctoCat/Blog" })],
    ["a push without a commit", push({ commit: null })],
  ] as const) {
    test(`deploys on ${what}`, () => {
      expectDeployment(event, blog);
    });
  }

  test.each<[what: string, event: Event, code: DecisionCode, ...names: string[]]>([
    [
      "a branch that ends in main",
      push({ ref: { kind: "branch", name: "feature/main" } }),
      "branch",
      '"feature/main"',
      '"main"',
    ],
    [
      "a branch in another case",
      push({ ref: { kind: "branch", name: "Main" } }),
      "branch",
      '"Main"',
      '"main"',
    ],
    ["a branch without a name", push({ ref: { kind: "branch", name: "" } }), "branch", '""', '"main"'],
    ["a tag named main", push({ ref: { kind: "tag", name: "main" } }), "branch", "tag", "branch", '"main"'],
    [
      "a ref that ends in main",
      push({ ref: { kind: "other", name: "refs/notes/main" } }),
      "branch",
      '"refs/notes/main"',
      '"main"',
    ],
    ["a ref named main", push({ ref: { kind: "other", name: "main" } }), "branch", '"main"'],
    ["a deleted branch", push({ deleted: true, commit: null }), "deleted", '"main"'],
    ["a commit message that asks to skip", push({ skip: true }), "skip_requested"],
    [
      "another repository",
      push({ repository: "octocat/blog2" }),
      "repository",
      '"octocat/blog2"',
      '"octocat/blog"',
    ],
    [
      "a repository of another owner",
      push({ repository: "mallory/blog" }),
      "repository",
      '"mallory/blog"',
      '"octocat/blog"',
    ],
    [
      "a repository with control characters",
      push({ repository: "a\n\u001b[2J" }),
      "repository",
      '"a\\n\\u001b[2J"',
      '"octocat/blog"',
    ],
    ["another event", { kind: "other", name: "issues" }, "event", '"issues"'],
    ["a ping", { kind: "ping" }, "ping"],
  ])("does not deploy on %s", (_what, event, code, ...names) => expectNoDeployment(event, blog, code, names));

  test("truncates a long name in the reason", () => {
    const event = push({ ref: { kind: "branch", name: "x".repeat(10_000) } });
    const { reason } = decide(event, blog);
    expect(reason).toContain(`"${"x".repeat(200)}…"`);
    expect(reason).not.toContain("x".repeat(201));
  });
});

describe("a target of tags", () => {
  test("deploys on a matching tag", () => {
    expectDeployment(push({ ref: { kind: "tag", name: "v1.0" } }), releases);
  });

  test.each<[what: string, event: Event, code: DecisionCode, ...names: string[]]>([
    ["another tag", push({ ref: { kind: "tag", name: "main" } }), "tag", '"main"', '"v*"'],
    [
      "a pre-release",
      push({ ref: { kind: "tag", name: "v2.0.0-rc.1" } }),
      "tag",
      '"v2.0.0-rc.1"',
      "prereleases",
    ],
    ["a branch", push({ ref: { kind: "branch", name: "v1" } }), "tag", "branch", '"v1"'],
    ["another ref", push({ ref: { kind: "other", name: "refs/x/v1" } }), "tag", '"refs/x/v1"'],
    [
      "a deleted tag",
      push({ ref: { kind: "tag", name: "v1" }, deleted: true, commit: null }),
      "deleted",
      "tag",
      '"v1"',
    ],
  ])("does not deploy on %s", (_what, event, code, ...names) =>
    expectNoDeployment(event, releases, code, names),
  );
});

describe("a target without git", () => {
  test("deploys on every event except a ping", () => {
    expectDeployment({ kind: "other", name: "issues" }, script);
    expectDeployment(push({ deleted: true, commit: null }), script);
    expectNoDeployment({ kind: "ping" }, script, "ping");
  });
});

describe("several pushes in one delivery", () => {
  const dev = push({ ref: { kind: "branch", name: "dev" } });

  test("deploy each target by the push that it follows", () => {
    const tag = push({ ref: { kind: "tag", name: "v1" }, commit: "b".repeat(40) });
    const matches = [blog, releases, script].map((target) => matchTarget([dev, push(), tag], target));
    expect(matches.map(({ decision, event }) => [decision.target, decision.deploy, event])).toEqual([
      ["blog", true, 1],
      ["releases", true, 2],
      ["script", true, 0],
    ]);
  });

  test("name the first ref that does not fit, and count the others", () => {
    const match = matchTarget([dev, { ...dev, ref: { kind: "tag", name: "v1" } }], blog);
    expect(match).toMatchObject({ event: 0, decision: { deploy: false, code: "branch" } });
    expect(match?.decision.reason).toContain('"dev"');
    expect(words(match?.decision.reason ?? "")).toMatchSnapshot();
  });

  test("name the deletion of the followed branch rather than another branch", () => {
    const match = matchTarget([dev, push({ deleted: true, commit: null })], blog);
    expect(match).toMatchObject({ event: 1, decision: { deploy: false, code: "deleted" } });
  });
});

describe("isAbout", () => {
  test("returns true for pushes to the repository of a target, whether they deploy it or not", () => {
    for (const event of [push(), push({ repository: "OctoCat/Blog", deleted: true }), push({ skip: true })]) {
      expect(isAbout([event], blog)).toBe(true);
    }
    expect(isAbout([push({ repository: "octocat/docs" })], blog)).toBe(false);
    expect(isAbout([{ kind: "other", name: "issues" }], blog)).toBe(false);
  });

  test("returns true for every event except a ping for a target without a repository", () => {
    for (const event of [push(), { kind: "other", name: "issues" } as const]) {
      expect(isAbout([event], script)).toBe(true);
    }
    for (const candidate of [script, blog]) expect(isAbout([{ kind: "ping" }], candidate)).toBe(false);
  });
});

describe("summariseDecisions", () => {
  test("lists every reason with its target, in the order of the configuration", () => {
    const decisions = decideAll(push({ ref: { kind: "branch", name: "dev" } }), [blog, script, releases]);
    expect(decisions.map((decision) => decision.target)).toEqual(["blog", "script", "releases"]);
    const [blogReason, , releasesReason] = decisions.map(({ reason }) => reason);
    expect(summariseDecisions(decisions, "github")).toBe(`blog: ${blogReason}; releases: ${releasesReason}`);
  });

  test("names the source when it has no targets", () => {
    const summary = summariseDecisions(decideAll(push(), []), "github");
    expect(summary).toContain("github");
    expect(words(summary)).toMatchSnapshot();
  });

  test("returns an empty text when every target deploys", () => {
    expect(summariseDecisions(decideAll(push(), [blog]), "github")).toBe("");
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
    test(`${JSON.stringify(tag)} ${fits ? "matches" : "does not match"} ${JSON.stringify(pattern)}`, () => {
      expect(tagMatches(tag, pattern)).toBe(fits);
    });
  }

  test("agrees with a regular expression for any tag and pattern", () => {
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

  test("matches any text in place of the stars", () => {
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

test.each([
  ["v2.0.0-rc.1", true],
  ["2.0.0-0", true],
  ["web@1.2.3-beta", true],
  ["v10-rc1", true],
  ["v2.0.0", false],
  ["release-1.2.3", false],
  ["day-2026-11-29", false],
  ["v1.0.0+build-5", false],
  ["app-v2-1.0.0", false],
  ["latest", false],
])("isPrerelease(%s) is %p", (tag, expected) => {
  expect(isPrerelease(tag)).toBe(expected);
});

test.each([
  ["v2.0.0-rc.1", "v*", false, false],
  ["v2.0.0-rc.1", "v*", true, true],
  ["v2.0.0-rc.1", "v2.0.0-rc.1", false, true],
  ["v2.0.0-rc.1", "v*-rc*", false, true],
  ["web-1.0.0-rc.1", "web-*", false, false],
  ["v2.0.0", "v*", false, true],
])("isWatchedTag: %s with %s and prereleases = %p is %p", (tag, pattern, prereleases, expected) => {
  expect(isWatchedTag(tag, { kind: "tag", pattern, prereleases })).toBe(expected);
});

test("isPrerelease reads a long tag quickly", () => {
  const start = performance.now();
  for (const part of ["1.", "v1", "1", "v"]) isPrerelease(part.repeat(100_000));
  expect(performance.now() - start).toBeLessThan(500);
});
