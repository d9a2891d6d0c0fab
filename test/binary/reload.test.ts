import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { ApiTarget } from "../../src/api/target.ts";
import { describeTarget, SECRET } from "../support/configuration.ts";
import { deliver } from "../support/github.ts";
import { pushBody } from "../support/payloads.ts";
import { NO_TARGET, ServedSite } from "../support/served-site.ts";
import { words } from "../support/words.ts";

setDefaultTimeout(120_000);

let site: ServedSite;

beforeEach(() => {
  site = new ServedSite();
});

afterEach(() => site.dispose());

const waitFor = (file: string) => `while test ! -e ${site.path(file)}; do sleep 0.02; done`;

/** The messages of the log lines of level `error`: the server logs only configuration errors as errors here. */
const readErrors = () =>
  site.server.log.filter(({ level }) => level === "error").map(({ msg }) => words(String(msg)));

describe("SIGHUP", () => {
  test("applies new commands without affecting a running deployment", async () => {
    await site.start({ target: `run = ["echo old > made; echo started; ${waitFor("go")}"]` });
    site.repository.commit({ "index.html": "first\n" });
    await site.push();
    await site.untilPrinted(1, "started");
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

  test("applies new targets, sources and secrets", async () => {
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
    const { body } = await site.ask<{ items: ApiTarget[] }>("GET", "/api/targets");
    expect(body.items.map(({ name }) => name)).toEqual(["blog", "docs"]);
    expect((await site.run("client", "list")).stdout).toContain("127.0.0.1");
    expect(await site.run("client", "revoke", "127.0.0.1")).toMatchObject({ exitCode: 0, stderr: "" });
    expect((await fetch(hook, { method: "POST", body: '{"a":2}', headers })).status).toBe(401);
    expect(await site.run("client", "revoke", "127.0.0.1")).toMatchObject({ exitCode: 1, stdout: "" });
  });

  test("applies new settings by the command, which prints what needs a restart, or every fault", async () => {
    await site.start({});
    site.repository.commit({ "index.html": "first\n" });
    site.configure({ server: 'max_body = "64KiB"\nhost = "127.0.0.2"' });
    const applied = await site.run("reload");
    expect(applied).toMatchObject({ exitCode: 0, stderr: "" });
    expect(applied.stdout).toContain("[server] host");
    expect((await site.push({ padding: "x".repeat(70_000) })).code).toBe(413);
    site.configure({ target: "keep_releases = 0\nrnu = []" });
    const refused = await site.run("reload");
    expect(refused).toMatchObject({ exitCode: 2, stdout: "" });
    for (const key of ["keep_releases", "rnu"]) expect(refused.stderr).toContain(key);
    expect((await site.push({ padding: "x".repeat(70_000) })).code).toBe(413);
  });

  test("applies a larger max_body", async () => {
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

  test("keeps the configuration and logs each error with file and key when the new file is invalid", async () => {
    await site.start({});
    await site.deploy({ "index.html": "first\n" });
    site.configure({ target: `keep_releases = 0\nrnu = ["false"]` });
    await site.hangUp();
    await site.server.until(() => site.server.stderr.includes("keep_releases"));
    const errors = readErrors();
    expect(errors).toContainEqual(
      expect.stringMatching(/\bhooklatch\.toml:\d+: target "\w+": target\[0\]\.keep_releases\b/),
    );
    expect(errors).toContainEqual(
      expect.stringMatching(/\bhooklatch\.toml:\d+: target "\w+": target\[0\]\.rnu\b.*"run"/),
    );
    site.workshop.write("hooklatch.toml", "this is [ no TOML");
    await site.hangUp();
    expect(readErrors()).toMatchSnapshot();
    await site.deploy({ "index.html": "second\n" });
    expect(site.read("current/index.html")).toBe("second\n");
    expect((await site.ask("GET", "/readyz")).code).toBe(200);
  });

  test("keeps the configuration and logs an error when the file is missing", async () => {
    await site.start({ target: `run = ["echo started; ${waitFor("go")}"]` });
    site.repository.commit({ "index.html": "first\n" });
    await site.push();
    await site.untilPrinted(1, "started");
    site.repository.commit({ "index.html": "second\n" });
    await site.push();
    rmSync(join(site.workshop.path, "hooklatch.toml"));
    await site.hangUp();
    expect(readErrors()).toEqual([expect.stringMatching(/\bhooklatch\.toml\b/)]);
    expect(readErrors()).toMatchSnapshot();
    site.workshop.write("site/go", "");
    expect(await site.untilEnded(2)).toMatchObject({ state: "succeeded" });
    site.configure({ target: `run = ["echo new > made"]` });
    await site.hangUp();
    await site.deploy({ "index.html": "third\n" });
    expect(site.read("current/made")).toBe("new\n");
  });

  test("applies a file created after the start, and keeps the configuration when the file is removed", async () => {
    const { workshop } = site;
    const server = await workshop.serve([], { PORT: "0" });
    const ask = async (path: string) => (await fetch(new URL(path, server.url))).status;
    const hangUp = async (isDone: (line: Record<string, unknown>) => boolean) => {
      process.kill(server.pid, "SIGHUP");
      await server.until(() => server.log.some(isDone));
    };
    const file = workshop.write(
      "hooklatch.toml",
      '[[source]]\nname = "hook"\nprovider = "generic"\npath = "/hook"\n',
    );
    // The log line about a reload lists the sources, and so does the one about listening, which has a URL.
    await hangUp(({ sources, url }) => sources !== undefined && url === undefined);
    expect([await ask("/hook"), await ask("/webhook")]).toEqual([401, 404]);
    rmSync(file);
    await hangUp(({ level }) => level === "error");
    expect([await ask("/hook"), await ask("/webhook")]).toEqual([401, 404]);
  });

  test("keeps the configuration when the new file has another data directory, which is not created", async () => {
    await site.start({});
    await site.deploy({ "index.html": "first\n" });
    site.configure({ dataDir: "elsewhere", target: `run = ["echo new > made"]` });
    await site.hangUp();
    expect(readErrors()).toEqual([expect.stringMatching(/\bdata_dir\b.*\/elsewhere\b/)]);
    expect(readErrors()).toMatchSnapshot();
    await site.deploy({ "index.html": "second\n" });
    expect(site.read("current/index.html")).toBe("second\n");
    for (const absent of ["elsewhere", "site/current/made"])
      expect(existsSync(join(site.workshop.path, absent))).toBe(false);
  });

  test("cancels the queued deployment of a removed target and lets the running one end", async () => {
    await site.start({ target: `run = ["echo started; ${waitFor("go")}"]` });
    site.repository.commit({ "index.html": "first\n" });
    await site.push();
    await site.untilPrinted(1, "started");
    site.repository.commit({ "index.html": "second\n" });
    await site.push();
    site.configure({ target: NO_TARGET });
    await site.hangUp();
    const { state, code, reason } = await site.readDeployment(2);
    expect([state, code]).toEqual(["cancelled", "not_configured"]);
    expect(reason).toContain("blog");
    const list = await site.run("target", "list");
    expect(list.stdout).toBe("");
    const shown = (await site.run("delivery", "show", "2")).stdout.split("\n");
    const outcome = shown.find((line) => line.startsWith("blog ")) ?? "";
    expect(outcome).toMatch(/\b2\b/);
    site.workshop.write("site/go", "");
    expect(await site.untilEnded(1)).toMatchObject({ state: "succeeded" });
    site.repository.commit({ "index.html": "third\n" });
    const { body } = await site.push();
    expect(body.status).toBe("skipped");
    expect(body.reason).toContain("github");
    expect([reason, list.stderr.trimEnd(), outcome, body.reason]).toMatchSnapshot();
  });

  test("keeps the lock of a removed target, which can be unlocked, and cancels its skipped push", async () => {
    await site.start({});
    site.repository.commit({ "index.html": "first\n" });
    await site.run("target", "lock", "blog", "--reason", "release freeze");
    await site.push();
    site.configure({ target: NO_TARGET });
    await site.hangUp();
    const unlock = await site.run("target", "unlock", "blog");
    expect(unlock.exitCode).toBe(0);
    expect(unlock.stdout).toMatch(/^blog\b.*\n$/);
    const deployments = await site.listDeployments();
    expect(deployments).toMatchObject([{ state: "cancelled", code: "not_configured" }]);
    expect(deployments[0]?.reason).toContain("blog");
    expect([unlock.stdout.trimEnd(), deployments[0]?.reason]).toMatchSnapshot();
    expect((await site.run("target", "unlock", "blog")).exitCode).toBe(1);
  });

  test("loses no delivery that arrives during a reload", async () => {
    await site.start({});
    const stored: number[] = [];
    for (let round = 0; round < 40; round++) {
      const before = round.toString(16).padStart(40, "1");
      site.repository.commit({ "index.html": `${round}\n` });
      if (round % 4 === 0) process.kill(site.server.pid, "SIGHUP");
      const url = new URL("/github-webhook", site.server.url);
      const response = await deliver(url, "push", pushBody({ after: site.repository.tip, before }), {
        secret: SECRET,
      });
      expect(response.status).toBe(202);
      stored.push(((await response.json()) as { delivery: number }).delivery);
    }
    expect(stored).toEqual(Array.from({ length: 40 }, (_, index) => index + 1));
    const [last] = await site.listDeployments();
    expect(await site.untilEnded(last?.id ?? 0)).toMatchObject({
      state: "succeeded",
      commit: site.repository.tip,
    });
  });
});
