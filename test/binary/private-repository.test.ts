import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fingerprintOf } from "../../src/deploy/host-key.ts";
import { makeCertificate } from "../support/certificate.ts";
import { Repository } from "../support/git.ts";
import { GitOverHttps } from "../support/git-over-https.ts";
import { hasSshd, makeKey, Sshd } from "../support/sshd.ts";
import { Blog } from "./blog.ts";

setDefaultTimeout(120_000);

let blog: Blog;
beforeEach(() => {
  blog = new Blog();
});
afterEach(() => blog[Symbol.asyncDispose]());

describe.skipIf(!hasSshd).each(["releases", "worktree"] as const)(
  "layout %s, over ssh (needs an OpenSSH server)",
  (layout) => {
    let sshd: Sshd;
    const key = () => blog.at("keys", "deploy");
    const knownHosts = () => blog.at("known_hosts");
    beforeEach(async () => {
      mkdirSync(blog.at("keys"));
      sshd = await Sshd.start(blog.at("sshd"), makeKey(key()));
      writeFileSync(knownHosts(), `${sshd.line}\n`);
    });
    afterEach(() => sshd.stop());

    const serve = (sshKey = key()) =>
      blog.serve({
        layout,
        cloneUrl: sshd.url(blog.repository.path),
        keys: `ssh_key = ${JSON.stringify(sshKey)}\nknown_hosts = ${JSON.stringify(knownHosts())}`,
      });

    test("deploys with the key to a host that is known, again and again", async () => {
      await serve();
      expect(await blog.deploy({ "index.html": "one" })).toMatchObject({ state: "succeeded", reason: null });
      expect(await blog.deploy({ "index.html": "two" })).toMatchObject({ state: "succeeded", reason: null });
      expect(blog.read("index.html")).toBe("two");
    });

    test("tells fingerprint and line of an unknown host, and that very line is what it takes", async () => {
      writeFileSync(knownHosts(), "");
      await serve();
      const { state, reason } = await blog.deploy({ "index.html": "one" });
      const [, type = "", base64 = ""] = sshd.line.split(" ");
      expect(state).toBe("failed");
      expect(reason).toContain(`the host key of ${sshd.host} is not in ${knownHosts()}`);
      expect(reason).toContain(`${type} ${fingerprintOf(base64)}`);
      const [, line = ""] = /add this line: (.+)$/.exec(reason ?? "") ?? [];
      expect(existsSync(blog.live("index.html"))).toBe(false);

      writeFileSync(knownHosts(), `${line}\n`);
      expect(await blog.deploy({ "index.html": "two" })).toMatchObject({ state: "succeeded", reason: null });
      expect(blog.read("index.html")).toBe("two");
    });

    test("names the key that the host does not take, and leaves live what was", async () => {
      await serve();
      await blog.deploy({ "index.html": "one" });
      await blog.server.end("SIGTERM");
      makeKey(blog.at("keys", "another"));
      await serve(blog.at("keys", "another"));
      const { state, reason } = await blog.deploy({ "index.html": "two" });
      expect(state).toBe("failed");
      expect(reason).toContain("Permission denied (publickey)");
      expect(reason).toContain(blog.at("keys", "another"));
      expect(blog.read("index.html")).toBe("one");
    });
  },
);

const TOKEN = "t0ken-that-nobody-may-see-4711";
const HEADER = btoa(`x-access-token:${TOKEN}`);

describe.each(["releases", "worktree"] as const)("layout %s, over https with a token", (layout) => {
  let forge: GitOverHttps;
  beforeEach(() => {
    forge = new GitOverHttps(
      blog.workshop.path,
      makeCertificate(blog.workshop.path, "forge"),
      `x-access-token:${TOKEN}`,
    );
  });
  afterEach(() => forge.stop());

  async function serve(token: string): Promise<void> {
    const lib = new Repository(blog.at("lib"));
    lib.commit({ "lib.txt": "lib" });
    blog.repository.git("-c", "protocol.file.allow=always", "submodule", "add", "--quiet", lib.path, "lib");
    blog.repository.git("config", "--file", ".gitmodules", "submodule.lib.url", "../../lib/.git");
    await blog.serve({
      layout,
      cloneUrl: forge.url("origin/.git"),
      keys: `token = "env:FORGE_TOKEN"
run = ["env", "git config --list --show-origin", "git submodule foreach git config --list"]
after = ["env"]
env = { GIT_SSL_CAINFO = ${JSON.stringify(blog.at("forge-cert.pem"))}, GIT_TRACE = "1", GIT_TRACE_CURL = "1", GIT_TRACE_REDACT = "0" }`,
      env: { FORGE_TOKEN: token },
    });
  }

  /** Everything that people and programs can read of what went on. */
  async function everything(id: number): Promise<string> {
    const answers = await Promise.all([
      blog.run("deployment", "log", String(id)),
      blog.run("deployment", "show", String(id), "--json"),
      blog.run("target", "show", "blog", "--json"),
      blog.run("delivery", "show", "1", "--json"),
    ]);
    const { stdout, stderr } = blog.server;
    return [
      stdout,
      stderr,
      ...answers.map((each) => each.stdout),
      ...filesBelow(blog.site()),
      ...filesBelow(blog.at("data")),
    ].join("\n");
  }

  test("deploys, submodules too, and the token is in no log, answer, file or argument list", async () => {
    await serve(TOKEN);
    const spied: string[] = [];
    const spying = setInterval(() => spied.push(...argumentLists()), 1);
    const deployment = await blog.deploy({ "index.html": "one" });
    clearInterval(spying);
    expect(deployment).toMatchObject({ state: "succeeded", reason: null });
    expect(blog.read("lib/lib.txt")).toBe("lib");
    expect(forge.seen.map(({ authorization }) => authorization)).toContain(`Basic ${HEADER}`);
    const all = [await everything(deployment.id), ...spied].join("\n");
    expect(all).toContain(forge.url("origin/.git"));
    if (existsSync("/proc/self/cmdline")) expect(spied.some((each) => each.includes("fetch"))).toBe(true);
    for (const secret of [TOKEN, HEADER]) expect(all).not.toContain(secret);
  });

  test("says which setting to look at when the token is wrong, and shows it to nobody", async () => {
    const wrong = "wr0ng-token-that-is-a-secret-all-the-same";
    await serve(wrong);
    const deployment = await blog.deploy({ "index.html": "one" });
    expect(deployment).toMatchObject({
      state: "failed",
      reason: `git fetch failed: authentication failed at ${forge.origin}: check \`token\``,
    });
    expect(existsSync(blog.live("index.html"))).toBe(false);
    const all = await everything(deployment.id);
    for (const secret of [wrong, btoa(`x-access-token:${wrong}`)]) expect(all).not.toContain(secret);
  });
});

test("a fetch from who never answers is ended by a cancel", async () => {
  const certificate = makeCertificate(blog.workshop.path, "forge");
  const asked = Promise.withResolvers<void>();
  const forge = new GitOverHttps(blog.workshop.path, certificate, null, () => {
    asked.resolve();
    return new Promise<Response>(() => {});
  });
  const env = `env = { GIT_SSL_CAINFO = ${JSON.stringify(certificate.cert)} }`;
  await blog.serve({ cloneUrl: forge.url("origin/.git"), keys: env });
  const id = await blog.push({ "index.html": "one" });
  await asked.promise;
  await blog.run("deployment", "cancel", String(id), "--by", "Ada");
  expect(await blog.ended(id)).toMatchObject({
    state: "cancelled",
    reason: "cancelled by Ada",
    release: null,
  });
  expect(existsSync("/proc/self/environ") ? blog.processesOf(id) : []).toEqual([]);
  await forge.stop();
});

/** The arguments of every process there is (proc(5)); none where there is no such place. */
function argumentLists(): readonly string[] {
  if (!existsSync("/proc/self/cmdline")) return [];
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, "latin1");
      } catch {
        return "";
      }
    });
}

/** The content of every file below a directory. */
function filesBelow(directory: string): readonly string[] {
  return readdirSync(directory, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => readFileSync(join(parentPath, name), "latin1"));
}
