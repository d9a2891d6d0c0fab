import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync } from "node:fs";
import type { ApiTarget } from "../../src/api/target.ts";
import { SECRET } from "../support/configuration.ts";
import { deliver } from "../support/github.ts";
import { pingBody } from "../support/payloads.ts";
import { ServedSite } from "../support/served-site.ts";
import { words } from "../support/words.ts";

setDefaultTimeout(120_000);

let site: ServedSite;

beforeEach(() => {
  site = new ServedSite();
});

afterEach(() => site.dispose());

const LOCK = ["target", "lock", "blog", "--reason", "release freeze", "--by", "ada"] as const;

const findLine = (text: string, part: string) => text.split("\n").find((line) => line.includes(part)) ?? "";

describe("a locked target", () => {
  test("skips pushes, reports who locked it, and deploys only the newest push when it is unlocked", async () => {
    await site.start({});
    await site.deploy({ "index.html": "first\n" });
    expect(await site.run(...LOCK)).toMatchObject({ exitCode: 0, stderr: "" });

    site.repository.commit({ "index.html": "second\n" });
    const { code, body } = await site.push();
    expect([code, body.status]).toEqual([200, "held"]);
    expect(body.reason).toMatch(/^blog: .*\bada\b.*\brelease freeze$/);
    const newest = site.repository.commit({ "index.html": "third\n" });
    await site.push();
    const held = await site.run("delivery", "list", "--status", "held");
    expect(held.stdout.match(/\bblog: .*\bada\b.*\brelease freeze$/gm)).toHaveLength(2);
    const shown = findLine((await site.run("delivery", "show", "2")).stdout, "release freeze");
    expect(shown).toContain("ada");
    const locked = findLine((await site.run("target", "show", "blog")).stdout, "release freeze");
    expect(locked).toContain("ada");
    const delivery = await site.readDelivery(2);
    expect(delivery).toMatchObject({
      status: "held",
      decisions: [{ target: "blog", deploy: false, code: "locked" }],
      deployments: [],
    });
    expect(delivery.decisions[0]?.reason).toMatch(/\bada\b.*\brelease freeze$/);
    expect(await site.listDeployments()).toHaveLength(1);

    const unlock = await site.run("target", "unlock", "blog");
    expect(unlock).toMatchObject({ exitCode: 0, stderr: "" });
    expect(unlock.stdout).toMatch(/^blog\b.*\b2\b.*\n$/);
    expect(await site.readDelivery(2)).toMatchObject({ status: "skipped" });
    expect(await site.readDelivery(3)).toMatchObject({ status: "ok" });
    expect(await site.untilEnded(2)).toMatchObject({
      state: "succeeded",
      trigger: "push",
      delivery: 3,
      commit: newest,
    });
    expect(await site.listDeployments()).toHaveLength(2);
    expect(site.read("current/index.html")).toBe("third\n");
    const outcome = findLine((await site.run("delivery", "show", "3")).stdout, "blog  ");
    expect(outcome).toMatch(/\b2\b/);
    const deliveries = await site.run("delivery", "list", "--target", "blog");
    expect(deliveries.stdout).toMatch(/^2 .*\bblog: .*\bada\b.*\brelease freeze\b.*\b3\b/m);
    expect(deliveries.stdout.split("\n")).toHaveLength(5);
    expect(
      words([body.reason, shown, locked, unlock.stdout, outcome, deliveries.stdout].join("\n")),
    ).toMatchSnapshot();
  });

  test("deploys nothing when it is unlocked and no push was skipped", async () => {
    await site.start({});
    await site.deploy({ "index.html": "first\n" });
    await site.run(...LOCK);
    const { code, body } = await site.ask<{ reason: string }>("POST", "/api/targets/blog/unlock");
    const { reason, ...rest } = body;
    expect([code, rest]).toEqual([200, { status: "unlocked", deployment: null }]);
    expect(await site.listDeployments()).toHaveLength(1);
    expect(await site.ask("POST", "/api/targets/blog/unlock")).toEqual({
      code: 409,
      body: { status: "not locked" },
    });
    const again = await site.run("target", "unlock", "blog");
    expect(again).toMatchObject({ exitCode: 1, stdout: "" });
    expect(again.stderr).toMatch(/^hooklatch: .*\bblog\b.*\n$/);
    expect([reason, again.stderr.trimEnd()]).toMatchSnapshot();
  });

  test("unlocks itself when the lock expires, and deploys the skipped push", async () => {
    await site.start({});
    await site.deploy({ "index.html": "first\n" });
    expect(await site.run(...LOCK, "--for", "1s")).toMatchObject({ exitCode: 0 });
    const commit = site.repository.commit({ "index.html": "second\n" });
    const { body } = await site.push();
    expect(body).toMatchObject({ status: "held" });
    expect(body.reason).toMatch(/^blog: .*\bada\b.* \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\b.*\brelease freeze$/);
    expect(words(body.reason ?? "")).toMatchSnapshot();
    expect(await site.server.untilDeployed(2)).toMatchObject({ state: "succeeded", commit });
    expect((await site.readTarget()).locked).toBeNull();
  });

  test.each(["SIGTERM", "SIGKILL"] as const)("stays locked after %s and a restart", async (signal) => {
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
    expect((await site.push()).body.status).toBe("held");
    expect(await site.listDeployments()).toHaveLength(1);
    await site.run("target", "unlock", "blog");
    expect(await site.untilEnded(2)).toMatchObject({ state: "succeeded", commit });
  });

  test("keeps a queued deployment waiting until it is unlocked", async () => {
    await site.start({ target: `run = ["while test ! -e ${site.path("go")}; do sleep 0.05; done"]` });
    site.repository.commit({ "index.html": "first\n" });
    await site.push();
    // The log line about a start names the trigger.
    await site.server.until(() => site.server.log.some(({ trigger }) => trigger !== undefined));
    const queued = site.repository.commit({ "index.html": "second\n" });
    await site.push();
    await site.run(...LOCK);
    site.workshop.write("site/go", "");
    await site.untilEnded(1);
    expect(await site.readTarget()).toMatchObject({ queued: 2, running: null });
    const delivery = findLine((await site.run("delivery", "list")).stdout, "release freeze");
    expect(delivery).toMatch(/\bblog: .*\b2\b.*\bada\b/);
    await site.restart("SIGKILL");
    expect(await site.readTarget()).toMatchObject({ queued: 2, running: null });
    const unlock = await site.run("target", "unlock", "blog");
    expect(unlock.stdout).toMatch(/^blog\b.*\b2\b.*\n$/);
    expect([words(delivery), unlock.stdout.trimEnd()]).toMatchSnapshot();
    expect(await site.untilEnded(2)).toMatchObject({ state: "succeeded", commit: queued });
  });

  test("needs --force for a manual deployment but not for a rollback", async () => {
    await site.start({});
    await site.deploy({ "index.html": "first\n" });
    await site.deploy({ "index.html": "second\n" });
    await site.run(...LOCK);
    const rejected = await site.run("target", "deploy", "blog", "--follow");
    expect([rejected.exitCode, rejected.stdout]).toEqual([1, ""]);
    expect(rejected.stderr).toMatch(/^hooklatch: .*\bblog\b.*\bada\b.*\brelease freeze\b.*--force\b.*\n$/);
    const conflict = await site.ask<{ reason: string }>("POST", "/api/targets/blog/deploy");
    const { reason, ...rest } = conflict.body;
    expect([conflict.code, rest]).toEqual([409, { status: "locked" }]);
    expect(reason).toMatch(/\bada\b.*\brelease freeze$/);
    expect([rejected.stderr.trimEnd(), reason]).toMatchSnapshot();
    expect(await site.listDeployments()).toHaveLength(2);
    expect(await site.run("target", "rollback", "blog")).toMatchObject({ exitCode: 0, stderr: "" });
    expect(site.read("current/index.html")).toBe("first\n");
    expect(await site.run("target", "deploy", "blog", "--force", "--follow")).toMatchObject({ exitCode: 0 });
    expect(site.read("current/index.html")).toBe("second\n");
    expect((await site.readTarget()).locked).not.toBeNull();
  });

  test("does not change the response to pings and to pushes of other branches", async () => {
    await site.start({});
    await site.run(...LOCK);
    const url = new URL("/github-webhook", site.server.url);
    const ping = await deliver(url, "ping", pingBody(), { secret: SECRET });
    expect([ping.status, (await ping.json()) as unknown]).toEqual([200, { status: "pong", delivery: 1 }]);
    site.repository.commit({ "index.html": "first\n" });
    const { body } = await site.push({ ref: "refs/heads/dev" });
    expect(body.reason).toMatch(/^blog: .*"dev".*"main"/);
    expect(body.reason).toMatchSnapshot();
    const { body: unlocked } = await site.ask("POST", "/api/targets/blog/unlock");
    expect(unlocked).toMatchObject({ status: "unlocked", deployment: null });
    expect(existsSync(site.path())).toBe(false);
  });

  test("can be locked again with another reason, and still deploys the skipped push", async () => {
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
  test("deploys the missed commit when it is unlocked", async () => {
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

describe("hooklatch target lock", () => {
  test("exits with 1 for an unknown target and with 2 for an invalid command line", async () => {
    await site.start({});
    const unknown = await site.run("target", "lock", "blgo", "--reason", "x");
    expect(unknown.exitCode).toBe(1);
    expect(unknown.stderr).toMatch(/^hooklatch: .*\bblgo\b.*\bblog\b.*\n$/);
    expect(unknown.stderr).toMatchSnapshot();
    for (const args of [
      ["target", "lock", "blog"],
      ["target", "lock", "blog", "--reason", " "],
      ["target", "lock", "blog", "--reason", "x", "--for", "soon"],
      ["target", "lock"],
    ]) {
      const { exitCode, stdout, stderr } = await site.run(...args);
      expect([args, exitCode, stdout, stderr.trimEnd().split("\n").length]).toEqual([args, 2, "", 1]);
    }
    const { body } = await site.ask<{ items: ApiTarget[] }>("GET", "/api/targets");
    expect(body.items.map(({ locked }) => locked)).toEqual([null]);
  });
});
