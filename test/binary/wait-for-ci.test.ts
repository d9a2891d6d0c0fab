import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync } from "node:fs";
import definitions from "@octokit/webhooks-examples";
import { SECRET } from "../support/configuration.ts";
import { Repository } from "../support/git.ts";
import { deliver } from "../support/github.ts";
import { pushBody } from "../support/payloads.ts";
import { words } from "../support/words.ts";
import { Blog } from "./blog.ts";

setDefaultTimeout(120_000);

let blog: Blog;
beforeEach(() => {
  blog = new Blog();
});
afterEach(() => blog[Symbol.asyncDispose]());

interface Answer {
  readonly status: string;
  readonly delivery: number;
  readonly deployments?: readonly { readonly id: number; readonly target: string }[];
  readonly reason?: string;
}

async function send(event: string, body: string, id?: string): Promise<Answer> {
  const response = await deliver(blog.url, event, body, { secret: SECRET, ...(id !== undefined && { id }) });
  return (await response.json()) as Answer;
}

const { examples } = definitions.find(({ name }) => name === "workflow_run") ?? { examples: [] };
const example = (examples as readonly { workflow_run: { run_attempt: number } }[]).at(-1);
let runs = 1000;

/** GitHub's payload for the run of a workflow, for a commit of the branch main of octocat/blog. */
function run(commit: string, changes: Record<string, unknown> = {}, action = "completed"): string {
  const { workflow = "test", ...own } = changes;
  const repository = { full_name: "octocat/blog" };
  const workflow_run = {
    ...example?.workflow_run,
    id: ++runs,
    name: workflow,
    path: `.github/workflows/${workflow}.yml`,
    event: "push",
    head_branch: "main",
    head_sha: commit,
    head_repository: repository,
    status: action,
    conclusion: action === "completed" ? "success" : null,
    ...own,
  };
  const described = { name: workflow, path: `.github/workflows/${workflow}.yml` };
  return JSON.stringify({ ...example, action, repository, workflow: described, workflow_run });
}

/** Sends the success of CI, and resolves with the deployment when it has ended. */
async function succeed(commit: string, changes: Record<string, unknown> = {}) {
  const answer = await send("workflow_run", run(commit, changes));
  const [deployment] = answer.deployments ?? [];
  if (deployment === undefined) throw new Error(`no deployment: ${JSON.stringify(answer)}`);
  return blog.untilEnded(deployment.id);
}

const push = (after = blog.repository.tip, changes = {}) =>
  send("push", pushBody({ after, head_commit: null, ...changes }));

async function codesOf(delivery: number): Promise<readonly unknown[]> {
  const shown = await blog.run("delivery", "show", String(delivery), "--json");
  return JSON.parse(shown.stdout).decisions.map(({ target, code }: Record<string, unknown>) => [
    target,
    code,
  ]);
}

describe("wait_for_ci = true", () => {
  test("deploys exactly the commit whose CI succeeded, although the branch has moved on", async () => {
    const first = blog.repository.commit({ "index.html": "one" });
    await blog.serve({ keys: "wait_for_ci = true\nrun = ['echo \"$HOOKLATCH_EVENT $HOOKLATCH_COMMIT\"']" });
    const waiting = await push();
    expect(waiting).toMatchObject({ status: "skipped" });
    expect(waiting.deployments).toBeUndefined();
    expect(words(waiting.reason ?? "")).toMatchSnapshot("reason of the push");
    expect(await codesOf(waiting.delivery)).toEqual([["blog", "waiting_for_ci"]]);

    const second = blog.repository.commit({ "index.html": "two" });
    const third = blog.repository.commit({ "index.html": "three" });
    for (const action of ["requested", "in_progress"]) {
      const begun = await send("workflow_run", run(first, {}, action));
      expect(begun).toMatchObject({ status: "skipped" });
      expect(await codesOf(begun.delivery)).toEqual([["blog", "ci_pending"]]);
    }
    const deployed = await succeed(first);
    expect(deployed).toMatchObject({
      ...{ state: "succeeded", trigger: "ci", branch: "main", commit: first, pushed_commit: first },
      ...{ chosen: null, previous_commit: null, subject: "A change", author: "Ada" },
    });
    expect(blog.read("index.html")).toBe("one");
    expect((await blog.output(deployed.id)).join("\n")).toContain(`workflow_run ${first}`);

    // The newer commit first, then the older one, which is not deployed.
    expect(await succeed(third)).toMatchObject({ state: "succeeded", commit: third, previous_commit: first });
    expect(await succeed(second)).toMatchObject({
      state: "cancelled",
      code: "older_than_live",
      commit: second,
    });
    expect(blog.read("index.html")).toBe("three");
    // A success of the live commit, which another workflow or a schedule may report.
    expect(await succeed(third, { workflow: "other" })).toMatchObject({ code: "already_live" });

    const show = async (...args: string[]) => (await blog.run("delivery", "show", "5", ...args)).stdout;
    expect(JSON.parse(await show("--json"))).toMatchObject({
      ...{ event: "ci", event_name: "workflow_run", action: "completed" },
      ci: { repository: "octocat/blog", commit: third, workflow: "test", outcome: "success" },
    });
    expect(await show()).toContain(`octocat/blog ${third} test: success\n`);
    const list = (await blog.run("delivery", "list")).stdout;
    expect(list).toContain("workflow_run.completed");
    expect(list).toContain("workflow_run.requested");
    expect((await blog.run("deployment", "list")).stdout).toMatch(/succeeded +ci /);
    expect((await blog.run("target", "show", "blog")).stdout).toMatch(/waits for +the success of CI/);
  });

  test("deploys a repeated run that succeeds, and does not undo it when a later one fails", async () => {
    const commit = blog.repository.commit({ "index.html": "one" });
    await blog.serve({ keys: "wait_for_ci = true" });
    const failed = await send("workflow_run", run(commit, { id: 1, conclusion: "failure" }));
    expect(failed).toMatchObject({ status: "skipped" });
    expect(await codesOf(failed.delivery)).toEqual([["blog", "ci_failed"]]);
    const repeated = run(commit, { id: 1, run_attempt: 2 });
    const answer = await send("workflow_run", repeated, "6a2f");
    expect(answer).toMatchObject({ status: "ok", deployments: [{ target: "blog" }] });
    expect(await blog.untilEnded(1)).toMatchObject({ state: "succeeded", commit });
    expect(
      await send("workflow_run", run(commit, { id: 1, run_attempt: 3, conclusion: "failure" })),
    ).toMatchObject({ status: "skipped" });
    expect(blog.read("index.html")).toBe("one");

    // The same body under another id is a replay by a stranger; a redelivery and a person's replay run again.
    expect(await send("workflow_run", repeated)).toMatchObject({ status: "duplicate" });
    await send("workflow_run", run(commit, { id: 1, run_attempt: 4 }));
    expect(await blog.untilEnded(2)).toMatchObject({ code: "already_live" });
    await send("workflow_run", repeated, "6a2f");
    expect(await blog.untilEnded(3)).toMatchObject({ trigger: "redelivery", state: "succeeded", commit });
    await blog.run("delivery", "replay", String(answer.delivery));
    expect(await blog.untilEnded(4)).toMatchObject({ trigger: "replay", state: "succeeded", commit });
  });

  test("waits until every workflow that runs for the push has ended, and none has failed", async () => {
    const commit = blog.repository.commit({ "index.html": "one" });
    await blog.serve({ keys: "wait_for_ci = true" });
    await send("workflow_run", run(commit, { workflow: "lint", id: 11 }, "requested"));
    await send("workflow_run", run(commit, { workflow: "stale", event: "schedule" }, "in_progress"));
    const early = await succeed(commit);
    expect(early).toMatchObject({ state: "cancelled", code: "ci_pending" });
    expect(words(early.reason ?? "")).toMatchSnapshot("reason of the early success");
    await send("workflow_run", run(commit, { workflow: "lint", id: 11, conclusion: "failure" }));
    expect(await succeed(commit, { workflow: "docs" })).toMatchObject({
      state: "cancelled",
      code: "ci_failed",
    });
    await send("workflow_run", run(commit, { workflow: "e2e", id: 12 }, "requested"));
    expect(await succeed(commit, { workflow: "lint", id: 11, run_attempt: 2 })).toMatchObject({
      code: "ci_pending",
    });
    // The same workflow for another branch at the same commit does not count, nor does the end of it.
    await send("workflow_run", run(commit, { head_branch: "stage" }, "requested"));
    // The last one is skipped: now all have ended, and some succeeded.
    const last = await succeed(commit, { workflow: "e2e", id: 12, conclusion: "skipped" });
    expect(last).toMatchObject({ state: "succeeded", commit });
    const lonely = blog.repository.commit({ "index.html": "two" });
    expect(await succeed(lonely, { conclusion: "skipped" })).toMatchObject({ code: "ci_failed" });
  });

  test("never deploys a pull request, a fork, or a workflow that did not run for a push", async () => {
    const commit = blog.repository.commit({ "index.html": "one" });
    const fork = new Repository(blog.at("fork"));
    fork.git("pull", "--quiet", blog.repository.path, "main");
    const evil = fork.commit({ "index.html": "evil" });
    await blog.serve({ keys: "wait_for_ci = true" });
    const others = [
      { event: "pull_request" },
      { event: "pull_request_target" },
      { head_repository: { full_name: "mallory/blog" }, head_sha: evil },
      { head_repository: { full_name: "mallory/blog" }, head_sha: evil, event: "pull_request" },
      { head_repository: null, head_sha: evil },
      { event: "schedule" },
      { event: "issue_comment" },
    ];
    for (const other of others) {
      const answer = await send("workflow_run", run(commit, other));
      expect(answer).toMatchObject({ status: "skipped" });
      expect(await codesOf(answer.delivery)).toEqual([["blog", "ci_foreign"]]);
    }
    // Also when the payload claims to be of the repository: the branch does not contain the commit.
    const claimed = await succeed(evil);
    expect(claimed).toMatchObject({ state: "cancelled", code: "not_in_branch", commit: evil });
    expect(words(claimed.reason ?? "", { [evil.slice(0, 12)]: "<commit>" })).toMatchSnapshot(
      "reason of a commit that is not in the branch",
    );
    expect((await blog.run("target", "show", "blog", "--json")).stdout).toContain('"live":null');
  });

  test("does not deploy a commit that a forced push removed", async () => {
    const base = blog.repository.commit({ "index.html": "base" });
    const removed = blog.repository.commit({ "index.html": "removed" });
    await blog.serve({ keys: "wait_for_ci = true" });
    expect(await succeed(base)).toMatchObject({ state: "succeeded" });
    blog.repository.git("reset", "--quiet", "--hard", base);
    const rewritten = blog.repository.commit({ "index.html": "rewritten" });
    expect(await succeed(removed)).toMatchObject({ state: "cancelled", code: "not_in_branch" });
    expect(await succeed(rewritten)).toMatchObject({ state: "succeeded", commit: rewritten });
    expect(blog.read("index.html")).toBe("rewritten");
  });

  test("respects a rollback, until CI of a newer commit succeeds", async () => {
    const [one, two, three] = ["1", "2", "3"].map((text) => blog.repository.commit({ "index.html": text }));
    await blog.serve({ keys: "wait_for_ci = true" });
    expect(await succeed(one ?? "")).toMatchObject({ state: "succeeded" });
    expect(await succeed(three ?? "")).toMatchObject({ state: "succeeded" });
    await blog.run("target", "rollback", "blog");
    expect(blog.read("index.html")).toBe("1");
    for (const commit of [two, three]) {
      expect(await succeed(commit ?? "")).toMatchObject({ state: "cancelled", code: "rolled_back" });
    }
    expect(blog.read("index.html")).toBe("1");
    const four = blog.repository.commit({ "index.html": "4" });
    expect(await succeed(four)).toMatchObject({ state: "succeeded", commit: four, previous_commit: one });
  });

  test("does not catch up, and a person deploys the tip or a commit", async () => {
    const first = blog.repository.commit({ "index.html": "one" });
    await blog.serve({ keys: "wait_for_ci = true" });
    expect(await succeed(first)).toMatchObject({ state: "succeeded" });
    const tip = blog.repository.commit({ "index.html": "two" });
    await blog.server.end("SIGTERM");
    await blog.restart();
    const deploy = await blog.run("target", "deploy", "blog", "--follow");
    expect(deploy.exitCode).toBe(0);
    expect(await blog.show(2)).toMatchObject({ trigger: "manual", commit: tip });
    await blog.run("target", "deploy", "blog", "--follow", "--commit", first);
    expect(await blog.show(3)).toMatchObject({ trigger: "manual", commit: first, chosen: first });
  });

  test("deploys the same commit after a crash", async () => {
    const commit = blog.repository.commit({ "index.html": "one" });
    await blog.serve({ keys: `wait_for_ci = true\nrun = ["[ -e ${blog.at("go")} ] || sleep 60"]` });
    await send("workflow_run", run(commit));
    blog.repository.commit({ "index.html": "two" });
    await blog.server.until(() => blog.server.log.some(({ msg }) => msg === "deployment started"));
    await blog.server.end("SIGKILL");
    blog.workshop.write("go", "");
    await blog.restart();
    expect(await blog.untilEnded(2)).toMatchObject({
      state: "succeeded",
      trigger: "ci",
      retry_of: 1,
      commit,
    });
    expect(blog.read("index.html")).toBe("one");
  });

  test("queues during a lock, and then deploys only what no newer commit follows", async () => {
    const [one = "", two = "", three = ""] = ["1", "2", "3"].map((text) =>
      blog.repository.commit({ "index.html": text }),
    );
    await blog.serve({ keys: "wait_for_ci = true" });
    await blog.run("target", "lock", "blog", "--reason", "freeze");
    for (const commit of [one, three, two, three]) {
      expect(await send("workflow_run", run(commit))).toMatchObject({ status: "ok" });
    }
    await blog.run("target", "unlock", "blog");
    // The second success of the same commit takes the place of the first one.
    for (const id of [1, 3, 4]) await blog.untilEnded(id);
    const results = await Promise.all([1, 2, 3, 4].map((id) => blog.show(id)));
    expect(results.map(({ code, commit }) => [code, commit])).toEqual([
      ["newer_queued", one],
      ["superseded", null],
      ["newer_queued", two],
      [null, three],
    ]);
  });

  test.each(["releases", "worktree"] as const)("works with depth = 1 in the layout %s", async (layout) => {
    const commits = Array.from({ length: 6 }, (_, at) =>
      blog.repository.commit({ "index.html": String(at) }),
    );
    const cloneUrl = `file://${blog.repository.path}`;
    await blog.serve({ layout, cloneUrl, keys: "wait_for_ci = true\ndepth = 1" });
    const [oldest = "", , third = "", fourth = ""] = commits;
    expect(await succeed(third)).toMatchObject({ state: "succeeded", commit: third });
    expect(blog.read("index.html")).toBe("2");
    expect(await succeed(oldest)).toMatchObject({ code: "older_than_live" });
    expect(await succeed(fourth)).toMatchObject({ state: "succeeded", commit: fourth });
    expect(blog.read("index.html")).toBe("3");
  });
});

test("each branch has its own target", async () => {
  const main = blog.repository.commit({ "index.html": "main" });
  blog.repository.git("checkout", "--quiet", "-b", "stage");
  const stage = blog.repository.commit({ "index.html": "stage" });
  await blog.serve({
    keys: "wait_for_ci = true",
    tables: `[[target]]
name = "stage"
repository = "octocat/blog"
branch = "stage"
clone_url = ${JSON.stringify(blog.repository.path)}
directory = "stage"
wait_for_ci = true
`,
  });
  const first = await send("workflow_run", run(stage, { head_branch: "stage" }));
  expect(first.deployments).toEqual([{ id: 1, target: "stage" }]);
  expect(await codesOf(first.delivery)).toEqual([
    ["blog", "branch"],
    ["stage", null],
  ]);
  expect(await blog.untilEnded(1)).toMatchObject({ state: "succeeded", commit: stage, branch: "stage" });
  // A commit of both branches is deployed to the branch for which its CI ran.
  const second = await send("workflow_run", run(main));
  expect(second.deployments).toEqual([{ id: 2, target: "blog" }]);
  expect(await blog.untilEnded(2)).toMatchObject({ state: "succeeded", commit: main, branch: "main" });
  expect([blog.read("index.html"), readFileSync(blog.at("stage/current/index.html"), "utf8")]).toEqual([
    "main",
    "stage",
  ]);
});

test("a named workflow deploys, whatever others say, and under the name of its file", async () => {
  const commit = blog.repository.commit({ "index.html": "one" });
  await blog.serve({ keys: 'wait_for_ci = "test"' });
  expect(words((await push()).reason ?? "")).toMatchSnapshot("reason of the push");
  const lint = await send("workflow_run", run(commit, { workflow: "lint" }));
  expect(await codesOf(lint.delivery)).toEqual([["blog", "workflow"]]);
  await send("workflow_run", run(commit, { workflow: "lint", conclusion: "failure" }));
  await send("workflow_run", run(commit, { event: "pull_request" }));
  expect(await succeed(commit, { event: "workflow_dispatch" })).toMatchObject({ state: "succeeded", commit });
  expect((await blog.run("target", "show", "blog")).stdout).toMatch(
    /waits for +the success of workflow test/,
  );

  await blog.server.end("SIGTERM");
  await blog.serve({ keys: 'wait_for_ci = "test.yml"' });
  const next = blog.repository.commit({ "index.html": "two" });
  expect(await succeed(next)).toMatchObject({ state: "succeeded", commit: next });
});

test("a tag is deployed once its CI succeeded, and an older version never after a newer one", async () => {
  const versions = ["v1.0.0", "v1.1.0", "v2.0.0"];
  const commits = versions.map((version) => {
    const commit = blog.repository.commit({ "index.html": version });
    blog.repository.git("tag", "--annotate", "--message", version, version);
    return commit;
  });
  blog.repository.git("checkout", "--quiet", "-b", "old", commits[0] ?? "");
  const patched = blog.repository.commit({ "index.html": "v1.0.1" });
  blog.repository.git("tag", "v1.0.1");
  await blog.serve({
    tables: `[[target]]
name = "tags"
repository = "octocat/blog"
tag = "v*"
clone_url = ${JSON.stringify(blog.repository.path)}
directory = "tags"
wait_for_ci = true
`,
  });
  const [, minor = "", major = ""] = commits;
  expect(await succeed(minor, { head_branch: "v1.1.0" })).toMatchObject({ branch: "v1.1.0", commit: minor });
  expect(await succeed(patched, { head_branch: "v1.0.1" })).toMatchObject({ code: "older_than_live" });
  expect(await succeed(major, { head_branch: "v2.0.0" })).toMatchObject({
    state: "succeeded",
    branch: "v2.0.0",
  });
  const untagged = blog.repository.commit({ "index.html": "x" });
  expect(await succeed(untagged, { head_branch: "v9" })).toMatchObject({ code: "not_in_branch" });
});

test("check suites and statuses of other Apps deploy, those of hooklatch and GitHub Actions do not", async () => {
  const [one = "", two = ""] = ["1", "2"].map((text) => blog.repository.commit({ "index.html": text }));
  await blog.serve({ keys: "wait_for_ci = true" });
  const repository = { full_name: "octocat/blog" };
  const suite = (slug: string) =>
    JSON.stringify({
      action: "completed",
      repository,
      check_suite: {
        ...{ id: 1, head_sha: one, head_branch: "main", status: "completed", conclusion: "success" },
        app: { slug, name: slug },
      },
    });
  const status = (context: string, state: string, id: number) =>
    JSON.stringify({ id, sha: two, state, context, branches: [{ name: "main" }], repository });
  expect(await send("check_suite", suite("github-actions"))).toMatchObject({ status: "skipped" });
  expect(await send("status", status("hooklatch/blog", "success", 1))).toMatchObject({ status: "skipped" });
  expect(await send("check_suite", suite("circleci"))).toMatchObject({ status: "ok" });
  expect(await blog.untilEnded(1)).toMatchObject({ state: "succeeded", trigger: "ci", commit: one });
  expect(await send("status", status("ci/build", "pending", 2))).toMatchObject({ status: "skipped" });
  expect(await send("status", status("ci/build", "success", 3))).toMatchObject({ status: "ok" });
  expect(await blog.untilEnded(2)).toMatchObject({ state: "succeeded", trigger: "ci", commit: two });
});

test("other events deploy by rules as before, with triggers of their own", async () => {
  const tip = blog.repository.commit({ "index.html": "one" });
  await blog.serve({
    keys: 'events = ["workflow_run.completed", "release.published", "issues"]',
    tables: '[[target]]\nname = "job"\ndirectory = "origin"\nrun = ["true"]\n',
  });
  const repository = { full_name: "octocat/blog" };
  await send("workflow_run", run("f".repeat(40), { conclusion: "failure", event: "pull_request" }));
  await send("release", JSON.stringify({ action: "published", repository, release: {} }));
  await send("issues", JSON.stringify({ action: "opened", repository }));
  await push();
  const { items } = JSON.parse((await blog.run("deployment", "list", "--json")).stdout);
  const triggers = items.map(({ target, trigger }: Record<string, unknown>) => `${target} ${trigger}`);
  expect(triggers.toSorted()).toEqual(
    [
      "blog event",
      "blog event",
      "blog release",
      "job event",
      "job event",
      "job push",
      "job release",
    ].toSorted(),
  );
  // The last of those for the repository: the others are superseded, or were before it.
  const last = items.find(({ target }: Record<string, unknown>) => target === "blog");
  expect(await blog.untilEnded(last.id)).toMatchObject({ trigger: "event", state: "succeeded", commit: tip });
});

test("check names the events for the webhook, and explains a payload; send repeats one", async () => {
  const commit = blog.repository.commit({ "index.html": "one" });
  await blog.serve({ keys: "wait_for_ci = true" });
  const { workshop } = blog;
  const check = await workshop.run(["check"], { SECRET });
  expect(check.stdout).toContain("Workflow runs");
  workshop.write("run.json", run(commit));
  workshop.write("push.json", pushBody());
  const explain = async (...args: string[]) => {
    const { stdout } = await workshop.run(["check", "--payload", ...args], { SECRET });
    return words(stdout, { [commit.slice(0, 12)]: "<commit>" }).split("\n");
  };
  expect([await explain("run.json", "--event", "workflow_run"), await explain("push.json")]).toMatchSnapshot(
    "explanations",
  );
  const sent = await blog.run(
    ...["send", "push", "--url", blog.url.href, "--event", "workflow_run", "--payload", "run.json"],
  );
  expect(sent.stdout).toStartWith("202 ");
  expect(await blog.untilEnded(1)).toMatchObject({ state: "succeeded", commit });
  const refused = await blog.run("send", "push", "--url", blog.url.href, "--event", "workflow_run");
  expect(refused).toMatchObject({ exitCode: 2, stdout: "" });
});
