import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { providers } from "../../src/providers/index.ts";
import { runHooklatch } from "../cli/command-line.ts";
import { freePort } from "../support/free-port.ts";
import { Repository } from "../support/git.ts";
import { hasSshd, makeKey, Sshd } from "../support/sshd.ts";
import { Authority } from "./authority.ts";
import { wordsOf } from "./results.ts";

setDefaultTimeout(120_000);

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "hooklatch-check-"));
});

afterEach(() => rmSync(root, { recursive: true }));

/** Runs `check` with a configuration. Each line of its output starts with a level. */
async function check(configuration: string, env: Record<string, string> = {}) {
  writeFileSync(join(root, "hooklatch.toml"), configuration);
  const { exitCode, stdout, stderr } = await runHooklatch("check", { cwd: root, env });
  return { exitCode, lines: stdout.split("\n").filter((line) => line !== ""), stderr };
}

/** The first line of this level that contains the text; else an empty text. */
const findLine = (lines: readonly string[], level: string, text: string) =>
  lines.find((line) => line.startsWith(`${level} `) && line.includes(text)) ?? "";

const SOURCE = `[[source]]
name = "github"
provider = "github"
path = "/github-webhook"
secrets = ["env:HOOK"]
`;

describe("hooklatch check", () => {
  test("reports on a valid configuration in about a dozen lines, and creates nothing", async () => {
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
    // Other lines depend on the machine and the user of the tests.
    const url = `https://hooks.example.com:${port}/github-webhook`;
    const facts = [
      join(root, "hooklatch.toml"),
      join(root, "hooklatch-data"),
      `port ${port}`,
      url,
      repository.path,
    ];
    const passed = facts.map((fact) => findLine(lines, "ok  ", fact));
    expect(passed).toEqual(facts.map((fact) => expect.stringContaining(fact)));
    const tip = repository.tip.slice(0, 12);
    expect(passed.at(-1)).toContain(tip);
    expect(wordsOf(passed, { [port]: "<port>", [tip]: "<commit>" })).toMatchSnapshot();
    expect(readdirSync(root).sort()).toEqual([...before, "hooklatch.toml"].sort());
  });

  test("checks the secrets of every kind of source without printing them", async () => {
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
      { HOOK: "0123456789abcdef0123456789", SAME: "a1b2c3d4e5f60718293a4b5c6d7e8f90" },
    );
    expect(exitCode).toBe(0);
    const warning = findLine(lines, "warn", "source signed");
    expect(warning).toContain("the admin listener");
    expect(warning).toMatchSnapshot();
    expect(lines.join("\n")).not.toMatch(/0123456789|a1b2c3d4/);
  });

  test.each([
    ["quotes", (secret: string) => `"${secret}"`, true],
    ["single quotes", (secret: string) => `'${secret}'`, true],
    ["white space, which is dropped", (secret: string) => ` ${secret}\n`, false],
  ])("shows whether a secret is in %s", async (_what, write, isWarned) => {
    const secret = randomBytes(32).toString("hex");
    const { exitCode, lines } = await check(SOURCE, { HOOK: write(secret) });
    expect(exitCode).toBe(0);
    expect(findLine(lines, "warn", "env:HOOK is in quotes") !== "").toBe(isWarned);
    expect(lines.join()).not.toContain(secret);
  });

  test.each(providers.map(({ name }) => name))("explains a payload for a source of %s", async (name) => {
    const issued = name === "stripe" || name === "slack" ? 'secrets = ["env:HOOK"]\n' : "";
    const source = `[[source]]\nname = "it"\nprovider = "${name}"\npath = "/in"\n${issued}`;
    writeFileSync(
      join(root, "hooklatch.toml"),
      `${source}[[target]]\nname = "job"\ndirectory = "."\nrun = ["true"]\n`,
    );
    writeFileSync(join(root, "x.json"), '{"type":"alert"}');
    const { exitCode, stdout, stderr } = await runHooklatch(
      "check --payload x.json --event alert --source it",
      {
        cwd: root,
        env: { HOOK: `whsec_${"a".repeat(32)}` },
      },
    );
    expect([exitCode, stderr]).toEqual([0, ""]);
    expect(stdout).toContain("target job: would be deployed");
  });

  test.each(["--event push", "--source github", "--header x-a:1"])(
    "exits with 2 for %s without a payload",
    async (option) => {
      const { exitCode, stdout, stderr } = await runHooklatch(`check ${option}`, { cwd: root });
      expect([exitCode, stdout]).toEqual([2, ""]);
      expect(stderr).toContain(`${option.split(" ")[0]} needs --payload`);
    },
  );

  test("exits with 1 when a check fails, and with 2 for an invalid configuration", async () => {
    const target = '[[target]]\nname = "blog"\ndirectory = "none"\nrun = ["true"]\n';
    const failed = await check(`${SOURCE}\n${target}`, { HOOK: randomBytes(32).toString("hex") });
    expect(failed.exitCode).toBe(1);
    const failure = findLine(failed.lines, "fail", join(root, "none"));
    expect(failure).toContain("target blog");
    const invalid = await check(`${SOURCE}\n${target}`);
    expect([invalid.exitCode, invalid.lines]).toEqual([2, []]);
    expect(invalid.stderr).toContain("HOOK");
    expect(wordsOf([failure, invalid.stderr.trimEnd()])).toMatchSnapshot();
    expect(readdirSync(root)).toEqual(["hooklatch.toml"]);
  });

  test.skipIf(!hasSshd)(
    "fails an SSH host with an unknown key, and accepts it once the key is known",
    async () => {
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
        expect(stranger.lines.at(-1)).toStartWith("fail target blog: ");
        // This is a message of ssh.
        expect(stranger.lines.at(-1)).toMatch(/host key/i);
        writeFileSync(join(root, "known_hosts"), `${sshd.line}\n`);
        const known = await check(configuration, env);
        expect(known.lines.at(-1)).toContain(repository.tip.slice(0, 12));
        expect(known.exitCode).toBe(0);
        chmodSync(join(root, "key"), 0o644);
        const readableKey = await check(configuration, env);
        expect(readableKey.exitCode).toBe(1);
        expect(readableKey.lines).toContainEqual(
          expect.stringContaining(`fail target blog: ssh_key ${join(root, "key")}`),
        );
      } finally {
        sshd.stop();
      }
    },
  );

  test("fails a worktree directory with files that are not from a checkout", async () => {
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
    expect(
      lines.filter((line) => line.startsWith("fail target blog: ") && line.includes(join(root, "site"))),
    ).toHaveLength(1);
  });
});
