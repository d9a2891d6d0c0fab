import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describeTarget, SECRET, writeConfiguration } from "../support/configuration.ts";
import { type Server, Workshop } from "../support/executable.ts";
import { freePort } from "../support/free-port.ts";
import { Repository } from "../support/git.ts";
import { deliver } from "../support/github.ts";
import { pushBody } from "../support/payloads.ts";
import { words } from "../support/words.ts";

setDefaultTimeout(120_000);

let workshop: Workshop;
let repository: Repository;
let server: Server;

beforeEach(() => {
  workshop = new Workshop();
  repository = new Repository(join(workshop.path, "origin"));
});

afterEach(() => workshop.dispose());

async function serve(target: string): Promise<void> {
  const targets = describeTarget("blog", "site", repository, target);
  // Commands find a running server through the admin port in the configuration, so port 0 would not do.
  const config = writeConfiguration(workshop, { targets, adminPort: freePort() });
  server = await workshop.serve(["--config", config], { SECRET });
}

function push(changes: Record<string, unknown> = {}): Promise<Response> {
  const body = pushBody({ after: repository.tip, ...changes });
  return deliver(new URL("/github-webhook", server.url), "push", body, { secret: SECRET });
}

const site = (...path: string[]) => join(workshop.path, "site", ...path);

/** The log line about the start of a deployment names its trigger. */
const untilStarted = () => server.until(() => server.log.some(({ trigger }) => trigger !== undefined));

describe("a push to the watched branch", () => {
  test("is built by the target's commands and becomes live under current until the next push", async () => {
    await serve(
      `run = ["tr a-z A-Z < index.html > built.html", ["cp", "built.html", "a file; with $(odd) name"]]`,
    );
    const first = repository.commit({ "index.html": "first\n" });
    const response = await push();
    expect(response.status).toBe(202);
    expect(await response.json()).toEqual({
      status: "ok",
      delivery: 1,
      deployments: [{ id: 1, target: "blog" }],
    });
    expect(await server.untilDeployed(1)).toMatchObject({ state: "succeeded", reason: null, commit: first });
    expect(readFileSync(site("current/built.html"), "utf8")).toBe("FIRST\n");
    expect(existsSync(site("current/a file; with $(odd) name"))).toBe(true);
    expect(readlinkSync(site("current"))).toMatch(
      new RegExp(`^releases/\\d{8}T\\d{6}Z-${first.slice(0, 12)}$`),
    );

    const second = repository.commit({ "index.html": "second\n" });
    await push();
    await server.untilDeployed(2);
    expect(readFileSync(site("current/built.html"), "utf8")).toBe("SECOND\n");
    expect(readlinkSync(site("current"))).toEndWith(second.slice(0, 12));
    expect(readdirSync(site("releases"))).toHaveLength(2);
  });

  test("does not change the live release when a command fails", async () => {
    await serve(`run = ["test ! -e broken", "touch later"]\nafter = ["touch ${site("after")}"]`);
    repository.commit({ "index.html": "good\n" });
    await push();
    await server.untilDeployed(1);
    const live = readlinkSync(site("current"));
    repository.commit({ broken: "" });
    await push();
    expect(await server.untilDeployed(2)).toMatchObject({
      state: "failed",
      code: "step_failed",
      reason: expect.stringContaining("test ! -e broken"),
    });
    expect(readlinkSync(site("current"))).toBe(live);
    expect(readdirSync(site("releases"))).toHaveLength(1);
  });

  test("is deployed completely when the sender disconnects after its request", async () => {
    await serve("");
    repository.commit({ "index.html": "hello\n" });
    const response = await push();
    await response.body?.cancel();
    expect(await server.untilDeployed(1)).toMatchObject({ state: "succeeded" });
  });

  test("runs commands with a clean environment and the payload in a temporary file", async () => {
    await serve(`run = ["env > ${site("env")}; cp $HOOKLATCH_PAYLOAD_FILE ${site("payload")}; stat -c %a $HOOKLATCH_PAYLOAD_FILE > ${site("mode")}"]
env = { NODE_ENV = "production" }`);
    const commit = repository.commit({ "index.html": "hello\n" });
    await push();
    await server.untilDeployed(1);
    const env = Object.fromEntries(
      readFileSync(site("env"), "utf8")
        .trim()
        .split("\n")
        .map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]),
    );
    const {
      PATH,
      HOME,
      USER,
      LANG,
      TZ,
      PWD,
      OLDPWD,
      SHLVL,
      _,
      HOOKLATCH_PAYLOAD_FILE,
      HOOKLATCH_RELEASE,
      ...rest
    } = env;
    expect(rest).toEqual({
      NODE_ENV: "production",
      HOOKLATCH_TARGET: "blog",
      HOOKLATCH_DIRECTORY: site(),
      HOOKLATCH_BRANCH: "main",
      HOOKLATCH_COMMIT: commit,
      HOOKLATCH_REPOSITORY: "octocat/blog",
      HOOKLATCH_DEPLOYMENT: "1",
      HOOKLATCH_DELIVERY: "1",
      HOOKLATCH_EVENT: "push",
    });
    expect(env.SECRET).toBeUndefined();
    expect(JSON.parse(readFileSync(site("payload"), "utf8"))).toEqual(
      JSON.parse(pushBody({ after: commit })),
    );
    expect(readFileSync(site("mode"), "utf8")).toBe("600\n");
    expect(existsSync(HOOKLATCH_PAYLOAD_FILE ?? "/")).toBe(false);
  });

  test("resets the worktree and keeps ignored files with layout worktree", async () => {
    await serve(`layout = "worktree"\nrun = ["touch untracked ignored.log"]`);
    repository.commit({ "index.html": "first\n", ".gitignore": "*.log\n" });
    await push();
    await server.untilDeployed(1);
    repository.commit({ "index.html": "second\n" });
    await push();
    await server.untilDeployed(2);
    expect(readFileSync(site("index.html"), "utf8")).toBe("second\n");
    expect(existsSync(site("ignored.log"))).toBe(true);
  });

  test("is deployed after a restart when the server was killed before the deployment started", async () => {
    await serve(`run = ["while test ! -e ${site("go")}; do sleep 0.05; done"]`);
    repository.commit({ "index.html": "first\n" });
    await push();
    await untilStarted();
    const queued = repository.commit({ "index.html": "second\n" });
    expect((await push()).status).toBe(202);
    await server.end("SIGKILL");
    workshop.write("site/go", "");
    server = await workshop.serve([], { SECRET });
    // The second push was queued already, so the first is not repeated.
    expect(server.log.find(({ code }) => code === "crash")).toMatchObject({
      deployment: 1,
      retried_as: null,
      superseded_by: 2,
    });
    expect(await server.untilDeployed(2)).toMatchObject({ state: "succeeded", commit: queued });
    expect(readFileSync(site("current/index.html"), "utf8")).toBe("second\n");
  });

  test("that many others follow is deployed before the next one starts, and the last commit becomes live", async () => {
    await serve(`run = ["mkdir ${site("only-one")} && sleep 0.1 && rmdir ${site("only-one")}"]`);
    for (let number = 1; number <= 20; number++) {
      repository.commit({ "index.html": `${number}\n` });
      expect((await push()).status).toBe(202);
    }
    expect(await server.untilDeployed(20)).toMatchObject({ state: "succeeded", commit: repository.tip });
    expect(readFileSync(site("current/index.html"), "utf8")).toBe("20\n");
    expect(server.log.filter(({ state }) => state === "failed")).toEqual([]);
  });
});

describe("catching up at the start", () => {
  test("deploys a commit that was pushed while the server was down, and nothing without one", async () => {
    await serve("");
    repository.commit({ "index.html": "first\n" });
    await push();
    await server.untilDeployed(1);
    await server.end("SIGTERM");
    server = await workshop.serve([], { SECRET });
    await server.end("SIGTERM");
    const missed = repository.commit({ "index.html": "second\n" });
    server = await workshop.serve([], { SECRET });
    expect(await server.untilDeployed(2)).toMatchObject({ state: "succeeded", commit: missed });
    expect(readFileSync(site("current/index.html"), "utf8")).toBe("second\n");
    expect(server.log.find(({ trigger }) => trigger !== undefined)).toMatchObject({ trigger: "catch-up" });
  });

  test("deploys nothing for a new target", async () => {
    repository.commit({ "index.html": "first\n" });
    await serve("");
    await server.end("SIGTERM");
    expect(existsSync(site())).toBe(false);
  });
});

describe("hooklatch delivery replay", () => {
  test("processes a stored delivery again with the current configuration", async () => {
    await serve("");
    repository.commit({ "index.html": "hello\n" });
    await push();
    await server.untilDeployed(1);
    const replay = await workshop.run(["delivery", "replay", "1", "--json"], { SECRET });
    expect(replay).toEqual({
      exitCode: 0,
      stdout: '{"status":"ok","delivery":2,"deployments":[{"id":2,"target":"blog"}]}\n',
      stderr: "",
    });
    expect(await server.untilDeployed(2)).toMatchObject({ state: "succeeded" });
    expect(server.log.filter(({ trigger }) => trigger === "replay")).toHaveLength(1);
    const unknown = await workshop.run(["delivery", "replay", "99"], { SECRET });
    expect(unknown).toMatchObject({ exitCode: 1, stdout: "" });
    expect(unknown.stderr).toMatch(/^hooklatch: .*\b99\b.*\n$/);
    expect(unknown.stderr).toMatchSnapshot();
  });

  test("fails with a wrong token", async () => {
    await serve("");
    const url = String(server.log.find((line) => line.admin_url)?.admin_url);
    const env = { SECRET, HOOKLATCH_ADMIN_TOKEN: "a wrong token, long enough" };
    const replay = await workshop.run(["delivery", "replay", "1", "--admin-url", url], env);
    expect([replay.exitCode, replay.stdout]).toEqual([1, ""]);
    expect(replay.stderr).toContain("$HOOKLATCH_ADMIN_TOKEN");
    expect(words(replay.stderr)).toMatchSnapshot();
  });
});

describe("a push with special characters in its branch name", () => {
  test.each(["$(touch${IFS}x)", ";id", "--upload-pack=x", "`id`", "it's", "a|b&c", "\u202egnp.exe"])(
    "(%p) is skipped, and the reason shows the name as text",
    async (branch) => {
      await serve("");
      repository.commit({ "index.html": "hello\n" });
      const response = await push({ ref: `refs/heads/${branch}` });
      expect(response.status).toBe(200);
      const { status, reason } = (await response.json()) as Record<string, string>;
      expect(status).toBe("skipped");
      expect(reason).toStartWith("blog: ");
      expect(reason).toContain(JSON.stringify(branch));
      expect(reason).toContain('"main"');
      expect(server.stderr).not.toContain("\u202e");
      expect(existsSync(site())).toBe(false);
      expect(readdirSync(workshop.path).sort()).toEqual(["data", "hooklatch.toml", "origin"]);
    },
  );
});

describe("stopping the server", () => {
  test("repeatedly during a deployment does not lose the push", async () => {
    await serve(`run = ["while test ! -e ${site("go")}; do sleep 0.05; done"]`);
    const config = join(workshop.path, "hooklatch.toml");
    writeFileSync(
      config,
      readFileSync(config, "utf8").replace("[server]", '[server]\nshutdown_grace = "10ms"'),
    );
    await server.end("SIGTERM");
    server = await workshop.serve([], { SECRET });
    const commit = repository.commit({ "index.html": "hello\n" });
    expect((await push()).status).toBe(202);
    for (let stop = 0; stop < 3; stop++) {
      await untilStarted();
      expect(await server.end("SIGTERM")).toBe(0);
      expect(server.log.filter(({ state }) => state === "interrupted")).toHaveLength(1);
      server = await workshop.serve([], { SECRET });
    }
    workshop.write("site/go", "");
    expect(await server.untilDeployed(4)).toMatchObject({ state: "succeeded", commit });
    expect(readFileSync(site("current/index.html"), "utf8")).toBe("hello\n");
  });

  test("waits for the running deployment within shutdown_grace and exits with 0", async () => {
    await serve(`run = ["sleep 0.5"]`);
    repository.commit({ "index.html": "hello\n" });
    await push();
    await untilStarted();
    expect(await server.end("SIGTERM")).toBe(0);
    expect(readFileSync(site("current/index.html"), "utf8")).toBe("hello\n");
    expect(server.log.map(({ level, msg }) => words(`${level}: ${msg}`))).toMatchSnapshot();
  });
});
