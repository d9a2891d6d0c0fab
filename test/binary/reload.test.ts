import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { TargetAnswer } from "../../src/cli/admin-answers.ts";
import { describeTarget, SECRET } from "../support/configuration.ts";
import { deliver } from "../support/github.ts";
import { pushBody } from "../support/payloads.ts";
import { NO_TARGET, ServedSite } from "../support/served-site.ts";

setDefaultTimeout(120_000);

let site: ServedSite;

beforeEach(() => {
  site = new ServedSite();
});

afterEach(() => site.dispose());

const waitFor = (file: string) => `while test ! -e ${site.path(file)}; do sleep 0.02; done`;

describe("SIGHUP", () => {
  test("takes over new commands while a deployment with the old ones runs on", async () => {
    await site.start({ target: `run = ["echo old > made; echo begun; ${waitFor("go")}"]` });
    site.repository.commit({ "index.html": "first\n" });
    await site.push();
    await site.untilPrinted(1, "begun");
    const { pid } = site.server;
    site.configure({ target: `run = ["echo new > made"]` });
    await site.hangUp();
    expect((await site.readTarget()).running).toBe(1);
    site.workshop.write("site/go", "");
    expect(await site.untilEnded(1)).toMatchObject({ state: "succeeded" });
    expect(site.read("current/made")).toBe("old\n");
    await site.deploy({ "index.html": "second\n" });
    expect([site.read("current/made"), site.server.pid]).toEqual(["new\n", pid]);
  });

  test("takes over new targets, sources and secrets at once", async () => {
    await site.start({});
    site.workshop.write("new-secret", "another secret of the tests, long enough\n");
    const config = site.configure({
      more: `[[source]]
name = "hook"
provider = "generic"
path = "/hook"
verify_token = "file:new-secret"
print = true
${describeTarget("docs", "docs", site.repository).replace('name = "docs"', 'name = "docs"\nsource = "github"').replace("octocat/docs", "octocat/blog")}`,
    });
    const text = await Bun.file(config).text();
    site.workshop.write(
      "hooklatch.toml",
      text
        .replace('"env:SECRET"', '"file:new-secret"')
        .replace('name = "blog"', 'name = "blog"\nsource = "github"'),
    );
    expect((await fetch(new URL("/hook", site.server.url))).status).toBe(404);
    await site.hangUp();
    const token = "another secret of the tests, long enough";
    const hook = new URL("/hook", site.server.url);
    expect((await fetch(hook, { headers: { authorization: `Bearer ${token}` } })).status).toBe(200);
    const headers = { "content-type": "application/json" };
    expect((await fetch(hook, { method: "POST", body: '{"a":1}', headers })).status).toBe(200);
    await site.server.until(() => site.server.stdout.includes('{"a":1}'));

    site.repository.commit({ "index.html": "first\n" });
    expect((await site.push()).code).toBe(401);
    const url = new URL("/github-webhook", site.server.url);
    const pushed = await deliver(url, "push", pushBody({ after: site.repository.tip }), { secret: token });
    expect(pushed.status).toBe(202);
    await Promise.all([site.untilEnded(1), site.untilEnded(2)]);
    expect(existsSync(join(site.workshop.path, "docs/current/index.html"))).toBe(true);
    const { body } = await site.ask<{ items: TargetAnswer[] }>("GET", "/api/targets");
    expect(body.items.map(({ name }) => name)).toEqual(["blog", "docs"]);
    expect((await site.run("client", "list")).stdout).toContain("127.0.0.1");
    expect(await site.run("client", "revoke", "127.0.0.1")).toMatchObject({ exitCode: 0, stderr: "" });
    expect((await fetch(hook, { method: "POST", body: '{"a":2}', headers })).status).toBe(401);
    expect(await site.run("client", "revoke", "127.0.0.1")).toMatchObject({ exitCode: 1, stdout: "" });
  });

  test("takes over how large a body may be, also a much larger one", async () => {
    await site.start({ server: 'max_body = "64KiB"' });
    const send = () =>
      deliver(new URL("/github-webhook", site.server.url), "push", "x".repeat(4 * 1024 * 1024), {
        secret: "another secret than the source has",
      });
    expect((await send()).status).toBe(413);
    site.configure({ server: 'max_body = "8MiB"' });
    await site.hangUp();
    expect((await send()).status).toBe(401);
  });

  test("changes nothing where the file has a fault, and the log says which, in which file and at which key", async () => {
    await site.start({});
    await site.deploy({ "index.html": "first\n" });
    site.configure({ target: `keep_releases = 0\nrnu = ["false"]` });
    await site.hangUp();
    await site.server.until(() => site.server.stderr.includes("keep_releases"));
    for (const words of ["hooklatch.toml", "keep_releases", "rnu", 'did you mean \\"run\\"'])
      expect(site.server.stderr).toContain(words);
    site.workshop.write("hooklatch.toml", "this is [ no TOML");
    await site.hangUp();
    await site.deploy({ "index.html": "second\n" });
    expect(site.read("current/index.html")).toBe("second\n");
    expect((await site.ask("GET", "/readyz")).code).toBe(200);
  });

  test("changes nothing where the file is gone, and says so", async () => {
    await site.start({ target: `run = ["echo begun; ${waitFor("go")}"]` });
    site.repository.commit({ "index.html": "first\n" });
    await site.push();
    await site.untilPrinted(1, "begun");
    site.repository.commit({ "index.html": "second\n" });
    await site.push();
    rmSync(join(site.workshop.path, "hooklatch.toml"));
    await site.hangUp();
    expect(site.server.stderr).toMatch(
      /the configuration stays as it was: \S+hooklatch\.toml: does not exist/,
    );
    site.workshop.write("site/go", "");
    expect(await site.untilEnded(2)).toMatchObject({ state: "succeeded" });
    site.configure({ target: `run = ["echo new > made"]` });
    await site.hangUp();
    await site.deploy({ "index.html": "third\n" });
    expect(site.read("current/made")).toBe("new\n");
  });

  test("takes up a file that was not there at the start, and keeps to it when it is gone again", async () => {
    const { workshop } = site;
    const server = await workshop.serve([], { PORT: "0" });
    const ask = async (path: string) => (await fetch(new URL(path, server.url))).status;
    const hangUp = async (told: string) => {
      process.kill(server.pid, "SIGHUP");
      await server.until(() => server.stderr.includes(told));
    };
    const file = workshop.write(
      "hooklatch.toml",
      '[[source]]\nname = "hook"\nprovider = "generic"\npath = "/hook"\n',
    );
    await hangUp("took over");
    expect([await ask("/hook"), await ask("/webhook")]).toEqual([401, 404]);
    rmSync(file);
    await hangUp("stays as it was");
    expect([await ask("/hook"), await ask("/webhook")]).toEqual([401, 404]);
  });

  test("refuses another data directory, with the rest of the file, and makes nothing there", async () => {
    await site.start({});
    await site.deploy({ "index.html": "first\n" });
    site.configure({ dataDir: "elsewhere", target: `run = ["echo new > made"]` });
    await site.hangUp();
    expect(site.server.stderr).toContain("the configuration stays as it was: data_dir cannot become");
    await site.deploy({ "index.html": "second\n" });
    expect(site.read("current/index.html")).toBe("second\n");
    for (const absent of ["elsewhere", "site/current/made"])
      expect(existsSync(join(site.workshop.path, absent))).toBe(false);
  });

  test("cancels what waits for a target that is gone, and lets what runs of it end", async () => {
    await site.start({ target: `run = ["echo begun; ${waitFor("go")}"]` });
    site.repository.commit({ "index.html": "first\n" });
    await site.push();
    await site.untilPrinted(1, "begun");
    site.repository.commit({ "index.html": "second\n" });
    await site.push();
    site.configure({ target: NO_TARGET });
    await site.hangUp();
    expect(await site.readDeployment(2)).toMatchObject({
      state: "cancelled",
      reason: "target blog is no longer configured",
    });
    expect((await site.run("target", "list")).stderr).toContain("there are no targets");
    expect((await site.run("delivery", "show", "2")).stdout).toContain("target blog is no longer configured");
    site.workshop.write("site/go", "");
    expect(await site.untilEnded(1)).toMatchObject({ state: "succeeded" });
    site.repository.commit({ "index.html": "third\n" });
    expect((await site.push()).body).toMatchObject({
      status: "skipped",
      reason: "no target listens to source github",
    });
  });

  test("leaves a lock on a target that is gone to be unlocked, and nothing that it held back waits", async () => {
    await site.start({});
    site.repository.commit({ "index.html": "first\n" });
    await site.run("target", "lock", "blog", "--reason", "release freeze");
    await site.push();
    site.configure({ target: NO_TARGET });
    await site.hangUp();
    expect(await site.run("target", "unlock", "blog")).toMatchObject({
      exitCode: 0,
      stdout: "blog is unlocked: it is no longer configured\n",
    });
    expect(await site.listDeployments()).toMatchObject([
      { state: "cancelled", reason: "target blog is no longer configured" },
    ]);
    expect((await site.run("target", "unlock", "blog")).exitCode).toBe(1);
  });

  test("while the deliveries come loses none of them", async () => {
    await site.start({});
    const kept: number[] = [];
    for (let round = 0; round < 40; round++) {
      const before = round.toString(16).padStart(40, "1");
      site.repository.commit({ "index.html": `${round}\n` });
      if (round % 4 === 0) process.kill(site.server.pid, "SIGHUP");
      const url = new URL("/github-webhook", site.server.url);
      const response = await deliver(url, "push", pushBody({ after: site.repository.tip, before }), {
        secret: SECRET,
      });
      expect(response.status).toBe(202);
      kept.push(((await response.json()) as { delivery: number }).delivery);
    }
    expect(kept).toEqual(Array.from({ length: 40 }, (_, index) => index + 1));
    const [last] = await site.listDeployments();
    expect(await site.untilEnded(last?.id ?? 0)).toMatchObject({
      state: "succeeded",
      commit: site.repository.tip,
    });
  });
});
