import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fingerprintOf } from "../../src/deploy/git/errors.ts";
import { makeCertificate } from "../support/certificate.ts";
import { Repository } from "../support/git.ts";
import { GitOverHttps } from "../support/git-over-https.ts";
import { hasSshd, makeKey, Sshd } from "../support/sshd.ts";
import { words } from "../support/words.ts";
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

    test("deploys repeatedly with the key from a known host", async () => {
      await serve();
      expect(await blog.deploy({ "index.html": "one" })).toMatchObject({ state: "succeeded", reason: null });
      expect(await blog.deploy({ "index.html": "two" })).toMatchObject({ state: "succeeded", reason: null });
      expect(blog.read("index.html")).toBe("two");
    });

    test("reports the fingerprint and the known_hosts line of an unknown host, and accepts that line", async () => {
      writeFileSync(knownHosts(), "");
      await serve();
      const { state, code, reason } = await blog.deploy({ "index.html": "one" });
      const [, type = "", base64 = ""] = sshd.line.split(" ");
      expect([state, code]).toEqual(["failed", "fetch_failed"]);
      const fingerprint = fingerprintOf(base64);
      for (const fact of [sshd.host, knownHosts(), `${type} ${fingerprint}`]) expect(reason).toContain(fact);
      const [line = ""] = new RegExp(`\\S+ ${type} ${RegExp.escape(base64)}$`).exec(reason ?? "") ?? [];
      const replacements = { [sshd.host]: "<host>", [fingerprint]: "<fingerprint>", [base64]: "<key>" };
      expect(words(reason ?? "", replacements)).toMatchSnapshot();
      expect(existsSync(blog.live("index.html"))).toBe(false);

      writeFileSync(knownHosts(), `${line}\n`);
      expect(await blog.deploy({ "index.html": "two" })).toMatchObject({ state: "succeeded", reason: null });
      expect(blog.read("index.html")).toBe("two");
    });

    test("reports the key that the host rejects, and keeps the live files", async () => {
      await serve();
      await blog.deploy({ "index.html": "one" });
      await blog.server.end("SIGTERM");
      const [, base64 = ""] = makeKey(blog.at("keys", "another")).split(" ");
      await serve(blog.at("keys", "another"));
      const { state, code, reason } = await blog.deploy({ "index.html": "two" });
      expect([state, code]).toEqual(["failed", "fetch_failed"]);
      const [sshMessage, message = ""] = reason?.split(/(?<=\(publickey\))/) ?? [];
      expect(sshMessage).toEndWith("Permission denied (publickey)");
      expect(message).toContain(blog.at("keys", "another"));
      expect(words(message, { [fingerprintOf(base64)]: "<fingerprint>" })).toMatchSnapshot();
      expect(blog.read("index.html")).toBe("one");
    });
  },
);

const TOKEN = "t0ken-that-is-a-secret-4711";
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

  /** All output of the server and of the commands about a deployment, and all files below the directories. */
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

  test("deploys with submodules, and the token is in no log, response, file or argument list", async () => {
    await serve(TOKEN);
    const argumentLists: string[] = [];
    const timer = setInterval(() => argumentLists.push(...listArguments()), 1);
    const deployment = await blog.deploy({ "index.html": "one" });
    clearInterval(timer);
    expect(deployment).toMatchObject({ state: "succeeded", reason: null });
    expect(blog.read("lib/lib.txt")).toBe("lib");
    expect(forge.seen.map(({ authorization }) => authorization)).toContain(`Basic ${HEADER}`);
    const all = [await everything(deployment.id), ...argumentLists].join("\n");
    expect(all).toContain(forge.url("origin/.git"));
    if (existsSync("/proc/self/cmdline"))
      expect(argumentLists.some((each) => each.includes("fetch"))).toBe(true);
    for (const secret of [TOKEN, HEADER]) expect(all).not.toContain(secret);
  });

  test("reports the setting to check when the token is wrong, and does not reveal the token", async () => {
    const wrong = "wr0ng-token-that-is-still-a-secret";
    await serve(wrong);
    const deployment = await blog.deploy({ "index.html": "one" });
    expect(deployment).toMatchObject({ state: "failed", code: "fetch_failed" });
    for (const fact of [forge.origin, "`token`"]) expect(deployment.reason).toContain(fact);
    expect(words(deployment.reason ?? "")).toMatchSnapshot();
    expect(existsSync(blog.live("index.html"))).toBe(false);
    const all = await everything(deployment.id);
    for (const secret of [wrong, btoa(`x-access-token:${wrong}`)]) expect(all).not.toContain(secret);
  });
});

test("a cancelled deployment ends a fetch that gets no response", async () => {
  const certificate = makeCertificate(blog.workshop.path, "forge");
  const requested = Promise.withResolvers<void>();
  const forge = new GitOverHttps(blog.workshop.path, certificate, null, () => {
    requested.resolve();
    return new Promise<Response>(() => {});
  });
  const env = `env = { GIT_SSL_CAINFO = ${JSON.stringify(certificate.cert)} }`;
  await blog.serve({ cloneUrl: forge.url("origin/.git"), keys: env });
  const id = await blog.push({ "index.html": "one" });
  await requested.promise;
  await blog.run("deployment", "cancel", String(id), "--by", "Ada");
  const { reason, ...ended } = await blog.untilEnded(id);
  expect(ended).toMatchObject({ state: "cancelled", code: "cancelled", release: null });
  expect(reason).toContain("Ada");
  expect(reason).toMatchSnapshot();
  expect(existsSync("/proc/self/environ") ? blog.processesOf(id) : []).toEqual([]);
  await forge.stop();
});

/** The arguments of all processes (proc(5)). Empty on systems without /proc. */
function listArguments(): readonly string[] {
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

/** The content of each file below a directory. */
function filesBelow(directory: string): readonly string[] {
  return readdirSync(directory, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => readFileSync(join(parentPath, name), "latin1"));
}
