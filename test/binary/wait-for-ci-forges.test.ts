import { afterAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Workshop } from "../support/executable.ts";
import { freePort } from "../support/free-port.ts";
import { Repository } from "../support/git.ts";

const SECRET = "a secret of the tests, long enough";
const FORGES = [
  { name: "gitlab", repository: "group/sub/site", keys: "" },
  { name: "gitea", repository: "team/site", keys: "" },
  { name: "bitbucket", repository: "team/site", keys: "" },
  { name: "bitbucket-server", repository: "PROJ/site", keys: 'base_url = "https://bitbucket.example.com"' },
];

const workshops: Workshop[] = [];
afterAll(() => Promise.all(workshops.map((workshop) => workshop.dispose())));

/**
 * A server with a source of the forge, and targets for a branch and for tags of a real git repository.
 *
 * @param more further keys of the targets.
 */
async function open({ name, repository: fullName, keys }: (typeof FORGES)[number], more = "") {
  const workshop = new Workshop();
  workshops.push(workshop);
  const repository = new Repository(join(workshop.path, "origin"));
  repository.commit({ "index.html": "one" });
  const target = (own: string, ref: string) => `[[target]]
name = "${own}"
repository = "${fullName}"
${ref}
clone_url = ${JSON.stringify(repository.path)}
directory = "${own}"
${more}
`;
  workshop.write(
    "hooklatch.toml",
    `data_dir = "data"
[server]
port = 0
[admin]
port = ${freePort()}
[[source]]
name = "forge"
provider = "${name.replace("-server", "")}"
path = "/hook"
secrets = ["env:SECRET"]
${keys}
${target("main", 'branch = "main"')}${target("tags", 'tag = "v*"')}`,
  );
  const server = await workshop.serve([], { SECRET });
  const url = new URL("/hook", server.url).href;
  const send = async (...args: readonly string[]) => {
    const { stdout } = await workshop.run(
      ["send", "push", "--source", "forge", "--url", url, "--repository", fullName, ...args],
      { SECRET },
    );
    return { code: Number(stdout.slice(0, 3)), ...JSON.parse(stdout.slice(4)) };
  };
  const read = (own: string) => readFileSync(join(workshop.path, own, "current/index.html"), "utf8");
  return { workshop, repository, server, url, send, read };
}

const fixture = (path: string) =>
  JSON.parse(readFileSync(join(import.meta.dir, "../fixtures/payloads", path), "utf8"));

/** The payload of each forge for the success of CI, and changes that make it one that must not deploy. */
const CI = [
  {
    name: "gitlab",
    event: "pipeline",
    payload: (commit: string, { fails = false, source = "push" } = {}) => {
      const { object_attributes: attributes, project, ...rest } = fixture("gitlab/pipeline-event.json");
      const own = { ref: "main", sha: commit, source, status: fails ? "failed" : "success" };
      return {
        ...rest,
        merge_request: source === "push" ? null : rest.merge_request,
        object_attributes: { ...attributes, ...own },
        project: { ...project, path_with_namespace: "group/sub/site" },
      };
    },
    foreign: { source: "merge_request_event" },
    foreignCode: "ci_foreign",
  },
  {
    name: "gitea",
    event: "workflow_run",
    payload: (commit: string, { fails = false, event = "push" } = {}) => {
      const { workflow_run: run, ...rest } = fixture("gitea/workflow-run-event.json");
      const own = { head_sha: commit, event, conclusion: fails ? "failure" : "success" };
      return { ...rest, repository: { full_name: "team/site" }, workflow_run: { ...run, ...own } };
    },
    foreign: { event: "pull_request" },
    foreignCode: "ci_foreign",
  },
  {
    name: "gitea",
    event: "action_run_success",
    payload: (commit: string, { fails = false, isFork = false } = {}) => {
      const { run, ...rest } = fixture("gitea/forgejo-action-run-success.json");
      const own = {
        commit_sha: commit,
        is_fork_pull_request: isFork,
        repository: { full_name: "team/site" },
      };
      return { ...rest, run: { ...run, ...own, ...(fails && { status: "failure" }) } };
    },
    foreign: { isFork: true },
    foreignCode: "ci_foreign",
  },
  {
    name: "bitbucket",
    event: "repo:commit_status_updated",
    payload: (commit: string, { fails = false, refname = null as string | null } = {}) => {
      const { commit_status: status, ...rest } = fixture("bitbucket/repo-commit-status-updated.json");
      const links = {
        commit: { href: `https://api.bitbucket.org/2.0/repositories/team/site/commit/${commit}` },
      };
      const own = { refname, links, state: fails ? "FAILED" : "SUCCESSFUL" };
      return { ...rest, repository: { full_name: "team/site" }, commit_status: { ...status, ...own } };
    },
    foreign: { refname: "dev" },
    foreignCode: "branch",
  },
];

describe.each(CI)(
  "wait_for_ci with the event $event of $name",
  ({ name, event, payload, foreign, foreignCode }) => {
    test("deploys exactly the commit whose CI succeeded", async () => {
      const forge = FORGES.find((each) => each.name === name);
      if (forge === undefined) throw new Error(`no forge ${name}`);
      const { workshop, repository, server, url, send, read } = await open(forge, "wait_for_ci = true");
      const commit = repository.tip;
      const pushed = await send("--branch", "main", "--commit", commit);
      expect(pushed).toMatchObject({ code: 200, status: "skipped" });
      expect(pushed.reason).toContain("waiting for CI");
      repository.commit({ "index.html": "two" });

      const report = async (changes: object) => {
        workshop.write("ci.json", JSON.stringify(payload(commit, changes)));
        const { stdout } = await workshop.run(
          ["send", "push", "--source", "forge", "--url", url, "--event", event, "--payload", "ci.json"],
          { SECRET },
        );
        return JSON.parse(stdout.slice(4));
      };
      const codeOf = async (delivery: number) => {
        const { stdout } = await workshop.run(["delivery", "show", String(delivery), "--json"], { SECRET });
        return JSON.parse(stdout).decisions[0].code;
      };
      for (const [changes, code] of [
        [foreign, foreignCode],
        [{ fails: true }, "ci_failed"],
      ] as const) {
        const answer = await report(changes);
        expect(answer).toMatchObject({ status: "skipped" });
        expect(await codeOf(answer.delivery)).toBe(code);
      }
      const answer = await report({});
      expect(answer).toMatchObject({ status: "ok", deployments: [{ id: 1, target: "main" }] });
      expect(await server.untilDeployed(1)).toMatchObject({ state: "succeeded", commit });
      expect(read("main")).toBe("one");
    });
  },
);
