import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readdirSync } from "node:fs";
import { freePort } from "../support/free-port.ts";
import { ServedSite } from "../support/served-site.ts";

setDefaultTimeout(120_000);

let site: ServedSite;

beforeEach(() => {
  site = new ServedSite();
});

afterEach(() => site.dispose());

/** A step that tells of each of its runs. */
const builds = () => `run = ["cp index.html built.html; echo built >> ${site.path("../builds")}"]`;

/** How often a release was built. */
async function countBuilds(): Promise<number> {
  return (await Bun.file(site.path("../builds")).text()).trim().split("\n").length;
}

describe("hooklatch target rollback", () => {
  test("makes the release before live again without a build, and the history says so", async () => {
    await site.start({ target: `${builds()}\nafter = ["echo \\"$HOOKLATCH_COMMIT\\""]` });
    const first = await site.deploy({ "index.html": "first\n" });
    const release = site.current;
    const second = await site.deploy({ "index.html": "second\n" });
    expect(await site.run("target", "rollback", "blog")).toEqual({
      exitCode: 0,
      stdout: `blog is back at ${release} (deployment 3)\n`,
      stderr: "",
    });
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
    expect((await site.run("deployment", "show", "3")).stdout).toContain(
      "rollback: a person went back to an earlier release",
    );
    expect(await site.readTarget()).toMatchObject({ live: { commit: first, release } });
  });

  test("goes further back each time, and says so when there is nothing further", async () => {
    await site.start({ target: builds() });
    for (const page of ["first", "second", "third"]) await site.deploy({ "index.html": `${page}\n` });
    await site.run("target", "rollback", "blog");
    expect(site.read("current/index.html")).toBe("second\n");
    await site.run("target", "rollback", "blog");
    expect(site.read("current/index.html")).toBe("first\n");
    const live = site.current;
    const last = await site.run("target", "rollback", "blog");
    expect(last).toEqual({
      exitCode: 1,
      stdout: "",
      stderr: `hooklatch: there is no release before ${live}\n`,
    });
    expect([site.current, await countBuilds()]).toEqual([live, 3]);
    expect(await site.listDeployments()).toHaveLength(5);
  });

  test("takes a release by its name, also a newer one, and names those there are for one that is not", async () => {
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
      const refused = await site.run("target", "rollback", "blog", "--", name);
      expect([name, refused.exitCode, refused.stdout]).toEqual([name, 1, ""]);
      expect(refused.stderr.split("\n")).toHaveLength(2);
      expect(refused.stderr).not.toContain("\u001b");
    }
    const refused = await site.run("target", "rollback", "blog", "20200101T000000Z-000000000000");
    for (const name of [first, second, third]) expect(refused.stderr).toContain(name);
    expect(site.current).toBe(third);
  });

  test("of what never was deployed says that there is nothing", async () => {
    await site.start({});
    expect(await site.run("target", "rollback", "blog")).toEqual({
      exitCode: 1,
      stdout: "",
      stderr: "hooklatch: nothing is live to go back from; there are none\n",
    });
    expect(await site.listDeployments()).toEqual([]);
    expect(existsSync(site.path())).toBe(false);
  });

  test("after a bad push is passed by the next push, and by the one after it goes past the bad one", async () => {
    await site.start({ target: builds() });
    await site.deploy({ "index.html": "good\n" });
    await site.deploy({ "index.html": "bad\n" });
    await site.run("target", "rollback", "blog");
    await site.deploy({ "index.html": "worse\n" });
    expect(site.read("current/index.html")).toBe("worse\n");
    await site.run("target", "rollback", "blog");
    expect(site.read("current/index.html")).toBe("good\n");
  });

  test("goes to what was live before the live one, also after going back further than one", async () => {
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

  test("is not undone by an older push that comes late, which is told, but by a person who asks for it", async () => {
    await site.start({ target: builds() });
    await site.deploy({ "index.html": "first\n" });
    const late = site.repository.commit({ "index.html": "second\n" });
    const tip = await site.deploy({ "index.html": "third\n" });
    await site.run("target", "rollback", "blog");
    const { body } = await site.push({ after: late });
    expect(await site.untilEnded(body.deployments?.[0]?.id ?? 0)).toMatchObject({
      state: "cancelled",
      reason: `skipped: a person went back from the tip, ${tip.slice(0, 12)}`,
    });
    expect(site.read("current/index.html")).toBe("first\n");
    expect(await site.run("target", "deploy", "blog", "--follow")).toMatchObject({ exitCode: 0 });
    expect(site.read("current/index.html")).toBe("third\n");
  });

  test("to a release that is not healthy is put back, and fails with both told", async () => {
    const health = `http://127.0.0.1:${freePort()}/`;
    const server = Bun.serve({
      hostname: "127.0.0.1",
      port: Number(new URL(health).port),
      fetch: () => new Response(null, { status: site.read("current/index.html") === "ill\n" ? 500 : 200 }),
    });
    try {
      await site.start({ target: `${builds()}\nafter = ["cp index.html ${site.path("../after")}"]` });
      await site.deploy({ "index.html": "ill\n" });
      const ill = site.current;
      await site.deploy({ "index.html": "well\n" });
      const well = site.current;
      site.configure({
        target: `${builds()}\nafter = ["cp index.html ${site.path("../after")}"]\nhealth = { url = "${health}", within = "300ms" }`,
      });
      await site.hangUp();
      const refused = await site.run("target", "rollback", "blog");
      expect([refused.exitCode, refused.stdout]).toEqual([1, ""]);
      expect(refused.stderr).toContain(`release ${well} is live again`);
      expect(await site.readDeployment(3)).toMatchObject({ state: "failed", release: ill });
      expect(site.current).toBe(well);
      expect(await Bun.file(site.path("../after")).text()).toBe("well\n");
      expect((await site.readTarget()).live).toMatchObject({ release: well });
      expect(readdirSync(site.path("releases")).sort()).toEqual([ill, well]);
      expect(await countBuilds()).toBe(2);
    } finally {
      await server.stop(true);
    }
  });

  test("is refused where the layout keeps no releases, with what to do instead", async () => {
    await site.start({ target: `layout = "worktree"` });
    const first = await site.deploy({ "index.html": "first\n" });
    await site.deploy({ "index.html": "second\n" });
    const refused = await site.run("target", "rollback", "blog");
    expect(refused).toMatchObject({ exitCode: 1, stdout: "" });
    expect(refused.stderr).toContain("hooklatch target deploy blog --commit COMMIT");
    const chosen = await site.run("target", "deploy", "blog", "--commit", first.slice(0, 7), "--follow");
    expect(chosen.exitCode).toBe(0);
    expect(site.read("index.html")).toBe("first\n");
  });
});

describe("a commit that was rolled back", () => {
  const CATCH_UP = `catch_up_every = "200ms"`;

  /**
   * Starts the server again, and resolves when it asked for the tip twice and found nothing to do. Not any sooner: it
   * would deploy what a test commits, before the test pushes it.
   */
  async function restartAndLookTwice(): Promise<void> {
    site.configure({ server: CATCH_UP, target: builds() });
    await site.restart();
    const looks = () => site.server.log.filter(({ msg }) => msg === "nothing to catch up with");
    await site.server.until(() => looks().length >= 2 || site.server.stderr.includes("catching up"));
  }

  test("is not deployed by catching up, but by the next push", async () => {
    await site.start({ target: builds() });
    await site.deploy({ "index.html": "good\n" });
    const bad = await site.deploy({ "index.html": "bad\n" });
    await site.run("target", "rollback", "blog");
    await restartAndLookTwice();
    expect([site.read("current/index.html"), (await site.listDeployments()).length]).toEqual(["good\n", 3]);
    const better = site.repository.commit({ "index.html": "better\n" });
    expect(better).not.toBe(bad);
    await site.server.until(() => site.server.log.some(({ state }) => state === "succeeded"));
    expect((await site.listDeployments())[0]).toMatchObject({ trigger: "catch-up", commit: better });
  });

  test("is not deployed by catching up where a person had chosen it by its name", async () => {
    await site.start({ target: builds() });
    await site.deploy({ "index.html": "good\n" });
    await site.ask("POST", "/api/targets/blog/lock", { reason: "by hand" });
    const bad = site.repository.commit({ "index.html": "bad\n" });
    const deploy = await site.run("target", "deploy", "blog", "--commit", bad, "--force", "--follow");
    expect(deploy.exitCode).toBe(0);
    await site.run("target", "rollback", "blog");
    await site.ask("POST", "/api/targets/blog/unlock");
    await restartAndLookTwice();
    expect([site.read("current/index.html"), (await site.listDeployments()).length]).toEqual(["good\n", 3]);
    expect(await site.run("target", "deploy", "blog", "--follow")).toMatchObject({ exitCode: 0 });
    expect(site.read("current/index.html")).toBe("bad\n");
  });

  test("is not deployed by catching up when the branch is set back to it", async () => {
    await site.start({ target: builds() });
    await site.deploy({ "index.html": "good\n" });
    const bad = await site.deploy({ "index.html": "bad\n" });
    await site.run("target", "rollback", "blog");
    await site.deploy({ "index.html": "worse\n" });
    await site.run("target", "rollback", "blog");
    expect(site.read("current/index.html")).toBe("good\n");
    site.repository.git("reset", "--quiet", "--hard", bad);
    await restartAndLookTwice();
    expect([site.read("current/index.html"), (await site.listDeployments()).length]).toEqual(["good\n", 5]);
    // The same commits in another push: with the same body it would be a replay.
    const { body } = await site.push({ forced: true });
    expect(body.deployments).toHaveLength(1);
    await site.untilEnded(6);
    expect(site.read("current/index.html")).toBe("bad\n");
  });
});
