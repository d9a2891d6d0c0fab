import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import definitions from "@octokit/webhooks-examples";
import fc from "fast-check";
import type { Event } from "../../src/domain/event.ts";
import { bitbucket } from "../../src/providers/bitbucket/index.ts";
import { gitea } from "../../src/providers/gitea/index.ts";
import { github } from "../../src/providers/github/index.ts";
import { gitlab } from "../../src/providers/gitlab/index.ts";
import { loadSecret } from "./load-secret.ts";

const COMMIT = "3484a3fb816e0859fd6e1cea078d76385ff50625";
const secret = loadSecret("a secret of the tests, long enough");

const SENDERS = {
  github: { handler: github.createHandlerWithSecret(secret), header: "x-github-event" },
  gitlab: { handler: gitlab.createHandlerWithSecret(secret), header: "x-gitlab-event" },
  gitea: { handler: gitea.createHandlerWithSecret(secret), header: "x-gitea-event" },
  bitbucket: { handler: bitbucket.createHandlerWithSecret(secret), header: "x-event-key" },
};

/** The only event of a payload. */
function read(provider: keyof typeof SENDERS, event: string, payload: unknown): Event {
  const { handler, header } = SENDERS[provider];
  const body = Buffer.from(JSON.stringify(payload));
  const headers = new Headers({ "content-type": "application/json", [header]: event });
  const result = handler.parse({ headers, body });
  if (result.kind !== "parsed") throw new Error(JSON.stringify(result));
  expect(result.events).toHaveLength(1);
  return result.events[0];
}

interface Json {
  readonly [key: string]: Json;
}

function fixture(name: string): Json {
  return JSON.parse(readFileSync(join(import.meta.dir, "../fixtures/payloads", name), "utf8")) as Json;
}

/** GitHub's own examples of an event. */
const examplesOf = (event: string): readonly Json[] =>
  definitions
    .filter(({ name }) => (name as string) === event)
    .flatMap(({ examples }) => examples as unknown as readonly Json[]);

const octoRun = (run: object = {}, own: object = {}): unknown => {
  const [, example = {}] = examplesOf("workflow_run").filter(({ action }) => String(action) === "completed");
  return { ...example, ...own, workflow_run: { ...example.workflow_run, event: "push", ...run } };
};

describe("GitHub", () => {
  test.each(["workflow_run", "check_suite", "status"])("reads every example of %s as CI", (event) => {
    const examples = examplesOf(event);
    expect(examples.length).toBeGreaterThan(2);
    for (const example of examples) {
      const { full_name: repository } = example.repository as unknown as { full_name: string };
      expect(read("github", event, example)).toMatchObject({ kind: "ci", name: event, repository });
    }
  });

  test("reads the run of a workflow with its names, its branch and its commit", () => {
    expect(read("github", "workflow_run", octoRun())).toEqual({
      kind: "ci",
      name: "workflow_run",
      action: "completed",
      repository: "octo-org/octo-repo",
      refs: ["master"],
      commit: COMMIT,
      workflows: ["test", "test.yml", ".github/workflows/test.yml"],
      outcome: "success",
      cause: "push",
      run: { check: "workflow_run .github/workflows/test.yml", number: 289782451, attempt: 1 },
    });
  });

  test.each([
    ["success", "success"],
    ["failure", "failure"],
    ["timed_out", "failure"],
    ["startup_failure", "failure"],
    ["cancelled", "failure"],
    ["action_required", "failure"],
    ["stale", "failure"],
    ["neutral", "other"],
    ["skipped", "other"],
    [null, "failure"],
  ])("reads the conclusion %p as %s", (conclusion, outcome) => {
    expect(read("github", "workflow_run", octoRun({ conclusion }))).toMatchObject({ outcome });
  });

  test.each(["requested", "in_progress"])("reads a workflow that is %s as pending", (action) => {
    const payload = octoRun({ status: action }, { action });
    expect(read("github", "workflow_run", payload)).toMatchObject({ action, outcome: "pending" });
  });

  test.each([
    ["a push", { event: "push" }, "push"],
    ["a schedule", { event: "schedule" }, "request"],
    ["a person", { event: "workflow_dispatch" }, "request"],
    ["a pull request", { event: "pull_request" }, "foreign"],
    ["a pull request with the workflow of its target", { event: "pull_request_target" }, "foreign"],
    ["an issue", { event: "issues" }, "foreign"],
    ["another workflow", { event: "workflow_run" }, "foreign"],
    ["a fork", { head_repository: { full_name: "mallory/octo-repo" } }, "foreign"],
    ["a fork that was deleted", { head_repository: null }, "foreign"],
    ["the repository in other case", { head_repository: { full_name: "Octo-Org/octo-repo" } }, "push"],
  ])("reads a run for %s as %o", (_, run, cause) => {
    expect(read("github", "workflow_run", octoRun(run))).toMatchObject({ cause });
  });

  const [suite = {}] = examplesOf("check_suite");
  const suiteOf = (own: object) => ({
    ...suite,
    check_suite: { ...suite.check_suite, app: { slug: "circleci-checks", name: "CircleCI Checks" }, ...own },
  });

  test.each([
    ["another App", {}, "unknown"],
    ["GitHub Actions, which do not say what they ran for", { app: { slug: "github-actions" } }, "foreign"],
    ["a fork, whose branch GitHub leaves out", { head_branch: null }, "foreign"],
  ])("reads the check suite of %s", (_, own, cause) => {
    expect(read("github", "check_suite", suiteOf(own))).toMatchObject({ outcome: "success", cause });
  });

  test("reads a check suite that is requested again as pending", () => {
    expect(read("github", "check_suite", { ...suiteOf({}), action: "rerequested" })).toMatchObject({
      outcome: "pending",
    });
  });

  const [example = {}] = examplesOf("status");
  const statusOf = (own: object) => ({ ...example, ...own });

  test.each([
    ["success", "success"],
    ["pending", "pending"],
    ["failure", "failure"],
    ["error", "failure"],
  ])("reads the state %s of a status as %s", (state, outcome) => {
    expect(read("github", "status", statusOf({ state }))).toMatchObject({
      outcome,
      commit: "6113728f27ae82c7b1a177c8d03f9e96e0adf246",
      refs: ["master", "changes", "gh-pages"],
      workflows: ["default"],
      cause: "unknown",
    });
  });

  test("does not trust the list of branches when it may be cut, nor hooklatch's own status", () => {
    const branches = Array.from({ length: 10 }, (_, at) => ({ name: `b${at}` }));
    expect(read("github", "status", statusOf({ branches }))).toMatchObject({ refs: null });
    expect(read("github", "status", statusOf({ branches: [] }))).toMatchObject({ refs: [] });
    expect(read("github", "status", statusOf({ context: "hooklatch/blog" }))).toMatchObject({
      cause: "foreign",
    });
  });

  test.each([
    ["without a commit", { head_sha: undefined }],
    ["with an abbreviated commit", { head_sha: COMMIT.slice(0, 12) }],
    ["with a name that is not text", { name: 7 }],
    ["with a name of 1,025 characters", { name: "x".repeat(1025) }],
  ])("reads a run %s as another event", (_, run) => {
    expect(read("github", "workflow_run", octoRun(run))).toMatchObject({
      kind: "other",
      name: "workflow_run",
      action: "completed",
    });
  });

  test("reads a published release as a release, and its other actions as other events", () => {
    for (const payload of examplesOf("release")) {
      const action = String(payload.action);
      expect(read("github", "release", payload)).toMatchObject({
        kind: action === "published" ? "release" : "other",
        name: "release",
        action,
        repository: "Codertocat/Hello-World",
      });
    }
  });
});

describe("GitLab", () => {
  const pipeline = fixture("gitlab/pipeline-event.json");
  const own = (attributes: object, more: object = {}) => ({
    ...pipeline,
    merge_request: null,
    ...more,
    object_attributes: { ...pipeline.object_attributes, source: "push", ...attributes },
  });

  test("reads the pipeline of a merge request as foreign, whatever its branch is called", () => {
    expect(read("gitlab", "Pipeline Hook", pipeline)).toMatchObject({
      kind: "ci",
      refs: ["master"],
      outcome: "success",
      cause: "foreign",
    });
  });

  test("reads the pipeline of a push", () => {
    expect(read("gitlab", "Pipeline Hook", own({}))).toEqual({
      kind: "ci",
      name: "pipeline",
      action: "success",
      repository: "gitlab-org/gitlab-test",
      refs: ["master"],
      commit: "bcbb5ec396a2c0f828686f14fac9b80b780504f2",
      workflows: ["pipeline_name"],
      outcome: "success",
      cause: "push",
      run: { check: "pipeline pipeline_name", number: 31, attempt: 1 },
    });
  });

  test.each([
    ["success", "success"],
    ["failed", "failure"],
    ["canceled", "failure"],
    ["skipped", "other"],
    ["running", "pending"],
    ["pending", "pending"],
    ["manual", "pending"],
  ])("reads the status %s as %s", (status, outcome) => {
    expect(read("gitlab", "Pipeline Hook", own({ status }))).toMatchObject({ outcome });
  });

  test.each([
    ["web", "request"],
    ["schedule", "request"],
    ["parent_pipeline", "foreign"],
    ["constructor", "foreign"],
    ["toString", "foreign"],
    ["external_pull_request_event", "foreign"],
    [null, "unknown"],
  ])("reads the source %p as %s", (source, cause) => {
    expect(read("gitlab", "Pipeline Hook", own({ source }))).toMatchObject({ cause });
  });

  test("reads a pipeline of GitLab before 12.2, which names no source, by its merge request", () => {
    const payload = own({ source: undefined }, { merge_request: { id: 1 } });
    expect(read("gitlab", "Pipeline Hook", payload)).toMatchObject({ cause: "foreign" });
  });

  test("reads a created release as a release, and an updated one as another event", () => {
    const release = fixture("gitlab/release-event.json");
    expect(read("gitlab", "Release Hook", release)).toMatchObject({ kind: "release", action: "create" });
    expect(read("gitlab", "Release Hook", { ...release, action: "update" })).toMatchObject({ kind: "other" });
  });
});

describe("Gitea and Forgejo", () => {
  const workflowRun = fixture("gitea/workflow-run-event.json");
  const runOf = (run: object) => ({ ...workflowRun, workflow_run: { ...workflowRun.workflow_run, ...run } });

  test("reads the run of a workflow", () => {
    expect(read("gitea", "workflow_run", workflowRun)).toEqual({
      kind: "ci",
      name: "workflow_run",
      action: "completed",
      repository: "example/example",
      refs: ["main"],
      commit: "b6e4b7c0b5a0c1d1f0e2a3d4c5b6a79880919293",
      workflows: ["CI", "ci.yml", ".gitea/workflows/ci.yml"],
      outcome: "success",
      cause: "push",
      run: { check: "workflow_run .gitea/workflows/ci.yml", number: 42, attempt: 0 },
    });
  });

  test.each([
    [
      "a tag, for which the branch is empty",
      { head_branch: "", path: "ci.yml@refs/tags/v1.0.0" },
      ["v1.0.0"],
      "push",
    ],
    [
      "a pull request",
      { head_branch: "", path: "ci.yml@refs/pull/7/head", event: "pull_request" },
      [],
      "foreign",
    ],
    ["another repository", { head_repository: { full_name: "mallory/example" } }, ["main"], "foreign"],
  ])("reads a run for %s", (_, run, refs, cause) => {
    expect(read("gitea", "workflow_run", runOf(run))).toMatchObject({ refs: [...refs], cause });
  });

  const actionRun = fixture("gitea/forgejo-action-run-success.json");
  const actionOf = (run: object) => ({ ...actionRun, run: { ...actionRun.run, ...run } });

  test.each([
    ["action_run_success", "success", "success"],
    ["action_run_recover", "success", "success"],
    ["action_run_failure", "failure", "failure"],
    ["action_run_success", "failure", "failure"],
    ["action_run_success", "cancelled", "failure"],
    ["action_run_success", "skipped", "other"],
    ["action_run_success", "running", "pending"],
  ] as const)("reads %s of Forgejo with the status %s as %s", (event, status, outcome) => {
    expect(read("gitea", event, actionOf({ status }))).toEqual({
      kind: "ci",
      name: event,
      repository: "example/example",
      refs: ["main"],
      commit: "c7f5c8d1c6b1d2e2a1f3b4e5d6c7b8a991a2a3a4",
      workflows: ["test.yml"],
      outcome,
      cause: "push",
      run: { check: "action_run test.yml", number: 17, attempt: 1 },
    });
  });

  test.each([
    ["of a fork", { is_fork_pull_request: true }],
    ["of a pull request", { prettyref: "#7", trigger_event: "pull_request" }],
    ["that does not say what it ran for", { trigger_event: "", event: "" }],
  ])("reads an action run %s as foreign", (_, run) => {
    expect(read("gitea", "action_run_success", actionOf(run))).toMatchObject({ cause: "foreign" });
  });

  test("reads a published release as a release", () => {
    const release = fixture("gitea/release-event.json");
    expect(read("gitea", "release", release)).toMatchObject({
      kind: "release",
      action: "published",
      repository: "example/example",
    });
    expect(read("gitea", "release", { ...release, action: "updated" })).toMatchObject({ kind: "other" });
  });
});

describe("Bitbucket", () => {
  const status = fixture("bitbucket/repo-commit-status-updated.json");
  const statusOf = (own: object) => ({ ...status, commit_status: { ...status.commit_status, ...own } });
  const COMMIT = "9fec847784abb10b2fa567ee63b85bd238955d0e";

  test("reads a build status, whose commit may be in a link alone", () => {
    const event = read("bitbucket", "repo:commit_status_updated", status);
    expect(event).toEqual({
      kind: "ci",
      name: "repo:commit_status_updated",
      repository: "team_name/repo_name",
      refs: null,
      commit: COMMIT,
      workflows: ["Unit Tests (Python)", "mybuildtool"],
      outcome: "success",
      cause: "unknown",
      run: { check: "status mybuildtool", number: Date.parse("2015-11-20T08:01:16.433Z"), attempt: 1 },
    });
    const created = fixture("bitbucket/repo-commit-status-created.json");
    expect(read("bitbucket", "repo:commit_status_created", created)).toMatchObject({ outcome: "pending" });
  });

  test("reads the ref and the commit of a build of Pipelines", () => {
    const hash = "a".repeat(40);
    const payload = statusOf({ refname: "main", commit: { hash } });
    expect(read("bitbucket", "repo:commit_status_updated", payload)).toMatchObject({
      refs: ["main"],
      commit: hash,
    });
  });

  test.each([
    ["SUCCESSFUL", "success"],
    ["FAILED", "failure"],
    ["STOPPED", "failure"],
    ["INPROGRESS", "pending"],
    ["NEW", "failure"],
  ])("reads the state %s as %s", (state, outcome) => {
    expect(read("bitbucket", "repo:commit_status_updated", statusOf({ state }))).toMatchObject({ outcome });
  });

  test("reads a status without a commit as another event", () => {
    for (const links of [undefined, { commit: { href: "https://example.com/commit/main" } }]) {
      expect(read("bitbucket", "repo:commit_status_updated", statusOf({ links }))).toMatchObject({
        kind: "other",
        name: "repo:commit_status_updated",
        repository: "team_name/repo_name",
      });
    }
  });
});

test.each([
  ["github", "workflow_run", octoRun()],
  ["github", "check_suite", examplesOf("check_suite")[0]],
  ["github", "status", examplesOf("status")[0]],
  ["gitlab", "Pipeline Hook", fixture("gitlab/pipeline-event.json")],
  ["gitea", "workflow_run", fixture("gitea/workflow-run-event.json")],
  ["gitea", "action_run_success", fixture("gitea/forgejo-action-run-success.json")],
  ["bitbucket", "repo:commit_status_updated", fixture("bitbucket/repo-commit-status-updated.json")],
] as const)("%s reads any payload of %s as CI or as another event", (provider, event, payload) => {
  const text = JSON.stringify(payload);
  const fields = [...text.matchAll(/"(?:[^"\\]|\\.)*":/g)].map(({ index, 0: key }) => index + key.length);
  const change = fc.tuple(fc.constantFrom(...fields), fc.json());
  fc.assert(
    fc.property(change, ([at, value]) => {
      // Replaces the value after a key, whatever it is.
      const [end = text.length] = [/[,}]/.exec(text.slice(at))?.index ?? 0].map((length) => at + length);
      let changed: unknown;
      try {
        changed = JSON.parse(text.slice(0, at) + value + text.slice(end));
      } catch {
        return; // The old value was an object or a list.
      }
      expect(["ci", "other"]).toContain(read(provider, event, changed).kind);
    }),
  );
});
