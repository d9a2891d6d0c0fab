import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { execFileSync } from "node:child_process";
import { credentialEnvironment } from "../../src/deploy/git/credentials.ts";
import type { RepositoryAccess, Target } from "../../src/domain/target.ts";
import { Secret } from "../../src/lib/secret.ts";
import { loadSecret } from "../providers/load-secret.ts";
import { GIT_ENV } from "../support/git.ts";
import { targetOf } from "../support/target.ts";

setDefaultTimeout(120_000);

const environmentOf = (target: Target) => credentialEnvironment(target, target.env);

const HTTPS = "https://git.example.com/octocat/blog.git";
const SSH = "git@git.example.com:octocat/blog.git";

function target(cloneUrl: string, access: Partial<RepositoryAccess>, settings: Partial<Target> = {}): Target {
  const repository = {
    fullName: "octocat/blog",
    ref: { kind: "branch", name: "main" } as const,
    cloneUrl,
    depth: null,
  };
  const full = { sshKey: null, knownHosts: null, token: null, ...access };
  return targetOf("blog", { repository, access: full, ...settings });
}

/** Returns the value that git reads from the variables for one URL (git-config(1), --get-urlmatch). */
function settingFor(env: Record<string, string>, key: string, url: string): string | null {
  try {
    const options = { env: { PATH: process.env.PATH, ...GIT_ENV, ...env }, encoding: "utf8" } as const;
    return execFileSync("git", ["config", "--get-urlmatch", key, url], options).trimEnd();
  } catch {
    return null;
  }
}

/** Returns the options that ssh derives from the command (ssh(1), -G). */
function sshOptions({ GIT_SSH_COMMAND }: Record<string, string>): readonly string[] {
  const options = { encoding: "utf8", stdio: "pipe" } as const;
  return execFileSync("/bin/sh", ["-c", `${GIT_SSH_COMMAND} -G example.com`], options).split("\n");
}

describe("repository access over SSH", () => {
  test("offers only the configured key, trusts only the configured file and never prompts", () => {
    const env = environmentOf(target(SSH, { sshKey: "/keys/deploy", knownHosts: "/keys/hosts" }));
    expect(Object.keys(env)).toEqual(["GIT_SSH_COMMAND"]);
    expect(sshOptions(env)).toEqual(
      expect.arrayContaining([
        "batchmode yes",
        "stricthostkeychecking true",
        "identitiesonly yes",
        "identityfile /keys/deploy",
        "userknownhostsfile /keys/hosts",
        "globalknownhostsfile /dev/null",
      ]),
    );
  });

  test("passes paths with special characters unchanged", () => {
    const path = `/a b/it's "50%" $HOME \\`;
    const lines = sshOptions(environmentOf(target(SSH, { sshKey: path, knownHosts: path })));
    expect(lines).toContain(`userknownhostsfile ${path}`);
    expect(lines).toContain(`identityfile ${path.replace("%", "%%")}`);
  });

  test("checks host keys strictly by default", () => {
    const lines = sshOptions(environmentOf(target(SSH, {})));
    expect(lines).toContain("stricthostkeychecking true");
    expect(lines).toContain("identitiesonly no");
  });

  test("keeps the target's own SSH command unless a key is configured", () => {
    const own = { env: { GIT_SSH_COMMAND: "my-ssh" } };
    expect(environmentOf(target(SSH, {}, own))).toEqual({});
    expect(environmentOf(target(SSH, {}, { passEnv: ["GIT_SSH"] }))).toEqual({});
    expect(environmentOf(target(SSH, { sshKey: "/key" }, own)).GIT_SSH_COMMAND).toContain("/key");
  });
});

describe("repository access with a token", () => {
  const token = loadSecret("s3cret-token");
  const header = `Authorization: Basic ${btoa("x-access-token:s3cret-token")}`;

  test("sends the token only to the origin of the clone URL", () => {
    const env = environmentOf(target(HTTPS, { token }));
    const of = (url: string) => settingFor(env, "http.extraHeader", url);
    expect(of(HTTPS)).toBe(header);
    expect(of("https://git.example.com/other/place.git")).toBe(header);
    for (const other of [
      "http://git.example.com/octocat/blog.git",
      "https://git.example.com:8443/octocat/blog.git",
      "https://git.example.com.evil.example/octocat/blog.git",
      "https://evil.example/git.example.com/blog.git",
      "https://sub.git.example.com/octocat/blog.git",
    ]) {
      expect(of(other)).toBeNull();
    }
    expect(settingFor(env, "http.followRedirects", HTTPS)).toBe("false");
  });

  test("treats the port as part of the origin", () => {
    const env = environmentOf(target("https://git.example.com:8443/blog.git", { token }));
    const of = (url: string) => settingFor(env, "http.extraHeader", url);
    expect(of("https://git.example.com:8443/blog.git")).toBe(header);
    expect(of("https://git.example.com/blog.git")).toBeNull();
  });

  test("appends to the git settings in the environment", () => {
    const own = { GIT_CONFIG_COUNT: "1", GIT_CONFIG_KEY_0: "http.proxy", GIT_CONFIG_VALUE_0: "proxy:1" };
    const withToken = target(HTTPS, { token }, { env: own });
    for (const env of [environmentOf(withToken), credentialEnvironment(target(HTTPS, { token }), own)]) {
      expect(settingFor({ ...own, ...env }, "http.proxy", HTTPS)).toBe("proxy:1");
      expect(settingFor({ ...own, ...env }, "http.extraHeader", HTTPS)).toBe(header);
    }
  });

  test("sends no token in clear text, over another transport, or when it is not loaded", () => {
    const variablesFor = (cloneUrl: string, secret = token) =>
      Object.keys(environmentOf(target(cloneUrl, { token: secret }))).filter(
        (name) => name !== "GIT_SSH_COMMAND",
      );
    for (const url of [HTTPS.replace("https", "http"), SSH, "/srv/blog.git", "file:///srv/blog.git"]) {
      expect(variablesFor(url)).toEqual([]);
    }
    expect(variablesFor(HTTPS, new Secret({ kind: "env", name: "NOT_THERE" }))).toEqual([]);
  });
});

test("sets no variables for a target without a repository", () => {
  expect(environmentOf(targetOf("blog", { repository: null }))).toEqual({});
});
