import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { type CiResult, findCiObstacle } from "../../src/domain/ci.ts";
import type { CiEvent, Event, PushEvent, ReleaseEvent } from "../../src/domain/event.ts";
import { isAbout, isCiFor, matchTarget } from "../../src/domain/match.ts";
import type { Target } from "../../src/domain/target.ts";
import { targetOf } from "../support/target.ts";
import { words } from "../support/words.ts";

const COMMIT = "59b20b8d5c6ff8d09518454d4dd8b7b30f095ab5";
const push: PushEvent = {
  kind: "push",
  repository: "octocat/blog",
  ref: { kind: "branch", name: "main" },
  deleted: false,
  commit: COMMIT,
  skip: false,
};
const success: CiEvent = {
  kind: "ci",
  name: "workflow_run",
  action: "completed",
  repository: "Octocat/Blog",
  refs: ["main"],
  commit: COMMIT,
  workflows: ["test", "ci.yml"],
  outcome: "success",
  cause: "push",
  run: { check: "ci.yml", number: 1, attempt: 1 },
};
const release: ReleaseEvent = {
  kind: "release",
  name: "release",
  action: "published",
  repository: "octocat/blog",
};
const any = targetOf("any", { waitForCi: { workflow: null } });
const named = targetOf("named", { waitForCi: { workflow: "test" } });
const cloneUrl = "/nowhere/blog.git";
const tags = targetOf("tags", {
  waitForCi: { workflow: null },
  repository: {
    fullName: "octocat/blog",
    ref: { kind: "tag", pattern: "v*", prereleases: false },
    cloneUrl,
    depth: null,
  },
});
const plain = targetOf("plain");

const reasons: string[] = [];
function decide(event: Event, target: Target) {
  const match = matchTarget([event], target);
  const { deploy, code, reason } = match.decision ?? {};
  if (reason) reasons.push(words(reason));
  return deploy ? "deploys" : code;
}

describe("a target that waits for CI", () => {
  test("does not deploy a push, and keeps the reasons of pushes that it would not deploy anyway", () => {
    expect([decide(push, any), decide(push, named)]).toEqual(["waiting_for_ci", "waiting_for_ci"]);
    expect(decide({ ...push, deleted: true }, any)).toBe("deleted");
    expect(decide({ ...push, skip: true }, any)).toBe("skip_requested");
    expect(decide({ ...push, ref: { kind: "branch", name: "dev" } }, any)).toBe("branch");
    expect(decide({ ...push, repository: "octocat/other" }, any)).toBe("repository");
    expect(decide(release, any)).toBe("event");
  });

  test("deploys the success of CI for its branch, by any name of the workflow", () => {
    expect(decide(success, any)).toBe("deploys");
    expect(decide(success, named)).toBe("deploys");
    expect(decide(success, targetOf("file", { waitForCi: { workflow: "ci.yml" } }))).toBe("deploys");
    expect(decide({ ...success, refs: null }, any)).toBe("deploys");
    expect(decide({ ...success, cause: "unknown" }, any)).toBe("deploys");
  });

  test.each([
    ["another branch", { refs: ["dev"] }, "branch"],
    ["no branch", { refs: [] }, "branch"],
    ["another repository", { repository: "octocat/other" }, "repository"],
    ["a pull request from a branch of the same name", { cause: "foreign" }, "ci_foreign"],
    ["a schedule", { cause: "request" }, "ci_foreign"],
    ["a failure", { outcome: "failure" }, "ci_failed"],
    ["a workflow that runs", { outcome: "pending" }, "ci_pending"],
  ] as const)("does not deploy %s", (_, own, code) => {
    expect(decide({ ...success, ...own }, any)).toBe(code);
  });

  test("of a named workflow ignores others, and takes its runs on request", () => {
    expect(decide({ ...success, workflows: ["lint"] }, named)).toBe("workflow");
    expect(decide({ ...success, workflows: [] }, named)).toBe("workflow");
    expect(decide({ ...success, workflows: ["Test"] }, named)).toBe("workflow");
    expect(decide({ ...success, cause: "request" }, named)).toBe("deploys");
    expect(decide({ ...success, cause: "foreign" }, named)).toBe("ci_foreign");
    expect(decide({ ...success, outcome: "other" }, named)).toBe("ci_failed");
  });

  test("takes a skipped workflow where all count, because the others may have waited for it", () => {
    expect(decide({ ...success, outcome: "other" }, any)).toBe("deploys");
  });

  test("for tags deploys the success of CI for a matching tag", () => {
    expect(decide({ ...success, refs: ["v1.0.0"] }, tags)).toBe("deploys");
    expect(decide({ ...success, refs: ["v1.0.0-rc.1"] }, tags)).toBe("tag");
    expect(decide(success, tags)).toBe("tag");
    expect(decide({ ...success, refs: null }, tags)).toBe("tag");
  });

  test("gives each case a reason", () => {
    expect([...new Set(reasons)]).toMatchSnapshot();
  });
});

test("CI deploys no target that does not wait for it, unless its events name it", () => {
  expect(decide(success, plain)).toBe("event");
  for (const events of [["workflow_run"], ["workflow_run.completed"]]) {
    const target = targetOf("ruled", { events });
    expect(decide(success, target)).toBe("deploys");
    expect(decide({ ...success, outcome: "failure", refs: ["dev"] }, target)).toBe("deploys");
    expect(decide(push, target)).toBe("event");
  }
  expect(decide(release, targetOf("ruled", { events: ["release.published"] }))).toBe("deploys");
});

test("CI is about the targets of its repository that wait for it or name it", () => {
  expect(isAbout([success], any)).toBe(true);
  expect(isAbout([{ ...success, refs: ["dev"], outcome: "pending" }], any)).toBe(true);
  expect(isAbout([{ ...success, repository: "octocat/other" }], any)).toBe(false);
  expect(isAbout([success], plain)).toBe(false);
  expect(isAbout([success], targetOf("ruled", { events: ["workflow_run.completed"] }))).toBe(true);
  expect(isAbout([release], any)).toBe(false);
});

function result(check: string, outcome: CiResult["outcome"], own: Partial<CiResult> = {}): CiResult {
  const run = { check, number: 1, attempt: 1 };
  return {
    repository: "octocat/blog",
    refs: ["main"],
    workflows: [check],
    outcome,
    cause: "push",
    run,
    ...own,
  };
}

const codeOf = (results: readonly CiResult[], workflow: string | null = null) =>
  findCiObstacle(results, { workflow })?.code ?? null;

describe("findCiObstacle", () => {
  test("waits until all workflows have succeeded or were skipped", () => {
    expect(codeOf([])).toBe("ci_failed");
    expect(codeOf([result("lint", "other")])).toBe("ci_failed");
    expect(codeOf([result("test", "success"), result("lint", "pending")])).toBe("ci_pending");
    expect(
      codeOf([result("lint", "pending"), result("test", "success"), result("lint", "other")]),
    ).toBeNull();
    expect(codeOf([result("lint", "failure"), result("test", "success"), result("e2e", "pending")])).toBe(
      "ci_failed",
    );
  });

  test("takes the latest attempt of the latest run", () => {
    const run = (number: number, attempt: number) => ({ run: { check: "test", number, attempt } });
    const failed = result("test", "failure", run(1, 1));
    const repeated = result("test", "success", run(1, 2));
    expect(codeOf([failed, repeated])).toBeNull();
    expect(codeOf([repeated, failed])).toBeNull();
    expect(codeOf([repeated, result("test", "failure", run(2, 1))])).toBe("ci_failed");
  });

  test("takes the end of a run when its beginning arrives later, and the newest of several ends", () => {
    expect(codeOf([result("test", "success"), result("test", "pending")])).toBeNull();
    expect(codeOf([result("test", "failure"), result("test", "success")])).toBeNull();
  });

  test("does not count pull requests and runs on request", () => {
    const passed = result("lint", "success");
    expect(codeOf([passed, result("test", "failure", { cause: "foreign" })])).toBeNull();
    expect(codeOf([passed, result("stale", "pending", { cause: "request" })])).toBeNull();
    expect(codeOf([passed, result("ci/build", "failure", { cause: "unknown" })])).toBe("ci_failed");
  });

  test("takes any success of a named workflow, and no other", () => {
    const passed = result("test", "success", { cause: "request" });
    expect(codeOf([passed, result("test", "failure"), result("lint", "failure")], "test")).toBeNull();
    expect(codeOf([passed], "lint")).toBe("ci_failed");
    expect(codeOf([{ ...passed, cause: "foreign" }, result("test", "other")], "test")).toBe("ci_failed");
    expect(codeOf([], "test")).toBe("ci_failed");
  });

  test("does not depend on the order in which ends of different runs arrive", () => {
    const ends = fc.array(
      fc.record({
        check: fc.constantFrom("a", "b"),
        number: fc.integer({ min: 0, max: 3 }),
        attempt: fc.integer({ min: 1, max: 3 }),
        outcome: fc.constantFrom("success" as const, "failure" as const),
      }),
      { maxLength: 8 },
    );
    fc.assert(
      fc.property(ends, (list) => {
        const unique = [
          ...new Map(list.map((each) => [`${each.check}${each.number}/${each.attempt}`, each])).values(),
        ];
        const results = unique.map(({ outcome, ...run }) => result(run.check, outcome, { run }));
        expect(codeOf(results.toReversed())).toBe(codeOf(results));
      }),
    );
  });
});

test("isCiFor compares the repository without regard to case, and the branch or tag", () => {
  const ours = any.repository;
  const versions = tags.repository;
  if (ours === null || versions === null) throw new Error("the targets have repositories");
  expect(isCiFor(result("test", "success", { repository: "Octocat/Blog" }), ours)).toBe(true);
  expect(isCiFor(result("test", "success", { repository: "octocat/other" }), ours)).toBe(false);
  expect(isCiFor(result("test", "success", { refs: ["stage"] }), ours)).toBe(false);
  expect(isCiFor(result("test", "success", { refs: null }), ours)).toBe(true);
  expect(isCiFor(result("test", "success", { refs: ["v1.0.0"] }), versions)).toBe(true);
  expect(isCiFor(result("test", "success"), versions)).toBe(false);
});
