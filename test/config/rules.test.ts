import { describe, expect, test } from "bun:test";
import { configOf, expectFindings, makeHome } from "./home.ts";

const home = makeHome();
const ENV = { GITHUB_WEBHOOK_SECRET: "0123456789abcdef", WEBHOOK_VERIFY_TOKEN: "0123456789abcdef" };

function load(settings: string, source = "") {
  home.write(
    "hooklatch.toml",
    `[[source]]
name = "github"
provider = "github"
path = "/github"
secrets = ["env:GITHUB_WEBHOOK_SECRET"]
${source}
[[target]]
name = "blog"
repository = "octocat/blog"
branch = "main"
directory = "/srv/blog"
${settings}`,
  );
  return home.load({ env: ENV });
}

describe("rules of a target", () => {
  test("are read", () => {
    const [target] = configOf(
      load(`events = ["push", "release.published", "Push Hook"]
when = 'payload.pusher.name != "renovate[bot]"'
payload_env = { VERSION = "payload.release.tag_name" }`),
    ).targets;
    expect(target).toMatchObject({
      events: ["push", "release.published", "Push Hook"],
      when: { text: 'payload.pusher.name != "renovate[bot]"', type: "bool" },
      payloadEnv: { VERSION: { text: "payload.release.tag_name", type: "dyn" } },
      catchUp: false,
    });
  });

  test("are absent by default, and without them missed pushes are caught up", () => {
    const [target] = configOf(load("")).targets;
    expect(target).toMatchObject({ events: null, when: null, payloadEnv: {}, catchUp: true });
    expect(configOf(load('events = ["push"]')).targets[0]).toMatchObject({ catchUp: true });
    expect(configOf(load('events = ["release"]')).targets[0]).toMatchObject({ catchUp: false });
    expect(configOf(load("when = 'true'\ncatch_up = false")).targets[0]).toMatchObject({ catchUp: false });
  });

  test("report the other faults of a table with an invalid name", () => {
    const loaded = load(`payload_env = { HOME = "payload.path", "A-B" = "payload.b", C = "unknown" }
env = { "D-E" = "1", HOOKLATCH_X = "", PATH = "~/bin", F = 1 }`);
    expectFindings(loaded, [
      ["hooklatch.toml: target[0].env.F"],
      ["hooklatch.toml: target[0].env.D-E"],
      ["hooklatch.toml: target[0].env.HOOKLATCH_X"],
      ["hooklatch.toml: target[0].payload_env.A-B"],
      ["hooklatch.toml: target[0].payload_env.HOME"],
      ["hooklatch.toml: target[0].payload_env.C", "unknown"],
      ["hooklatch.toml: target[0].env.PATH"],
    ]);
  });

  test("report every fault", () => {
    const loaded = load(`events = [" push", ""]
when = "payload.x +"
[target.payload_env]
A = "payload.s.matches('(')"
B = "[1, 2]"
C = "unknown"
PATH = "payload.path"
LD_PRELOAD = "payload.path"
NODE_OPTIONS = "payload.path"
GIT_SSH_COMMAND = "payload.path"
https_proxy = "payload.path"
`);
    expectFindings(loaded, [
      ["hooklatch.toml: target[0].events[0]"],
      ["hooklatch.toml: target[0].events[1]"],
      ["hooklatch.toml: target[0].when", "character 12"],
      ["hooklatch.toml: target[0].payload_env.A", "RE2"],
      ["hooklatch.toml: target[0].payload_env.B", "list"],
      ["hooklatch.toml: target[0].payload_env.C", "unknown"],
      ["hooklatch.toml: target[0].payload_env.PATH"],
      ["hooklatch.toml: target[0].payload_env.LD_PRELOAD"],
      ["hooklatch.toml: target[0].payload_env.NODE_OPTIONS"],
      ["hooklatch.toml: target[0].payload_env.GIT_SSH_COMMAND"],
      ["hooklatch.toml: target[0].payload_env.https_proxy"],
    ]);
  });

  test.each(
    `TAR_OPTIONS PYTHONHOME PYTHONSTARTUP PYTHONINSPECT PERL5DB RUBYSHELL LUA_INIT LUA_PATH _JAVA_OPTIONS MAVEN_OPTS
    GRADLE_OPTS SBT_OPTS MAKEFLAGS GNUMAKEFLAGS MAKEFILES CC CFLAGS RSYNC_RSH SVN_SSH HGRCPATH RUSTC_WRAPPER GOENV PHPRC
    COMPOSE_FILE DOTNET_STARTUP_HOOKS CORECLR_PROFILER_PATH OPENSSL_CONF GCONV_PATH CDPATH ZDOTDIR XDG_CONFIG_HOME VISUAL
    BROWSER MANPAGER LESSOPEN SUDO_ASKPASS GNUPGHOME KUBECONFIG PIP_INDEX_URL COREPACK_NPM_REGISTRY WGETRC SSL_CERT_FILE
    CURL_CA_BUNDLE R_PROFILE_USER ERL_FLAGS JULIA_LOAD_PATH TMP ftp_proxy`.split(/\s+/),
  )("do not let a payload set %s, with which it could run programs", (name) => {
    const loaded = load(`payload_env = { ${name} = "payload.a" }`);
    expect(loaded.kind === "invalid" && loaded.faults.map(({ path }) => path)).toEqual([
      `target[0].payload_env.${name}`,
    ]);
  });

  test.each([
    "VERSION",
    "TAG",
    "AUTHOR",
    "COMMIT_MESSAGE",
    "RELEASE_NAME",
    "BRANCH",
    "IMAGE",
    "PAYLOAD_PATH",
    "HOOK_CONFIG",
  ])("let a payload set %s", (name) => {
    expect(configOf(load(`payload_env = { ${name} = "payload.a" }`)).targets[0]?.payloadEnv).toHaveProperty(
      name,
    );
  });

  test("conflict with other keys", () => {
    const loaded = load(`when = "size(payload)"
catch_up = true
env = { A = "1" }
pass_env = ["B"]
payload_env = { A = "payload.a", B = "payload.b", HOOKLATCH_X = "payload.c" }
events = []`);
    expectFindings(loaded, [
      "hooklatch.toml: target[0].payload_env.HOOKLATCH_X",
      "hooklatch.toml: target[0].events",
      ["hooklatch.toml: target[0].when", "int"],
      ["hooklatch.toml: target[0].payload_env.A", '"env"'],
      ["hooklatch.toml: target[0].payload_env.B", '"pass_env"'],
      "hooklatch.toml: target[0].catch_up",
    ]);
  });
});

describe("wait_for_ci", () => {
  test("is read, and ends catching up", () => {
    const read = (settings: string) => configOf(load(settings)).targets[0];
    expect(read("")).toMatchObject({ waitForCi: null, catchUp: true });
    expect(read("wait_for_ci = false")).toMatchObject({ waitForCi: null, catchUp: true });
    expect(read("wait_for_ci = true")).toMatchObject({ waitForCi: { workflow: null }, catchUp: false });
    expect(read('wait_for_ci = "Build & test"\ncatch_up = false')).toMatchObject({
      waitForCi: { workflow: "Build & test" },
      catchUp: false,
    });
  });

  test("cannot be combined with events and catch_up", () => {
    expectFindings(load('wait_for_ci = true\nevents = ["push"]\ncatch_up = true'), [
      ["hooklatch.toml: target[0].events", "wait_for_ci"],
      ["hooklatch.toml: target[0].catch_up", '"wait_for_ci"'],
    ]);
  });

  test.each(["1", '""', '"a\\nb"', "[]"])("rejects %s", (value) => {
    expectFindings(load(`wait_for_ci = ${value}`), ["hooklatch.toml: target[0].wait_for_ci"]);
  });

  test("needs Bitbucket Cloud: Data Center does not report CI", () => {
    const forge = (baseUrl: string) =>
      load(
        `[[target]]
name = "docs"
source = "forge"
repository = "team/docs"
branch = "main"
directory = "/srv/docs"
wait_for_ci = true`,
        `[[source]]
name = "forge"
provider = "bitbucket"
path = "/forge"
secrets = ["env:GITHUB_WEBHOOK_SECRET"]
${baseUrl}`,
      );
    const fault = ["hooklatch.toml: target[1].wait_for_ci", '"bitbucket"'] as const;
    expectFindings(forge('base_url = "https://bitbucket.example.com"'), [
      ["hooklatch.toml: target[0].source", '"github"'],
      [...fault],
    ]);
    expectFindings(forge(""), [["hooklatch.toml: target[0].source", '"github"']]);
  });

  test("needs a repository, and a source that reports CI", () => {
    const hook = `[[source]]
name = "hook"
provider = "generic"
path = "/hook"
verify_token = "env:WEBHOOK_VERIFY_TOKEN"`;
    const loaded = load(
      `[[target]]
name = "docs"
source = "hook"
repository = "octocat/docs"
branch = "main"
clone_url = "/srv/docs.git"
directory = "/srv/docs"
wait_for_ci = true
[[target]]
name = "job"
source = "hook"
directory = "/srv/job"
run = ["true"]
wait_for_ci = true`,
      hook,
    );
    expectFindings(loaded, [
      ["hooklatch.toml: target[1].wait_for_ci", '"generic"', '"github"', '"bitbucket"'],
      ["hooklatch.toml: target[2].wait_for_ci", '"repository"'],
    ]);
  });
});

describe("keep_headers", () => {
  test("is read in lower case, each once", () => {
    const { sources } = configOf(
      load("", 'keep_headers = ["X-Tenant", "x-tenant", "X-Design-Id", "x-keyboard"]'),
    );
    expect(sources[0]?.keepHeaders).toEqual(["x-tenant", "x-design-id", "x-keyboard"]);
  });

  test.each([
    "Authorization",
    "proxy-authorization",
    "Cookie",
    "x-hub-signature-256",
    "X-Hub-Signature",
    "X-Gitlab-Token",
    "x-api-key",
    "stripe-signature",
    "X-Secret",
    "x-amz-security-token",
    "x_auth",
  ])("rejects %s", (name) => {
    expectFindings(load("", `keep_headers = ["${name}"]`), ["hooklatch.toml: source[0].keep_headers[0]"]);
  });

  test("rejects the header that the source's provider reads a signature from, and malformed names", () => {
    home.write(
      "hooklatch.toml",
      `[[source]]
name = "shop"
provider = "generic"
path = "/shop"
keep_headers = ["X-Shop", "a b", "x-ok"]
hmac = { header = "x-shop", secrets = ["env:GITHUB_WEBHOOK_SECRET"] }`,
    );
    const loaded = home.load({ env: ENV });
    expectFindings(loaded, ["hooklatch.toml: source[0].keep_headers[1]"]);
    home.write(
      "hooklatch.toml",
      `[[source]]
name = "shop"
provider = "generic"
path = "/shop"
keep_headers = ["X-Shop", "x-ok"]
hmac = { header = "x-shop", secrets = ["env:GITHUB_WEBHOOK_SECRET"] }`,
    );
    expectFindings(home.load({ env: ENV }), ["hooklatch.toml: source[0].keep_headers[0]"]);
  });

  test("rejects the header that the source reads a token from, and accepts an idempotency key", () => {
    home.write(
      "hooklatch.toml",
      `[[source]]
name = "shop"
provider = "generic"
path = "/shop"
keep_headers = ["idempotency-key", "x-shop"]
header = { name = "X-Shop", tokens = ["env:GITHUB_WEBHOOK_SECRET"] }`,
    );
    expectFindings(home.load({ env: ENV }), ["hooklatch.toml: source[0].keep_headers[1]"]);
  });
});

test.each(["stripe", "slack"])(
  "a missing secret that %s issues is reported with where it is shown",
  (provider) => {
    home.write(
      "hooklatch.toml",
      `[[source]]\nname = "hook"\nprovider = "${provider}"\npath = "/hook"\nsecrets = ["env:NOBODY_SETS_THIS"]`,
    );
    expectFindings(home.load({ env: ENV }), [["hooklatch.toml: source[0].secrets[0]", "shows it as"]]);
    home.write("hooklatch.toml", `[[source]]\nname = "in"\nprovider = "${provider}"\npath = "/in"\n`);
    expectFindings(home.load({ env: ENV }), [
      ["hooklatch.toml: source[0].secrets", "is missing", "shows it as"],
    ]);
  },
);

describe("answers", () => {
  const answer = (keys: string) => {
    home.write(
      "hooklatch.toml",
      `[[source]]
name = "shop"
provider = "generic"
path = "/shop"
bearer = ["env:GITHUB_WEBHOOK_SECRET"]
${keys}`,
    );
    return home.load({ env: ENV });
  };

  test("are read", () => {
    const read = (keys: string) => configOf(answer(keys)).sources[0]?.answer;
    expect(read("")).toEqual({ kind: "receipt" });
    expect(read('wait = "25s"')).toEqual({ kind: "wait", milliseconds: 25_000 });
    expect(read("response = {}")).toEqual({ kind: "fixed", status: 200, headers: {}, body: "" });
    expect(read('response = { status = 202, headers = { X-Ok = "1" }, body = "ok" }')).toEqual({
      kind: "fixed",
      status: 202,
      headers: { "X-Ok": "1" },
      body: "ok",
    });
  });

  test("report their faults", () => {
    expectFindings(answer('wait = "56s"'), ["hooklatch.toml: source[0].wait"]);
    expectFindings(answer('wait = "5s"\nresponse = { body = "x" }'), ["hooklatch.toml: source[0].response"]);
    expectFindings(answer("response = { status = 301 }"), ["hooklatch.toml: source[0].response.status"]);
    expectFindings(answer('response = { status = 204, body = "x" }'), [
      "hooklatch.toml: source[0].response.body",
    ]);
    expectFindings(answer('response = { headers = { Content-Length = "1", "a b" = "1" } }'), [
      'hooklatch.toml: source[0].response.headers."a b"',
    ]);
    expectFindings(answer('response = { headers = { Content-Length = "1", x = "a\\r\\nb: c" } }'), [
      "hooklatch.toml: source[0].response.headers.x",
    ]);
    expectFindings(answer('response = { headers = { Content-Length = "1", set-cookie = "a" } }'), [
      "hooklatch.toml: source[0].response.headers.Content-Length",
      "hooklatch.toml: source[0].response.headers.set-cookie",
    ]);
    expectFindings(load("", 'wait = "5s"\nresponse = {}'), [
      "hooklatch.toml: source[0].wait",
      "hooklatch.toml: source[0].response",
      "hooklatch.toml: source[0].response",
    ]);
  });
});

describe("hosts and rollout", () => {
  test("need a shared store", () => {
    expectFindings(load('hosts = ["web-1"]\nrollout = "one-by-one"'), [
      ["hooklatch.toml: target[0].hosts", "[store] url"],
      ["hooklatch.toml: target[0].rollout", "[store] url"],
    ]);
  });

  test("are names, each once, and a known word", () => {
    for (const hosts of ["[]", '["web-1", "web-1"]', '["a b"]', '"web-1"']) {
      const loaded = load(`hosts = ${hosts}\nrollout = "slowly"`);
      const faults = loaded.kind === "invalid" ? loaded.faults : [];
      expect(faults.map(({ message }) => message)).toMatchSnapshot();
      expect(faults.map(({ path }) => path.replace(/\[\d\]$/, "")).slice(0, 2)).toEqual([
        "target[0].hosts",
        "target[0].rollout",
      ]);
    }
  });
});
