import { describe, expect, test } from "bun:test";
import type { Target } from "../../src/domain/target.ts";
import { configOf, linesOf, makeHome } from "./home.ts";

const TOKEN = "ghp_correcthorsebatterystaple";
const home = makeHome();

/** Writes a configuration with one target, which has these keys too. */
function write(keys: string, source = "github"): void {
  home.write(
    "etc/hooklatch.toml",
    `[[target]]
    name = "blog"
    source = "${source}"
    repository = "octocat/blog"
    branch = "main"
    directory = "/srv/blog"
    ${keys}`,
  );
}

const load = () => home.load({ file: "etc/hooklatch.toml", env: { TOKEN } });

/** The target with these keys, and what was warned of, without the place that all have. */
function read(keys: string, source?: string): { target: Target; warnings: readonly string[] } {
  write(keys, source);
  const [target] = configOf(load()).targets;
  if (target === undefined) throw new Error("the configuration has no target");
  const warnings = linesOf(load()).map((line) => line.replace("etc/hooklatch.toml: target[0].", ""));
  return { target, warnings };
}

describe("the way to a private repository", () => {
  test("is by ssh with files whose paths start where the configuration is, and that need not be there", () => {
    const { target, warnings } = read(
      'clone_url = "git@github.com:octocat/blog.git"\nssh_key = "../deploy key"\nknown_hosts = "/etc/known_hosts"',
    );
    expect(target.access).toEqual({
      sshKey: home.path("deploy key"),
      knownHosts: "/etc/known_hosts",
      token: null,
    });
    expect(warnings).toEqual([]);
  });

  test("is by https with a token, also to the address that the provider tells", () => {
    const { target, warnings } = read('token = "env:TOKEN"');
    expect(target.access).toMatchObject({ sshKey: null, knownHosts: null });
    expect(target.access.token?.reveal()).toBe(TOKEN);
    expect(warnings).toEqual([]);
  });

  test("warns of a token that is written out, without repeating it", () => {
    const { target, warnings } = read(`token = "${TOKEN}"`);
    expect(target.access.token?.reveal()).toBe(TOKEN);
    expect(warnings).toEqual([
      'token: the secret is written out here, for every reader of this file: better "file:PATH" or "env:NAME"',
    ]);
    expect(JSON.stringify(target)).not.toContain(TOKEN);
  });

  test("warns of files for ssh where nothing goes by ssh", () => {
    const reason =
      'is for ssh only, but "clone_url" is no address for ssh, such as "git@github.com:octocat/blog.git"';
    expect(read('ssh_key = "key"\nknown_hosts = "hosts"').warnings).toEqual([
      `ssh_key: ${reason}`,
      `known_hosts: ${reason}`,
    ]);
  });
});

describe("the files that a target is about", () => {
  test.each([
    "docs",
    "docs/",
    "docs/**",
    "**/*.md",
    "**",
    "src/[a-z]*.ts",
    "-rf",
    "a b/é?",
    ".github/..x",
    "\\\\!odd",
  ])("may be told by %p, which stays as it is", (glob) => {
    const { target } = read(`paths = ["${glob}"]\nignore_paths = ["*.txt", "${glob}"]`);
    const [written] = target.paths;
    expect(JSON.stringify(written)).toBe(`"${glob}"`);
    expect(target.ignorePaths).toEqual(["*.txt", String(written)]);
  });
});

describe("verify_commit", () => {
  test("needs a file of signers, whose path starts where the configuration is", () => {
    const { target, warnings } = read('verify_commit = true\nallowed_signers = "signers"');
    expect(target.allowedSigners).toBe(home.path("etc/signers"));
    expect(warnings).toEqual([]);
  });

  test("that is false verifies nothing, and says so where signers are named", () => {
    expect(read("verify_commit = false")).toMatchObject({ target: { allowedSigners: null }, warnings: [] });
    expect(read('verify_commit = false\nallowed_signers = "signers"')).toMatchObject({
      target: { allowedSigners: null },
      warnings: ["allowed_signers: has no effect, as verify_commit is false"],
    });
  });
});

describe("commit statuses", () => {
  test("go to GitHub where nothing else is said", () => {
    const { target, warnings } = read('status_token = "env:TOKEN"');
    expect(target.commitStatus?.apiUrl).toBe("https://api.github.com");
    expect(target.commitStatus?.token.reveal()).toBe(TOKEN);
    expect(warnings).toEqual([]);
  });

  test.each([
    ["https://forge.example.com/api/v3/", "https://forge.example.com/api/v3"],
    ["http://127.0.0.1:3000", "http://127.0.0.1:3000"],
    ["http://[::1]:3000/api", "http://[::1]:3000/api"],
    ["http://localhost/", "http://localhost"],
  ])("go to %p without a warning", (url, apiUrl) => {
    const { target, warnings } = read(
      `clone_url = "blog.git"\nstatus_token = "env:TOKEN"\nstatus_url = "${url}"`,
      "webhook",
    );
    expect(target.commitStatus?.apiUrl).toBe(apiUrl);
    expect(warnings).toEqual([]);
  });

  test.each(["http://forge.example.com", "http://10.0.0.1:3000", "http://localhost.example.com"])(
    "go to %p with a warning that the token can be read",
    (url) => {
      const { target, warnings } = read(`status_token = "env:TOKEN"\nstatus_url = "${url}"`);
      expect(target.commitStatus?.apiUrl).toBe(url);
      expect(warnings).toEqual([
        "status_url: is an http URL: everybody on the way can read what is sent; better https",
      ]);
    },
  );
});
