import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "../../support/free-port.ts";
import { Repository } from "../../support/git.ts";
import { hasSshd, makeKey, Sshd } from "../../support/sshd.ts";
import { runHooklatch } from "../command-line.ts";
import { Authority } from "./authority.ts";

setDefaultTimeout(120_000);

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "hooklatch-check-"));
});

afterEach(() => rmSync(root, { recursive: true }));

/** The lines of `check` for this configuration, each with its level. */
async function check(configuration: string, env: Record<string, string> = {}) {
  writeFileSync(join(root, "hooklatch.toml"), configuration);
  const { exitCode, stdout, stderr } = await runHooklatch("check", { cwd: root, env });
  return { exitCode, lines: stdout.split("\n").filter((line) => line !== ""), stderr };
}

const SOURCE = `[[source]]
name = "github"
provider = "github"
path = "/github-webhook"
secrets = ["env:HOOK"]
`;

describe("hooklatch check", () => {
  test("tells a small and sound configuration in a dozen lines, and makes nothing", async () => {
    const repository = new Repository(join(root, "origin"));
    repository.commit({ "index.html": "hello" });
    const authority = new Authority(root);
    authority.certify("site", "DNS:hooks.example.com");
    authority.bundle("chain.pem", ["site", "intermediate", "root"]);
    const [port, adminPort] = [freePort(), freePort()];
    const before = readdirSync(root);
    const { exitCode, lines } = await check(
      `[server]
host = "127.0.0.1"
port = ${port}
public_url = "https://hooks.example.com:${port}"
tls = { cert = "chain.pem", key = "site.key" }
[admin]
port = ${adminPort}
${SOURCE}
[[target]]
name = "blog"
repository = "octocat/blog"
branch = "main"
clone_url = ${JSON.stringify(repository.path)}
directory = "site"
run = [["true"]]
`,
      { HOOK: randomBytes(32).toString("hex") },
    );
    expect(exitCode).toBe(0);
    expect(lines.length).toBeLessThan(16);
    for (const line of lines) expect(line).toMatch(/^(?:ok {2}|warn|fail) /);
    for (const expected of [
      `ok   configuration ${join(root, "hooklatch.toml")}`,
      `ok   data directory ${join(root, "hooklatch-data")} will be made`,
      `ok   port ${port} on 127.0.0.1 is free: no server is running there`,
      `ok   source github: https://hooks.example.com:${port}/github-webhook for blog`,
      `ok   target blog: branch main of ${repository.path} at ${repository.tip.slice(0, 12)}`,
    ]) {
      expect(lines).toContain(expected);
    }
    expect(readdirSync(root).sort()).toEqual([...before, "hooklatch.toml"].sort());
  });

  test("looks at the secrets of every kind of source, and shows none", async () => {
    const { exitCode, lines } = await check(
      `[server]
port = 0
[admin]
port = 0
token = "env:SAME"
${SOURCE}
[[source]]
name = "signed"
provider = "generic"
path = "/signed"
print = true
hmac = { header = "x-signature", secrets = ["env:SAME"] }
`,
      { HOOK: "changeme-changeme", SAME: "a1b2c3d4e5f60718293a4b5c6d7e8f90" },
    );
    expect(exitCode).toBe(0);
    expect(lines).toContain(
      "warn a secret of source github (env:HOOK) is easily guessed: take a random one (openssl rand -hex 32)",
    );
    expect(lines).toContain(
      "warn the admin listener and source signed have the same secret: who knows it for one has the other; give each its own",
    );
    expect(lines.join("\n")).not.toMatch(/changeme|a1b2c3d4/);
  });

  test("exits with 1 on a fail, with 2 on a faulty configuration", async () => {
    const target = '[[target]]\nname = "blog"\ndirectory = "none"\nrun = ["true"]\n';
    const failed = await check(`${SOURCE}\n${target}`, { HOOK: randomBytes(32).toString("hex") });
    expect(failed.exitCode).toBe(1);
    expect(failed.lines).toContain(
      `fail target blog: directory ${join(root, "none")} does not exist; commands cannot run there: make it, for the service's user`,
    );
    const faulty = await check(`${SOURCE}\n${target}`);
    expect([faulty.exitCode, faulty.lines]).toEqual([2, []]);
    expect(faulty.stderr).toContain("the environment variable HOOK is not set");
    expect(readdirSync(root)).toEqual(["hooklatch.toml"]);
  });

  test.skipIf(!hasSshd)("tells why a host is not talked to, and takes it once its key is known", async () => {
    const repository = new Repository(join(root, "origin"));
    repository.commit({ "index.html": "hello" });
    const sshd = await Sshd.start(join(root, "sshd"), makeKey(join(root, "key")));
    const configuration = `[server]
port = 0
[admin]
port = 0
${SOURCE}
[[target]]
name = "blog"
repository = "octocat/blog"
branch = "main"
clone_url = ${JSON.stringify(sshd.url(repository.path))}
directory = "site"
ssh_key = "key"
known_hosts = "known_hosts"
`;
    const env = { HOOK: randomBytes(32).toString("hex") };
    try {
      writeFileSync(join(root, "known_hosts"), "");
      const stranger = await check(configuration, env);
      expect(stranger.exitCode).toBe(1);
      expect(stranger.lines.at(-1)).toMatch(/^fail target blog: branch main of ssh:.*host key/i);
      writeFileSync(join(root, "known_hosts"), `${sshd.line}\n`);
      const known = await check(configuration, env);
      expect(known.lines.at(-1)).toEndWith(` at ${repository.tip.slice(0, 12)}`);
      expect(known.exitCode).toBe(0);
      chmodSync(join(root, "key"), 0o644);
      const loose = await check(configuration, env);
      expect(loose.exitCode).toBe(1);
      expect(loose.lines).toContain(
        `fail target blog: ssh_key ${join(root, "key")} is open to others on this machine, so ssh refuses it: chmod go= ${join(root, "key")}`,
      );
    } finally {
      sshd.stop();
    }
  });

  test("knows a worktree's directory with foreign files", async () => {
    mkdirSync(join(root, "site"));
    writeFileSync(join(root, "site/index.html"), "mine");
    const { exitCode, lines } = await check(
      `${SOURCE}[[target]]
name = "blog"
repository = "octocat/blog"
branch = "main"
clone_url = "/nowhere"
layout = "worktree"
directory = "site"
`,
      { HOOK: randomBytes(32).toString("hex") },
    );
    expect(exitCode).toBe(1);
    expect(lines.filter((line) => line.startsWith("fail target blog: directory"))).toHaveLength(1);
  });
});
