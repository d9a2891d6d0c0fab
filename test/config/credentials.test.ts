import { describe, expect, test } from "bun:test";
import type { Target } from "../../src/domain/target.ts";
import { configOf, type ExpectedFinding, expectFindings, makeHome } from "./home.ts";

const TOKEN = "ghp_correcthorsebatterystaple";
const home = makeHome();

/** Writes a configuration with one target that has these additional keys. */
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

/** Loads the target with these additional keys. */
function read(keys: string, source?: string): Target {
  write(keys, source);
  const [target] = configOf(load()).targets;
  if (target === undefined) throw new Error("the configuration has no target");
  return target;
}

/** Asserts the warnings of the target that `read` loaded last; each names the key first. */
function expectWarnings(...warnings: readonly (readonly [key: string, ...mentions: string[]])[]): void {
  const expected = warnings.map(
    ([key, ...mentions]): ExpectedFinding => [`etc/hooklatch.toml: target[0].${key}`, ...mentions],
  );
  expectFindings(load(), expected);
}

/** Asserts that the target that `read` loaded last has no warnings. */
function expectNoWarnings(): void {
  expect(load()).toMatchObject({ kind: "loaded", warnings: [] });
}

describe("access to a private repository", () => {
  test("SSH files are relative to the configuration file and need not exist", () => {
    const target = read(
      'clone_url = "git@github.com:octocat/blog.git"\nssh_key = "../deploy key"\nknown_hosts = "/etc/known_hosts"',
    );
    expect(target.access).toEqual({
      sshKey: home.path("deploy key"),
      knownHosts: "/etc/known_hosts",
      token: null,
    });
    expectNoWarnings();
  });

  test("a token works with the HTTPS address that the provider derives", () => {
    const target = read('token = "env:TOKEN"');
    expect(target.access).toMatchObject({ sshKey: null, knownHosts: null });
    expect(target.access.token?.reveal()).toBe(TOKEN);
    expectNoWarnings();
  });

  test("a literal token causes a warning that does not repeat it", () => {
    const target = read(`token = "${TOKEN}"`);
    expect(target.access.token?.reveal()).toBe(TOKEN);
    expectWarnings(["token", "file:", "env:"]);
    expect(JSON.stringify([target, load()])).not.toContain(TOKEN);
  });

  test("SSH files without an SSH address cause warnings", () => {
    read('ssh_key = "key"\nknown_hosts = "hosts"');
    expectWarnings(["ssh_key", "clone_url"], ["known_hosts", "clone_url"]);
  });
});

describe("paths and ignore_paths", () => {
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
  ])("accept the glob %p unchanged", (glob) => {
    const target = read(`paths = ["${glob}"]\nignore_paths = ["*.txt", "${glob}"]`);
    const [written] = target.paths;
    expect(JSON.stringify(written)).toBe(`"${glob}"`);
    expect(target.ignorePaths).toEqual(["*.txt", String(written)]);
  });
});

describe("verify_commit", () => {
  test("uses a file of signers that is relative to the configuration file", () => {
    const target = read('verify_commit = true\nallowed_signers = "signers"');
    expect(target.allowedSigners).toBe(home.path("etc/signers"));
    expectNoWarnings();
  });

  test("warns that allowed_signers has no effect when it is false", () => {
    expect(read("verify_commit = false").allowedSigners).toBeNull();
    expectNoWarnings();
    expect(read('verify_commit = false\nallowed_signers = "signers"').allowedSigners).toBeNull();
    expectWarnings(["allowed_signers", "verify_commit"]);
  });
});

describe("commit statuses", () => {
  test("go to GitHub by default", () => {
    const target = read('status_token = "env:TOKEN"');
    expect(target.commitStatus?.apiUrl).toBe("https://api.github.com");
    expect(target.commitStatus?.token.reveal()).toBe(TOKEN);
    expectNoWarnings();
  });

  test.each([
    ["https://forge.example.com/api/v3/", "https://forge.example.com/api/v3"],
    ["http://127.0.0.1:3000", "http://127.0.0.1:3000"],
    ["http://[::1]:3000/api", "http://[::1]:3000/api"],
    ["http://localhost/", "http://localhost"],
  ])("go to %p without a warning", (url, apiUrl) => {
    const target = read(
      `clone_url = "blog.git"\nstatus_token = "env:TOKEN"\nstatus_url = "${url}"`,
      "webhook",
    );
    expect(target.commitStatus?.apiUrl).toBe(apiUrl);
    expectNoWarnings();
  });

  test.each(["http://forge.example.com", "http://10.0.0.1:3000", "http://localhost.example.com"])(
    "go to %p with a warning about plain HTTP",
    (url) => {
      const target = read(`status_token = "env:TOKEN"\nstatus_url = "${url}"`);
      expect(target.commitStatus?.apiUrl).toBe(url);
      expectWarnings(["status_url"]);
    },
  );
});
