import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readdirSync } from "node:fs";
import { freePort } from "../support/free-port.ts";
import { ServedSite } from "../support/served-site.ts";
import { words } from "../support/words.ts";

setDefaultTimeout(120_000);

let site: ServedSite;

beforeEach(() => {
  site = new ServedSite();
});

afterEach(() => site.dispose());

/** A step that records each of its runs. */
const builds = () => `run = ["cp index.html built.html; echo built >> ${site.path("../builds")}"]`;

/** The number of runs of the step. */
async function countBuilds(): Promise<number> {
  return (await Bun.file(site.path("../builds")).text()).trim().split("\n").length;
}

describe("hooklatch target rollback", () => {
  test("makes the previous release live without a build and appears in the history", async () => {
    await site.start({ target: `${builds()}\nafter = ["echo \\"$HOOKLATCH_COMMIT\\""]` });
    const first = await site.deploy({ "index.html": "first\n" });
    const release = site.current;
    const second = await site.deploy({ "index.html": "second\n" });
    const { stdout, ...result } = await site.run("target", "rollback", "blog");
    expect(result).toEqual({ exitCode: 0, stderr: "" });
    const commit = first.slice(0, 12);
    expect(stdout).toMatch(new RegExp(`^blog\\b.*\\b${release}\\b.*\\bcommit ${commit}\\b.*\\b3\\b.*\\n$`));
    expect([site.current, site.read("current/built.html")]).toEqual([release, "first\n"]);
    expect(await countBuilds()).toBe(2);
    expect(await site.readDeployment(3)).toMatchObject({
      state: "succeeded",
      trigger: "rollback",
      commit: first,
      previous_commit: second,
      release,
      branch: "main",
      steps: [{ exit_code: 0 }],
    });
    expect((await site.run("deployment", "log", "3")).stdout).toContain(first);
    expect((await site.run("deployment", "list")).stdout).toContain("rollback");
    const shown = (await site.run("deployment", "show", "3")).stdout.split("\n");
    const trigger = shown.find((line) => line.includes("rollback"));
    const lines = [stdout.trimEnd().replace(`commit ${commit}`, "commit <first>"), trigger];
    expect(lines.map((line) => words(line ?? ""))).toMatchSnapshot();
    expect(await site.readTarget()).toMatchObject({ live: { commit: first, release } });
  });

  test("goes one release further back each time and fails at the oldest release", async () => {
    await site.start({ target: builds() });
    for (const page of ["first", "second", "third"]) await site.deploy({ "index.html": `${page}\n` });
    await site.run("target", "rollback", "blog");
    expect(site.read("current/index.html")).toBe("second\n");
    await site.run("target", "rollback", "blog");
    expect(site.read("current/index.html")).toBe("first\n");
    const live = site.current;
    const { stderr, ...last } = await site.run("target", "rollback", "blog");
    expect(last).toEqual({ exitCode: 1, stdout: "" });
    expect(stderr).toMatch(new RegExp(`^hooklatch: .*\\b${live}\\b.*\\n$`));
    expect(words(stderr)).toMatchSnapshot();
    expect([site.current, await countBuilds()]).toEqual([live, 3]);
    expect(await site.listDeployments()).toHaveLength(5);
  });

  test("accepts the name of an older or newer release and lists the releases for an unknown name", async () => {
    await site.start({ target: builds() });
    await site.deploy({ "index.html": "first\n" });
    const first = site.current;
    await site.deploy({ "index.html": "second\n" });
    const second = site.current;
    await site.deploy({ "index.html": "third\n" });
    const third = site.current;
    expect(await site.run("target", "rollback", "blog", first)).toMatchObject({ exitCode: 0 });
    expect(site.read("current/index.html")).toBe("first\n");
    expect(await site.run("target", "rollback", "blog", third)).toMatchObject({ exitCode: 0 });
    expect(site.read("current/index.html")).toBe("third\n");
    for (const name of ["../../data", `${second}/..`, ".", "-x", "\u001b[31m", "current"]) {
      const rejected = await site.run("target", "rollback", "blog", "--", name);
      expect([name, rejected.exitCode, rejected.stdout]).toEqual([name, 1, ""]);
      expect(rejected.stderr.split("\n")).toHaveLength(2);
      expect(rejected.stderr).not.toContain("\u001b");
    }
    const rejected = await site.run("target", "rollback", "blog", "20200101T000000Z-000000000000");
    for (const name of [first, second, third]) expect(rejected.stderr).toContain(name);
    expect(site.current).toBe(third);
  });

  test("fails when nothing was ever deployed", async () => {
    await site.start({});
    const { stderr, ...result } = await site.run("target", "rollback", "blog");
    expect(result).toEqual({ exitCode: 1, stdout: "" });
    expect(stderr).toMatch(/^hooklatch: .*\n$/);
    expect(stderr).toMatchSnapshot();
    expect(await site.listDeployments()).toEqual([]);
    expect(existsSync(site.path())).toBe(false);
  });

  test("skips a release that was rolled back before", async () => {
    await site.start({ target: builds() });
    await site.deploy({ "index.html": "good\n" });
    await site.deploy({ "index.html": "bad\n" });
    await site.run("target", "rollback", "blog");
    await site.deploy({ "index.html": "worse\n" });
    expect(site.read("current/index.html")).toBe("worse\n");
    await site.run("target", "rollback", "blog");
    expect(site.read("current/index.html")).toBe("good\n");
  });

  test("goes to the release that was live before, even after a rollback by several releases", async () => {
    await site.start({ target: builds() });
    await site.deploy({ "index.html": "first\n" });
    const first = site.current;
    await site.deploy({ "index.html": "second\n" });
    await site.deploy({ "index.html": "third\n" });
    await site.run("target", "rollback", "blog", first);
    await site.deploy({ "index.html": "fourth\n" });
    await site.run("target", "rollback", "blog");
    expect(site.read("current/index.html")).toBe("first\n");
  });

  test("is not undone by a late older push, but by a manual deployment", async () => {
    await site.start({ target: builds() });
    await site.deploy({ "index.html": "first\n" });
    const late = site.repository.commit({ "index.html": "second\n" });
    const tip = await site.deploy({ "index.html": "third\n" });
    await site.run("target", "rollback", "blog");
    const { body } = await site.push({ after: late });
    const { state, code, reason } = await site.untilEnded(body.deployments?.[0]?.id ?? 0);
    expect([state, code]).toEqual(["cancelled", "rolled_back"]);
    expect(reason).toContain(tip.slice(0, 12));
    expect(words(reason ?? "", { [tip.slice(0, 12)]: "<commit>" })).toMatchSnapshot();
    expect(site.read("current/index.html")).toBe("first\n");
    expect(await site.run("target", "deploy", "blog", "--follow")).toMatchObject({ exitCode: 0 });
    expect(site.read("current/index.html")).toBe("third\n");
  });

  test("reverts and fails when the earlier release fails its health check", async () => {
    const health = `http://127.0.0.1:${freePort()}/`;
    const server = Bun.serve({
      hostname: "127.0.0.1",
      port: Number(new URL(health).port),
      fetch: () => new Response(null, { status: site.read("current/index.html") === "broken\n" ? 500 : 200 }),
    });
    try {
      await site.start({ target: `${builds()}\nafter = ["cp index.html ${site.path("../after")}"]` });
      await site.deploy({ "index.html": "broken\n" });
      const broken = site.current;
      await site.deploy({ "index.html": "healthy\n" });
      const healthy = site.current;
      site.configure({
        target: `${builds()}\nafter = ["cp index.html ${site.path("../after")}"]\nhealth = { url = "${health}", within = "300ms" }`,
      });
      await site.hangUp();
      const { stderr, ...result } = await site.run("target", "rollback", "blog");
      expect(result).toEqual({ exitCode: 1, stdout: "" });
      for (const fact of [health, "500", healthy]) expect(stderr).toContain(fact);
      expect(words(stderr)).toMatchSnapshot();
      expect(await site.readDeployment(3)).toMatchObject({
        state: "failed",
        code: "health_check_failed",
        release: broken,
      });
      expect(site.current).toBe(healthy);
      expect(await Bun.file(site.path("../after")).text()).toBe("healthy\n");
      expect((await site.readTarget()).live).toMatchObject({ release: healthy });
      expect(readdirSync(site.path("releases")).sort()).toEqual([broken, healthy]);
      expect(await countBuilds()).toBe(2);
    } finally {
      await server.stop(true);
    }
  });

  test("fails with the command to use instead for a layout without releases", async () => {
    await site.start({ target: `layout = "worktree"` });
    const first = await site.deploy({ "index.html": "first\n" });
    await site.deploy({ "index.html": "second\n" });
    const rejected = await site.run("target", "rollback", "blog");
    expect(rejected).toMatchObject({ exitCode: 1, stdout: "" });
    expect(rejected.stderr).toContain("hooklatch target deploy blog --commit ");
    expect(rejected.stderr).toMatchSnapshot();
    const chosen = await site.run("target", "deploy", "blog", "--commit", first.slice(0, 7), "--follow");
    expect(chosen.exitCode).toBe(0);
    expect(site.read("index.html")).toBe("first\n");
  });
});

describe("a commit that was rolled back", () => {
  const CATCH_UP = `catch_up_every = "200ms"`;

  /**
   * Restarts the server and resolves when it has checked the tip twice without a deployment. A test must not commit before
   * that: catching up would deploy the commit.
   */
  async function restartAndCatchUpTwice(): Promise<void> {
    site.configure({ server: CATCH_UP, target: builds() });
    await site.restart();
    // Catching up logs a debug line when it finds nothing to deploy, and otherwise starts a deployment.
    const checks = () =>
      site.server.log.filter(({ level, target }) => level === "debug" && target === "blog");
    const hasDeployed = () => site.server.log.some(({ deployment }) => deployment !== undefined);
    await site.server.until(() => checks().length >= 2 || hasDeployed());
  }

  test("is not deployed by catching up, which deploys only a newer commit", async () => {
    await site.start({ target: builds() });
    await site.deploy({ "index.html": "good\n" });
    const bad = await site.deploy({ "index.html": "bad\n" });
    await site.run("target", "rollback", "blog");
    await restartAndCatchUpTwice();
    expect([site.read("current/index.html"), (await site.listDeployments()).length]).toEqual(["good\n", 3]);
    const better = site.repository.commit({ "index.html": "better\n" });
    expect(better).not.toBe(bad);
    await site.server.until(() => site.server.log.some(({ state }) => state === "succeeded"));
    expect((await site.listDeployments())[0]).toMatchObject({ trigger: "catch-up", commit: better });
  });

  test("is not deployed by catching up after it was deployed with --commit", async () => {
    await site.start({ target: builds() });
    await site.deploy({ "index.html": "good\n" });
    await site.ask("POST", "/api/targets/blog/lock", { reason: "by hand" });
    const bad = site.repository.commit({ "index.html": "bad\n" });
    const deploy = await site.run("target", "deploy", "blog", "--commit", bad, "--force", "--follow");
    expect(deploy.exitCode).toBe(0);
    await site.run("target", "rollback", "blog");
    await site.ask("POST", "/api/targets/blog/unlock");
    await restartAndCatchUpTwice();
    expect([site.read("current/index.html"), (await site.listDeployments()).length]).toEqual(["good\n", 3]);
    expect(await site.run("target", "deploy", "blog", "--follow")).toMatchObject({ exitCode: 0 });
    expect(site.read("current/index.html")).toBe("bad\n");
  });

  test("is not deployed by catching up when the branch is reset to it", async () => {
    await site.start({ target: builds() });
    await site.deploy({ "index.html": "good\n" });
    const bad = await site.deploy({ "index.html": "bad\n" });
    await site.run("target", "rollback", "blog");
    await site.deploy({ "index.html": "worse\n" });
    await site.run("target", "rollback", "blog");
    expect(site.read("current/index.html")).toBe("good\n");
    site.repository.git("reset", "--quiet", "--hard", bad);
    await restartAndCatchUpTwice();
    expect([site.read("current/index.html"), (await site.listDeployments()).length]).toEqual(["good\n", 5]);
    // With the same body the push would be a duplicate.
    const { body } = await site.push({ forced: true });
    expect(body.deployments).toHaveLength(1);
    await site.untilEnded(6);
    expect(site.read("current/index.html")).toBe("bad\n");
  });
});
