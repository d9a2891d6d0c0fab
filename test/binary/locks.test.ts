import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync } from "node:fs";
import type { TargetAnswer } from "../../src/cli/admin-answers.ts";
import { SECRET } from "../support/configuration.ts";
import { deliver } from "../support/github.ts";
import { pingBody } from "../support/payloads.ts";
import { ServedSite } from "../support/served-site.ts";

setDefaultTimeout(120_000);

let site: ServedSite;

beforeEach(() => {
  site = new ServedSite();
});

afterEach(() => site.dispose());

const LOCK = ["target", "lock", "blog", "--reason", "release freeze", "--by", "ada"] as const;

describe("a locked target", () => {
  test("keeps pushes, says by whom it is locked wherever one looks, and unlock deploys the newest once", async () => {
    await site.start({});
    await site.deploy({ "index.html": "first\n" });
    expect(await site.run(...LOCK)).toMatchObject({ exitCode: 0, stderr: "" });

    site.repository.commit({ "index.html": "second\n" });
    const { code, body } = await site.push();
    const reason = "locked by ada: release freeze";
    expect([code, body.status, body.reason]).toEqual([200, "skipped", `blog: ${reason}`]);
    const newest = site.repository.commit({ "index.html": "third\n" });
    await site.push();
    const list = await site.run("delivery", "list", "--status", "skipped");
    expect(list.stdout.match(new RegExp(`blog: ${reason}`, "g"))).toHaveLength(2);
    const show = await site.run("delivery", "show", "2");
    expect(show.stdout).toContain(reason);
    expect((await site.run("target", "show", "blog")).stdout).toContain("by ada: release freeze");
    expect(await site.readDelivery(2)).toMatchObject({
      status: "skipped",
      decisions: [{ target: "blog", deploy: false, reason }],
      deployments: [],
    });
    expect(await site.listDeployments()).toHaveLength(1);

    const unlock = await site.run("target", "unlock", "blog");
    expect(unlock).toMatchObject({ exitCode: 0, stderr: "" });
    expect(unlock.stdout).toBe("blog is unlocked: deployment 2 deploys what came meanwhile\n");
    expect(await site.untilEnded(2)).toMatchObject({
      state: "succeeded",
      trigger: "push",
      delivery: 3,
      commit: newest,
    });
    expect(await site.listDeployments()).toHaveLength(2);
    expect(site.read("current/index.html")).toBe("third\n");
    expect((await site.run("delivery", "show", "3")).stdout).toContain("deployed by deployment 2");
    const after = await site.run("delivery", "list", "--target", "blog");
    expect(after.stdout).toContain(`blog: was ${reason}; delivery 3 came after it\n`);
    expect(after.stdout.split("\n")).toHaveLength(5);
  });

  test("deploys nothing when it is unlocked and nothing came", async () => {
    await site.start({});
    await site.deploy({ "index.html": "first\n" });
    await site.run(...LOCK);
    const answer = await site.ask("POST", "/api/targets/blog/unlock");
    const reason = "there was nothing to queue";
    expect(answer).toEqual({ code: 200, body: { status: "unlocked", deployment: null, reason } });
    expect(await site.listDeployments()).toHaveLength(1);
    expect(await site.ask("POST", "/api/targets/blog/unlock")).toEqual({
      code: 409,
      body: { status: "not locked" },
    });
    expect(await site.run("target", "unlock", "blog")).toMatchObject({
      exitCode: 1,
      stdout: "",
      stderr: "hooklatch: target blog is not locked\n",
    });
  });

  test("unlocks itself when its time is over, and deploys what came", async () => {
    await site.start({});
    await site.deploy({ "index.html": "first\n" });
    expect(await site.run(...LOCK, "--for", "1s")).toMatchObject({ exitCode: 0 });
    const commit = site.repository.commit({ "index.html": "second\n" });
    const { body } = await site.push();
    expect(body).toMatchObject({ status: "skipped" });
    expect(body.reason).toMatch(
      /^blog: locked by ada until \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ: release freeze$/,
    );
    expect(await site.server.untilDeployed(2)).toMatchObject({ state: "succeeded", commit });
    expect((await site.readTarget()).locked).toBeNull();
  });

  test.each(["SIGTERM", "SIGKILL"] as const)("is still locked after a restart by %s", async (signal) => {
    await site.start({});
    await site.deploy({ "index.html": "first\n" });
    await site.run(...LOCK);
    site.repository.commit({ "index.html": "second\n" });
    await site.push();
    await site.restart(signal);
    expect((await site.readTarget()).locked).toMatchObject({
      by: "ada",
      reason: "release freeze",
      until: null,
    });
    const commit = site.repository.commit({ "index.html": "third\n" });
    expect((await site.push()).body.status).toBe("skipped");
    expect(await site.listDeployments()).toHaveLength(1);
    await site.run("target", "unlock", "blog");
    expect(await site.untilEnded(2)).toMatchObject({ state: "succeeded", commit });
  });

  test("holds what was queued before, and unlocking lets it go on", async () => {
    await site.start({ target: `run = ["while test ! -e ${site.path("go")}; do sleep 0.05; done"]` });
    site.repository.commit({ "index.html": "first\n" });
    await site.push();
    await site.server.until(() => site.server.stderr.includes("deployment started"));
    const waiting = site.repository.commit({ "index.html": "second\n" });
    await site.push();
    await site.run(...LOCK);
    site.workshop.write("site/go", "");
    await site.untilEnded(1);
    expect(await site.readTarget()).toMatchObject({ queued: 2, running: null });
    expect((await site.run("delivery", "list")).stdout).toContain(
      "blog: deployment 2 is queued: locked by ada: release freeze\n",
    );
    await site.restart("SIGKILL");
    expect(await site.readTarget()).toMatchObject({ queued: 2, running: null });
    expect((await site.run("target", "unlock", "blog")).stdout).toBe(
      "blog is unlocked: deployment 2, which waited, is next\n",
    );
    expect(await site.untilEnded(2)).toMatchObject({ state: "succeeded", commit: waiting });
  });

  test("is deployed by a person only with --force, and goes back without", async () => {
    await site.start({});
    await site.deploy({ "index.html": "first\n" });
    await site.deploy({ "index.html": "second\n" });
    await site.run(...LOCK);
    const refused = await site.run("target", "deploy", "blog", "--follow");
    expect([refused.exitCode, refused.stdout]).toEqual([1, ""]);
    expect(refused.stderr).toBe(
      "hooklatch: target blog is locked by ada: release freeze; hooklatch target unlock blog opens it, --force deploys all the same\n",
    );
    expect(await site.ask("POST", "/api/targets/blog/deploy")).toEqual({
      code: 409,
      body: { status: "locked", reason: "locked by ada: release freeze" },
    });
    expect(await site.listDeployments()).toHaveLength(2);
    expect(await site.run("target", "rollback", "blog")).toMatchObject({ exitCode: 0, stderr: "" });
    expect(site.read("current/index.html")).toBe("first\n");
    expect(await site.run("target", "deploy", "blog", "--force", "--follow")).toMatchObject({ exitCode: 0 });
    expect(site.read("current/index.html")).toBe("second\n");
    expect((await site.readTarget()).locked).not.toBeNull();
  });

  test("does not change how pings, other branches and events are answered", async () => {
    await site.start({});
    await site.run(...LOCK);
    const url = new URL("/github-webhook", site.server.url);
    const ping = await deliver(url, "ping", pingBody(), { secret: SECRET });
    expect([ping.status, (await ping.json()) as unknown]).toEqual([200, { status: "pong", delivery: 1 }]);
    site.repository.commit({ "index.html": "first\n" });
    const { body } = await site.push({ ref: "refs/heads/dev" });
    expect(body.reason).toBe('blog: branch "dev" is not "main"');
    const { body: unlocked } = await site.ask("POST", "/api/targets/blog/unlock");
    expect(unlocked).toMatchObject({ status: "unlocked", deployment: null });
    expect(existsSync(site.path())).toBe(false);
  });

  test("may be locked again, which changes the words and loses nothing that was held back", async () => {
    await site.start({});
    await site.deploy({ "index.html": "first\n" });
    await site.run(...LOCK);
    const commit = site.repository.commit({ "index.html": "second\n" });
    await site.push();
    const again = await site.run("target", "lock", "blog", "--reason", "\u202efunny\u001b[31m");
    expect(again.stderr.split("\n")).toHaveLength(2);
    const renewed = await site.run("target", "lock", "blog", "--reason", "still", "--by", "bob");
    expect(renewed.exitCode).toBe(0);
    expect((await site.readTarget()).locked).toMatchObject({ by: "bob", reason: "still" });
    await site.run("target", "unlock", "blog");
    expect(await site.untilEnded(2)).toMatchObject({ state: "succeeded", commit });
  });
});

describe("a target that was locked while the server was down", () => {
  test("is asked for its tip when it is unlocked, and deploys what it missed", async () => {
    await site.start({ server: 'catch_up_every = "off"' });
    await site.deploy({ "index.html": "first\n" });
    await site.run(...LOCK);
    await site.server.end("SIGTERM");
    const commit = site.repository.commit({ "index.html": "second\n" });
    await site.start();
    await site.run("target", "unlock", "blog");
    expect(await site.server.untilDeployed(2)).toMatchObject({ state: "succeeded", commit });
    expect(await site.readDeployment(2)).toMatchObject({ trigger: "catch-up" });
  });
});

describe("a lock of what is not there", () => {
  test("is refused in one line, and with exit code 2 where the command line is wrong", async () => {
    await site.start({});
    expect(await site.run("target", "lock", "blgo", "--reason", "x")).toMatchObject({
      exitCode: 1,
      stderr: "hooklatch: there is no target blgo; did you mean blog?\n",
    });
    for (const args of [
      ["target", "lock", "blog"],
      ["target", "lock", "blog", "--reason", " "],
      ["target", "lock", "blog", "--reason", "x", "--for", "soon"],
      ["target", "lock"],
    ]) {
      const { exitCode, stdout, stderr } = await site.run(...args);
      expect([args, exitCode, stdout, stderr.trimEnd().split("\n").length]).toEqual([args, 2, "", 1]);
    }
    const { body } = await site.ask<{ items: TargetAnswer[] }>("GET", "/api/targets");
    expect(body.items.map(({ locked }) => locked)).toEqual([null]);
  });
});
