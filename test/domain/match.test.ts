import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { Event, PushEvent } from "../../src/domain/event.ts";
import { matchTargets, summariseDecisions, tagMatches } from "../../src/domain/match.ts";
import type { Target, WatchedRef } from "../../src/domain/target.ts";
import { targetOf } from "../support/target.ts";
import { words } from "../support/words.ts";

const COMMIT = "59b20b8d5c6ff8d09518454d4dd8b7b30f095ab5";

function target(name: string, ref: WatchedRef | null, fullName = "octocat/blog"): Target {
  const cloneUrl = `https://github.com/${fullName}.git`;
  return targetOf(name, { repository: ref === null ? null : { fullName, ref, cloneUrl } });
}

const main = { kind: "branch", name: "main" } as const;
const blog = target("blog", main);
const releases = target("releases", { kind: "tag", pattern: "v*" });
const script = target("script", null);

function push(changes: Partial<PushEvent> = {}): PushEvent {
  const defaults = { repository: "octocat/blog", ref: main, deleted: false, commit: COMMIT, skip: false };
  return { kind: "push", ...defaults, ...changes };
}

/** Returns why an event does not deploy a target; null when it does. */
function whyNot(event: Event, candidate: Target): string | null {
  const [decision] = matchTargets(event, [candidate]);
  if (decision === undefined) throw new Error("match returned no decision");
  expect(decision).toEqual({
    target: candidate.name,
    deploy: decision.reason === null,
    reason: decision.reason,
  });
  return decision.reason;
}

/** Asserts that an event does not deploy a target, and what the reason names whatever its wording. */
function expectNoDeployment(event: Event, candidate: Target, mentions: readonly string[]): void {
  const reason = whyNot(event, candidate);
  if (reason === null) throw new Error("the event deploys the target");
  for (const mention of mentions) expect(reason).toContain(mention);
  expect(words(reason)).toMatchSnapshot();
}

describe("a target of the branch main", () => {
  for (const [what, event] of [
    ["a push to main", push()],
    ["a push to a repository in another case", push({ repository: "OctoCat/Blog" })],
    ["a push without a commit", push({ commit: null })],
  ] as const) {
    test(`deploys on ${what}`, () => {
      expect(whyNot(event, blog)).toBeNull();
    });
  }

  test.each<[what: string, event: Event, ...mentions: string[]]>([
    [
      "a branch that ends in main",
      push({ ref: { kind: "branch", name: "feature/main" } }),
      '"feature/main"',
      '"main"',
    ],
    ["a branch in another case", push({ ref: { kind: "branch", name: "Main" } }), '"Main"', '"main"'],
    ["a branch without a name", push({ ref: { kind: "branch", name: "" } }), '""', '"main"'],
    ["a tag named main", push({ ref: { kind: "tag", name: "main" } }), "tag", "branch", '"main"'],
    [
      "a ref that ends in main",
      push({ ref: { kind: "other", name: "refs/notes/main" } }),
      '"refs/notes/main"',
      '"main"',
    ],
    ["a ref named main", push({ ref: { kind: "other", name: "main" } }), '"main"'],
    ["a deleted branch", push({ deleted: true, commit: null }), '"main"'],
    ["a commit message that asks to skip", push({ skip: true })],
    ["another repository", push({ repository: "octocat/blog2" }), '"octocat/blog2"', '"octocat/blog"'],
    [
      "a repository of another owner",
      push({ repository: "mallory/blog" }),
      '"mallory/blog"',
      '"octocat/blog"',
    ],
    [
      "a repository with control characters",
      push({ repository: "a\n\u001b[2J" }),
      '"a\\n\\u001b[2J"',
      '"octocat/blog"',
    ],
    ["another event", { kind: "other", name: "issues" }, '"issues"'],
    ["a ping", { kind: "ping" }],
  ])("does not deploy on %s", (_what, event, ...mentions) => expectNoDeployment(event, blog, mentions));

  test("truncates a long name in the reason", () => {
    const event = push({ ref: { kind: "branch", name: "x".repeat(10_000) } });
    const reason = whyNot(event, blog);
    expect(reason).toContain(`"${"x".repeat(200)}…"`);
    expect(reason).not.toContain("x".repeat(201));
  });
});

describe("a target of tags", () => {
  test("deploys on a matching tag", () => {
    expect(whyNot(push({ ref: { kind: "tag", name: "v1.0" } }), releases)).toBeNull();
  });

  test.each<[what: string, event: Event, ...mentions: string[]]>([
    ["another tag", push({ ref: { kind: "tag", name: "main" } }), '"main"', '"v*"'],
    ["a branch", push({ ref: { kind: "branch", name: "v1" } }), "branch", '"v1"'],
    ["another ref", push({ ref: { kind: "other", name: "refs/x/v1" } }), '"refs/x/v1"'],
    ["a deleted tag", push({ ref: { kind: "tag", name: "v1" }, deleted: true, commit: null }), "tag", '"v1"'],
  ])("does not deploy on %s", (_what, event, ...mentions) => expectNoDeployment(event, releases, mentions));
});

describe("a target without git", () => {
  test("deploys on every event except a ping", () => {
    expect(whyNot({ kind: "other", name: "issues" }, script)).toBeNull();
    expect(whyNot(push({ deleted: true, commit: null }), script)).toBeNull();
    expectNoDeployment({ kind: "ping" }, script, []);
  });
});

describe("summarise", () => {
  test("lists every reason with its target, in the order of the configuration", () => {
    const decisions = matchTargets(push({ ref: { kind: "branch", name: "dev" } }), [blog, script, releases]);
    expect(decisions.map((decision) => decision.target)).toEqual(["blog", "script", "releases"]);
    const [blogReason, , releasesReason] = decisions.map(({ reason }) => reason);
    expect(summariseDecisions(decisions, "github")).toBe(`blog: ${blogReason}; releases: ${releasesReason}`);
  });

  test("names the source when it has no targets", () => {
    const summary = summariseDecisions(matchTargets(push(), []), "github");
    expect(summary).toContain("github");
    expect(words(summary)).toMatchSnapshot();
  });

  test("returns an empty text when every target deploys", () => {
    expect(summariseDecisions(matchTargets(push(), [blog]), "github")).toBe("");
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
