import { describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { loadConfig } from "../../src/config/load.ts";
import { linesOf } from "./home.ts";
import { lists } from "./lists.ts";

const FIXTURES = join(import.meta.dirname, "../fixtures/config");
const ENV = {
  TOKEN: "0123456789abcdef",
  SET_TO_NOTHING: "",
  HOOKLATCH_ADMIN_TOKEN: "0123456789abcdef",
  GITHUB_WEBHOOK_SECRET: "0123456789abcdef",
  WEBHOOK_VERIFY_TOKEN: "0123456789abcdef",
  HOOKLATCH_DATA_DIR: "/var/lib/hooklatch",
};

/** Each file of the fixtures that has faults, what they are, and every line that is told of them. */
const FAULTY: readonly { file: string; what: string; lines: readonly string[] }[] = [
  {
    file: "brackets.toml",
    what: "a single source in single brackets, with nothing said about what follows from it",
    lines: ["source: expected tables, each under its own [[source]], found a table"],
  },
  {
    file: "candidates.toml",
    what: "targets that several sources fit",
    lines: [
      'target[0].source: expected the name of a source, because several fit ("one", "two"), found nothing',
      'target[1].source: expected the name of a source, because several fit ("one", "two", "three"), found nothing',
    ],
  },
  {
    file: "clone-urls.toml",
    what: "addresses that git must not clone from",
    lines: [
      "target[0].clone_url: expected a URL without a password or token: give git a credential helper, or use an SSH deploy key",
      "target[1].clone_url: expected a URL without a password or token: give git a credential helper, or use an SSH deploy key",
      'target[2].clone_url: expected an address without a "transport::" before it',
      'target[3].clone_url: expected an address without control characters and without "-" at its start',
      "target[4].clone_url: expected an https, http, ssh, git or file URL",
    ],
  },
  {
    file: "kinds.toml",
    what: "values of another kind",
    lines: [
      'store-of-another-kind: unknown key "store-of-another-kind": the known keys are data_dir, server, admin, store, source, target',
      "data_dir: expected a path, found 7",
      'server.host: expected an address such as "127.0.0.1" or "::1", without a port, found true',
      'server.port: expected a port number from 0 to 65535, found "9000"',
      'server.max_body: expected a size such as "512KiB" or "25MiB", found 26214400',
      'server.trusted_proxies: expected a list of IP addresses and ranges, found "10.0.0.0/8"',
      'server.shutdown_grace: expected a duration such as "90s", "10m" or "24h", found a date',
      "store: expected a table, found a string",
    ],
  },
  {
    file: "many.toml",
    what: "many faults at once",
    lines: [
      'data-dir: unknown key "data-dir": did you mean "data_dir"?',
      'server.port: expected a port number from 0 to 65535, found "9000"',
      'source[0].path: expected a path such as "/github-webhook", of letters, digits and "._~-", without a slash at its end, found "github-webhook"',
      'source[0].provider: expected one of "github", "generic", found "githup"',
      'target[0].brnach: unknown key "brnach": did you mean "branch"?',
      'target[0].timeout: expected a duration such as "90s", "10m" or "24h", found 10',
      'target[1].repository: expected a repository as "owner/name", without ".git", found "octocat"',
      "target[1].keep_releases: expected a whole number from 1, found 0",
      'target[0]: expected one of "branch" and "tag" beside "repository", found neither',
      `target[1].directory: expected a directory outside of other targets', found "/srv/blog/docs", inside that of target[0]`,
    ],
  },
  {
    file: "ports.toml",
    what: "two listeners on one port",
    lines: ["admin.port: expected another port than the public listener's, found 9001"],
  },
  {
    file: "refs.toml",
    what: "branches and tags that cannot be",
    lines: [
      'target[0].branch: expected the name of a branch, found "refs/heads/main": write "main"',
      'target[1].branch: expected the name of a branch, found "--upload-pack=x": git would take it for an option',
      'target[2].branch: expected the name of a branch, found "feature..x": git allows no such name (see git-check-ref-format)',
      'target[3].tag: expected a tag or a pattern such as "v*", found "refs/tags/v*": write "v*"',
      'target[4].tag: expected a tag or a pattern such as "v*", found "v[0-9]": git allows no such name (see git-check-ref-format)',
    ],
  },
  {
    file: "repository.toml",
    what: "repositories without a branch, branches without a repository",
    lines: [
      'target[3].repository: expected a repository as "owner/name", without ".git", found "https://github.com/octocat/url"',
      'target[4].repository: expected a repository as "owner/name", without ".git", found "octocat/suffix.git"',
      'target[0]: expected one of "branch" and "tag" beside "repository", found neither',
      'target[1]: expected one of "branch" and "tag" beside "repository", found both',
      'target[2].source: expected the name of a source, because several fit ("github", "webhook"), found nothing',
      'target[2].branch: expected "repository" beside it, found none',
      'target[2].clone_url: expected "repository" beside it, found none',
      'target[2].layout: expected "repository" beside it, found none',
      'target[2].shared: expected "repository" beside it, found none',
      'target[2].keep_releases: expected "repository" beside it, found none',
      'target[2].catch_up: expected "repository" beside it, found none',
      'target[2].run: expected at least one command, as there is no "repository" to deploy, found none',
      'target[5].clone_url: expected an address to clone from, which provider "generic" does not tell, found nothing',
    ],
  },
  {
    file: "secrets.toml",
    what: "secrets of another kind, empty, missing or unreadable ones",
    lines: [
      'admin.token: expected a secret written as "env:NAME", "file:PATH" or "credential:NAME", found a number',
      "source[0].secrets: expected a list of secrets, found a string",
      "source[1].secrets: expected a list of secrets, found an empty list",
      'source[2].verify_token: expected a secret written as "env:NAME", "file:PATH" or "credential:NAME", found an empty string',
      "source[3].secrets[0]: the environment variable NOBODY_SETS_THIS is not set",
      "source[3].secrets[1]: the secret env:SET_TO_NOTHING is empty",
      'source[3].secrets[2]: expected "env:NAME" with the name of an environment variable',
      "source[3].secrets[3]: file:not-there.secret does not exist",
      'source[3].secrets[4]: expected "file:PATH", found no path',
      "source[3].secrets[5]: file:. is not a regular file",
      "source[3].secrets[6]: credential:hook needs $CREDENTIALS_DIRECTORY, which systemd sets for LoadCredential=",
      'source[3].secrets[7]: expected "credential:NAME" with the name of a file',
    ],
  },
  {
    file: "server.toml",
    what: "addresses, sizes and times that cannot be",
    lines: [
      "server.port: expected a port number from 0 to 65535, found 65536",
      'server.max_body: expected a size such as "512KiB" or "25MiB", found "25MB"',
      "server.shutdown_grace: expected a duration of at most 24d, found 30d",
      'server.host: expected an address such as "127.0.0.1" or "::1", without a port, found "0.0.0.0:9000"',
      'server.trusted_proxies[1]: expected an IP address or a range such as "10.0.0.0/8", found "10.0.0.0/33"',
      'server.trusted_proxies[2]: expected an IP address or a range such as "10.0.0.0/8", found "10.1"',
      'server.trusted_proxies[4]: expected an IP address or a range such as "10.0.0.0/8", found "proxy.example.com"',
      'server.public_url: expected a URL such as "https://hooks.example.com", without user, password, query or fragment',
    ],
  },
  {
    file: "sources.toml",
    what: "sources that cannot be",
    lines: [
      'source[0].name: expected a name of at most 64 letters, digits and "._-" that starts with a letter or digit, found nothing',
      'source[0].signing_key: unknown key "signing_key": the known keys are name, provider, path, print, on_redelivery, secrets, verify_token, client_timeout',
      'source[0].provider: expected one of "github", "generic", found "gitlab"',
      'source[1].verify_token: unknown key "verify_token": it is for provider "generic", not for "github"',
      'source[1].name: expected a name of at most 64 letters, digits and "._-" that starts with a letter or digit, found "hook one"',
      'source[1].path: expected a path such as "/github-webhook", of letters, digits and "._~-", without a slash at its end, found "webhook/"',
      'source[2].print: expected true or false, found "yes"',
      'source[2].on_redelivery: expected "run" or "skip", found "ignore"',
      `source[2].path: expected another path than the server's own, found "/healthz"`,
      'source[2].client_timeout: expected a duration such as "90s", "10m" or "24h", found 24',
    ],
  },
  {
    file: "syntax.toml",
    what: "what is not TOML, with its line and column",
    lines: ["line 2, column 38: not TOML: control characters are not allowed in strings"],
  },
  {
    file: "targets.toml",
    what: "targets that cannot be",
    lines: [
      'target[0].name: expected a name of at most 64 letters, digits and "._-" that starts with a letter or digit, found "-rf"',
      'target[0].directory: expected a path, found ""',
      "target[0].run[0]: expected a command: a string for /bin/sh, or an array of strings that no shell sees, found an empty string",
      "target[0].run[2]: expected a command: a string for /bin/sh, or an array of strings that no shell sees, found an empty list",
      "target[0].run[4]: expected a command: a string for /bin/sh, or an array of strings that no shell sees, found a number",
      "target[0].run[5]: expected a command: a string for /bin/sh, or an array of strings that no shell sees, found a string",
      "target[0].after: expected a list of commands, found a string",
      "target[0].env.PORT: expected a string, found a number",
      `target[0].env.1ST: expected the name of an environment variable, other than hooklatch's own HOOKLATCH_…, found "1ST"`,
      `target[0].pass_env[0]: expected the name of an environment variable, other than hooklatch's own HOOKLATCH_…, found "HOOKLATCH_ADMIN_TOKEN"`,
      `target[0].pass_env[1]: expected the name of an environment variable, other than hooklatch's own HOOKLATCH_…, found "SSH AUTH SOCK"`,
      'target[0].shared[0]: expected a relative path inside the release, such as "uploads", without "." or "..", outside ".git", found "/var/uploads"',
      'target[0].shared[1]: expected a relative path inside the release, such as "uploads", without "." or "..", outside ".git", found "../uploads"',
      'target[0].shared[2]: expected a relative path inside the release, such as "uploads", without "." or "..", outside ".git", found "uploads/"',
      'target[0].shared[3]: expected a relative path inside the release, such as "uploads", without "." or "..", outside ".git", found ".git/hooks"',
      'target[0].shared[4]: expected a relative path inside the release, such as "uploads", without "." or "..", outside ".git", found ""',
      'target[0].shared[5]: expected a relative path inside the release, such as "uploads", without "." or "..", outside ".git", found "a/./b"',
      "target[0].keep_releases: expected a whole number from 1, found 0",
      'target[0].timeout: expected a duration such as "90s", "10m" or "24h", found "10 minutes"',
      'target[0].health.url: expected a URL such as "http://127.0.0.1:8080/health", found a string',
      'target[0].health.within: expected a duration such as "90s", "10m" or "24h", found "1h30m"',
      'target[0].catch_up: expected true or false, found "no"',
      'target[0].source: expected one of the sources "github", "webhook", found "gitub"',
      'target[0].layout: expected one of "releases", "worktree", found "release"',
      `target[1].directory: expected a directory of the target's own, found "/"`,
      "target[1].run[0]: expected a program as the first of a list, found an empty string",
      'target[1].shared[1]: expected a path outside of the other shared ones, found "uploads/big", which "uploads" has in it',
      'target[1].shared[2]: expected a path outside of the other shared ones, found "uploads", which "uploads" has in it',
      "target[1].health.url: expected an http or https URL without user and password",
      "target[1].health.within: expected a duration of at most 24d, found 30d",
      "target[1].timeout: expected a duration of at most 24d, found 25d",
      'target[2].directory: expected a directory apart from the data directory, found "/var/lib", which has "/var/lib/hooklatch" in it',
      'target[3].run: expected at least one command, as there is no "repository" to deploy, found none',
    ],
  },
  {
    file: "twins.toml",
    what: "two of a name, a path or a directory",
    lines: [
      'source[1].name: expected a name that no other source has, found "Hook", which source[0] has',
      'source[1].path: expected a path that no other source has, found "/hook", which source[0] has',
      'target[1].name: expected a name that no other target has, found "blog", which target[0] has',
      'target[1].directory: expected a directory that no other target has, found "/srv/blog", which target[0] has',
      `target[2].directory: expected a directory outside of other targets', found "/srv/blog/docs", inside that of target[0]`,
    ],
  },
  {
    file: "unknown-keys.toml",
    what: "unknown keys, with the nearest known one",
    lines: [
      'colour: unknown key "colour": the known keys are data_dir, server, admin, store, source, target',
      'sources: unknown key "sources": did you mean "source"?',
      'server.prot: unknown key "prot": did you mean "port"?',
      "server.tls.cert: expected a path, found nothing",
      'server.tls.certificate: unknown key "certificate": the known keys are cert, key',
    ],
  },
];

describe("a faulty configuration is refused with every fault it has", () => {
  test.each(FAULTY)("$file: $what", ({ file, lines }) => {
    const loaded = loadConfig(file, { env: ENV, cwd: FIXTURES }, lists);
    expect(linesOf(loaded)).toEqual(lines.map((line) => `${file}: ${line}`));
    expect(loaded).toMatchObject({ ok: false, file: join(FIXTURES, file) });
    expect(JSON.stringify(loaded)).not.toMatch(/correct|horse|battery/);
  });

  test("for every fixture but the manual's example", () => {
    expect(readdirSync(FIXTURES).sort()).toEqual(["contract.toml", ...FAULTY.map(({ file }) => file)].sort());
  });
});
