import { describe, expect, test } from "bun:test";
import { verifyArgon2id } from "../../src/runtime/index.ts";
import { hook, match, NEW_TOKEN, translateHooks } from "./translate-hooks.ts";

const signature = (type: string, header: string, secret = "a secret of the tests") => ({
  match: { type: `payload-hmac-${type}`, secret, parameter: { source: "header", name: header } },
});
const address = (range: string) => ({ match: { type: "ip-whitelist", "ip-range": range } });
const TOKEN = "a token of the tests";
const OPEN = { provider: "generic", query: { name: "token", tokens: [NEW_TOKEN] } };

describe("a rule becomes the checks of a source", () => {
  test.each([
    ["no rule", undefined, OPEN],
    [
      "GitHub's signature",
      signature("sha256", "X-Hub-Signature-256"),
      { provider: "github", secrets: ["a secret of the tests"] },
    ],
    ["GitHub's old signature", signature("sha1", "X-Hub-Signature"), { provider: "github" }],
    ["Bitbucket's signature", signature("sha256", "X-Hub-Signature"), { provider: "bitbucket" }],
    ["Gitea's signature", signature("sha256", "X-Gitea-Signature"), { provider: "gitea" }],
    ["Forgejo's signature", signature("sha256", "x-forgejo-signature"), { provider: "gitea" }],
    ["Gogs' signature", signature("sha256", "X-Gogs-Signature"), { provider: "gitea" }],
    ["GitLab's token", match(TOKEN, "X-Gitlab-Token", "header"), { provider: "gitlab", secrets: [TOKEN] }],
    [
      "another signature",
      signature("sha512", "X-Signature"),
      { provider: "generic", hmac: { header: "x-signature", algorithm: "sha512" } },
    ],
    [
      "a signature whose header names its function",
      signature("sha256", "X-Acme-Signature-256"),
      { provider: "generic", hmac: { prefix: "sha256=" } },
    ],
    ["a token in the URL", match(TOKEN, "key", "url"), { query: { name: "key", tokens: [TOKEN] } }],
    ["the other name of that", match(TOKEN, "key", "query"), { query: { name: "key", tokens: [TOKEN] } }],
    [
      "a token in a header",
      match(TOKEN, "X-Api-Key", "header"),
      { header: { name: "x-api-key", tokens: [TOKEN] } },
    ],
    [
      "a text in a header, where nothing else proves the sender",
      match(TOKEN, "X-Acme", "header"),
      { header: { name: "x-acme", tokens: [TOKEN] } },
    ],
    ["the name of an event in a header", match("issue_created", "X-Acme-Event", "header"), OPEN],
    ["a bearer token", match("Bearer abc", "Authorization", "header"), { bearer: ["abc"] }],
    [
      "another Authorization",
      match("token abc", "Authorization", "header"),
      { header: { name: "authorization", tokens: ["token abc"] } },
    ],
    [
      "two tokens, either of which is right",
      { or: [match(TOKEN, "key", "url"), match("another token", "key", "url")] },
      { query: { name: "key", tokens: [TOKEN, "another token"] } },
    ],
    [
      "two secrets",
      { or: [signature("sha256", "X-Signature"), signature("sha256", "X-Signature", "the other")] },
      { hmac: { secrets: ["a secret of the tests", "the other"] } },
    ],
    [
      "one proof in each alternative",
      {
        or: [
          { and: [match(TOKEN, "key", "url"), match("a", "b")] },
          { and: [match(TOKEN, "key", "url"), match("c", "d")] },
        ],
      },
      { query: { name: "key", tokens: [TOKEN] } },
    ],
    [
      "a signature and a token",
      { and: [signature("sha256", "X-Signature"), { and: [match(TOKEN, "key", "url")] }] },
      { query: { name: "key" }, hmac: { header: "x-signature" } },
    ],
    [
      "a signature of GitHub and a token, which github sources do not take",
      { and: [signature("sha256", "X-Hub-Signature-256"), match(TOKEN, "key", "url")] },
      { provider: "generic", hmac: { header: "x-hub-signature-256", prefix: "sha256=" } },
    ],
    [
      "addresses and a signature",
      {
        and: [
          { or: [address("192.0.2.1 198.51.100.0/24"), address("2001:db8::/32")] },
          signature("sha256", "X-Gitea-Signature"),
        ],
      },
      { provider: "gitea", allow: ["192.0.2.1", "198.51.100.0/24", "2001:db8::/32"] },
    ],
    ["addresses alone", address("192.0.2.1/32"), { ...OPEN, allow: ["192.0.2.1/32"] }],
    [
      "the deprecated name of a signature",
      {
        match: {
          type: "payload-hash-sha256",
          secret: "a secret of the tests",
          parameter: { source: "header", name: "X-Gitea-Signature" },
        },
      },
      { provider: "gitea" },
    ],
  ])("%s", async (_, rule, expected) => {
    const { hooks, sources } = await translateHooks([hook({ "trigger-rule": rule })]);
    expect({ hooks, source: sources[0] }).toMatchObject({
      source: { name: "app", path: "/hooks/app", ...expected },
    });
  });

  test("a user and a password", async () => {
    const credentials = Buffer.from("ada:a password of the tests").toString("base64");
    const rule = match(`Basic ${credentials}`, "Authorization", "header");
    const { sources, text } = await translateHooks([hook({ "trigger-rule": rule })]);
    expect(sources).toMatchObject([{ basic: [{ user: "ada" }] }]);
    const [, hash = ""] = /hash = "([^"]+)"/.exec(text) ?? [];
    expect(await verifyArgon2id("a password of the tests", hash)).toBe(true);
    expect(text).not.toContain(credentials);
  });

  test.each([
    ["a signature with SHA-1", signature("sha1", "X-Signature")],
    [
      "a signature in the URL",
      {
        match: { type: "payload-hmac-sha256", secret: "a", parameter: { source: "url", name: "b" } },
      },
    ],
    ["a signature without a secret", signature("sha256", "X-Signature", "")],
    ["Scalr's signature", { match: { type: "scalr-signature", secret: "a" } }],
    ["two signatures", { and: [signature("sha256", "X-Signature"), signature("sha256", "X-Signature-2")] }],
    ["a signature or a token", { or: [signature("sha256", "X-Signature"), match(TOKEN, "key", "url")] }],
    ["a token or any address in a range", { or: [match(TOKEN, "key", "url"), address("192.0.2.1")] }],
    [
      "another secret in each alternative",
      {
        or: [
          { and: [match(TOKEN, "key", "url"), match("a", "b")] },
          { and: [match("another token", "key", "url"), match("c", "d")] },
        ],
      },
    ],
    ["not a token", { not: match(TOKEN, "key", "url") }],
    ["two lists of addresses", { and: [address("192.0.2.1"), address("192.0.2.0/24")] }],
    ["an invalid address", address("192.0.2.300")],
    ["no address", address("")],
    ["two parameters of the URL", { and: [match(TOKEN, "key", "url"), match(TOKEN, "other", "url")] }],
    [
      "an invalid pattern",
      { match: { type: "regex", regex: "(", parameter: { source: "payload", name: "a" } } },
    ],
    ["a secret with white space", signature("sha256", "X-Gitea-Signature", "secret\n")],
  ])("but %s does not, and the hook is left out", async (_, rule) => {
    const { hooks, sources, targets, text } = await translateHooks([hook({ "trigger-rule": rule })]);
    expect({ sources, targets }).toEqual({ sources: [], targets: [] });
    expect(hooks).toMatchObject([{ level: "fail", label: '"app"' }]);
    expect(hooks[0]?.reasons.length).toBeGreaterThan(0);
    expect(text).toContain('# Hook "app" was not translated');
  });

  test.each(["env:HOME", "${HOME}"])(
    "nor does the secret %s, which would be read elsewhere",
    async (secret) => {
      const hooks = [hook({ "trigger-rule": match(secret, "X-Gitlab-Token", "header") })];
      const { hooks: found, text } = await translateHooks(hooks);
      expect(found).toMatchObject([{ level: "fail" }]);
      expect(JSON.stringify(found) + text).not.toContain(secret);
      const inFiles = await translateHooks(hooks, { isInFiles: true });
      expect(inFiles.secretFiles).toMatchObject([{ text: secret }]);
    },
  );
});

describe("a command gets its values", () => {
  test.each([
    ["no arguments", {}, { run: [["/bin/run"]] }],
    [
      "fixed arguments",
      { "pass-arguments-to-command": [{ source: "string", name: "$(a) 'b'" }] },
      { run: [["/bin/run", "$(a) 'b'"]] },
    ],
    [
      "values of the payload and of headers",
      {
        "pass-arguments-to-command": [
          { source: "payload", name: "a.0.b" },
          { source: "string", name: "-x" },
          { source: "header", name: "X-Tenant" },
        ],
      },
      {
        run: [["/bin/sh", "-c", 'exec "$0" "$HOOK_ARGUMENT_1" "$1" "$HOOK_ARGUMENT_3"', "/bin/run", "-x"]],
        payload_env: { HOOK_ARGUMENT_1: "payload.a[0].b", HOOK_ARGUMENT_3: 'headers["x-tenant"]' },
      },
    ],
    [
      "the whole body",
      { "pass-arguments-to-command": [{ source: "entire-payload" }, { source: "raw-request-body" }] },
      {
        run: [
          [
            "/bin/sh",
            "-c",
            'exec "$0" "$(cat -- "$HOOKLATCH_PAYLOAD_FILE")" "$(cat -- "$HOOKLATCH_PAYLOAD_FILE")"',
            "/bin/run",
          ],
        ],
      },
    ],
    [
      "variables",
      {
        "pass-environment-to-command": [
          { source: "payload", name: "a", envname: "A" },
          { source: "payload", name: "b" },
          { source: "string", name: "c d", envname: "C" },
        ],
      },
      { run: [["/bin/run"]], payload_env: { A: "payload.a", HOOK_b: "payload.b" }, env: { C: "c d" } },
    ],
    [
      "variables with names that a payload must not set, or that are no names",
      {
        "pass-environment-to-command": [
          { source: "payload", name: "a", envname: "PATH" },
          { source: "payload", name: "b.c" },
          { source: "payload", name: "d", envname: "HOOKLATCH_D" },
          { source: "payload", name: "e", envname: "2nd" },
        ],
      },
      {
        payload_env: {
          HOOK_PATH: "payload.a",
          HOOK_b_c: "payload.b.c",
          HOOK_HOOKLATCH_D: "payload.d",
          HOOK_2nd: "payload.e",
        },
      },
    ],
    [
      "an argument whose variable is taken",
      {
        "pass-arguments-to-command": [{ source: "payload", name: "a" }],
        "pass-environment-to-command": [{ source: "payload", name: "b", envname: "HOOK_ARGUMENT_1" }],
      },
      { payload_env: { HOOK_ARGUMENT_1: "payload.b", HOOK_ARGUMENT_1_: "payload.a" } },
    ],
    ["a command in the working directory", { "execute-command": "bin/run" }, { run: [["/srv/app/bin/run"]] }],
    [
      "a command in PATH",
      { "execute-command": "run", "command-working-directory": "" },
      { run: [["run"]], directory: "/srv/hooks" },
    ],
    ["a relative working directory", { "command-working-directory": "app" }, { directory: "/srv/hooks/app" }],
    ["the root as working directory", { "command-working-directory": "/" }, { directory: "/" }],
  ])("%s", async (_, keys, expected) => {
    const { hooks, targets } = await translateHooks([hook(keys)]);
    expect({ hooks, target: targets[0] }).toMatchObject({
      target: { name: "app", source: "app", ...expected },
    });
  });

  test("of the method, and nothing where a value is never stored", async () => {
    const { targets, hooks } = await translateHooks([
      hook({
        "pass-arguments-to-command": [
          { source: "request", name: "method" },
          { source: "request", name: "remote-addr" },
          { source: "url", name: "a" },
          { source: "entire-headers" },
          { source: "entire-query" },
          { source: "header", name: "Authorization" },
        ],
      }),
    ]);
    expect(targets[0]?.run).toEqual([["/bin/run", "POST", "", "", "", "", ""]]);
    expect(hooks[0]?.reasons.filter((reason) => reason.startsWith("argument"))).toHaveLength(5);
  });

  test("and the headers are stored, but for those that the provider stores", async () => {
    const { sources } = await translateHooks([
      hook({
        "trigger-rule": {
          and: [signature("sha256", "X-Hub-Signature-256"), match("push", "X-GitHub-Event", "header")],
        },
        "pass-arguments-to-command": [{ source: "header", name: "X-Tenant" }],
      }),
    ]);
    expect(sources[0]?.keep_headers).toEqual(["x-tenant"]);
  });

  test("of a form whose field the provider decodes", async () => {
    const form = { "parse-parameters-as-json": [{ source: "payload", name: "payload" }] };
    const rule = match("main", "payload.ref");
    const { targets, hooks } = await translateHooks([
      hook({ ...form, "trigger-rule": { and: [signature("sha1", "X-Hub-Signature"), rule] } }),
      hook({ ...form, id: "b", "trigger-rule": { and: [match(TOKEN, "X-Gitlab-Token", "header"), rule] } }),
    ]);
    expect(targets).toMatchObject([{ when: 'payload.ref == "main"' }]);
    expect(hooks.map(({ level }) => level)).toEqual(["warn", "fail"]);
  });
});

describe("an answer becomes", () => {
  test.each([
    ["a fixed response", { "response-message": "done" }, { response: { status: 200, body: "done" } }],
    [
      "its headers and code",
      {
        "response-headers": [{ name: "X-A", value: "b" }],
        "success-http-response-code": 201,
      },
      { response: { status: 201, headers: { "X-A": "b" } } },
    ],
    [
      "no body",
      { "response-message": "done", "success-http-response-code": 204 },
      { response: { status: 204 } },
    ],
    ["200 instead of a redirect", { "success-http-response-code": 302 }, { response: { status: 200 } }],
    [
      "no header that the server sets",
      { "response-headers": [{ name: "Content-Length", value: "1" }] },
      { response: { status: 200 } },
    ],
    [
      "the output",
      { "include-command-output-in-response": true, "response-message": "done" },
      { wait: "55s", response: undefined },
    ],
  ])("%s", async (_, keys, expected) => {
    const { sources } = await translateHooks([hook(keys)]);
    expect({ response: undefined, ...sources[0] }).toMatchObject(expected);
  });

  test("nothing for a forge, which does not read it", async () => {
    const { sources, hooks } = await translateHooks([
      hook({ "response-message": "done", "trigger-rule": match(TOKEN, "X-Gitlab-Token", "header") }),
    ]);
    expect(Object.keys(sources[0] ?? {})).toEqual(["name", "provider", "path", "secrets"]);
    expect(hooks[0]?.level).toBe("warn");
  });
});

describe("a hook", () => {
  test.each([
    ["a path", { id: "a/b" }, "/hooks/a/b", "b"],
    ["spaces", { id: "my hook" }, "/hooks/my-hook", "my-hook"],
    ["dots", { id: "../.." }, "/hooks/-/-", "hook"],
    ["a number", { id: 42 }, "/hooks/42", "42"],
  ])("has a path and a name, with %s in its id", async (_, keys, path, name) => {
    const { sources } = await translateHooks([hook(keys)]);
    expect(sources).toMatchObject([{ name, path }]);
  });

  test("has the prefix that webhook was started with, or none, and not the reserved path", async () => {
    const hooks = [hook({ id: "healthz" }), hook({ id: "b" })];
    const paths = async (urlPrefix: string) => {
      return (await translateHooks(hooks, { urlPrefix })).sources.map(({ path }) => path);
    };
    expect(await paths("a/b")).toEqual(["/a/b/healthz", "/a/b/b"]);
    expect(await paths("")).toEqual(["/healthz-2", "/b"]);
  });

  test("gets a name and a path of its own", async () => {
    const { sources, hooks } = await translateHooks([
      hook(),
      hook(),
      hook({ id: "APP" }),
      hook({ id: "x/app" }),
    ]);
    expect(sources.map(({ name, path }) => [name, path])).toEqual([
      ["app", "/hooks/app"],
      ["APP-2", "/hooks/APP-2"],
      ["app-3", "/hooks/x/app"],
    ]);
    expect(hooks.map(({ level }) => level)).toEqual(["warn", "fail", "warn", "warn"]);
  });

  test.each([
    ["GET only", { "http-methods": ["get"] }],
    ["no id", { id: null }],
    ["no command", { "execute-command": "" }],
    ["values of other types", { "pass-arguments-to-command": "a" }],
    ["a working directory with a variable", { "command-working-directory": "$HOME/app" }],
    ["a template", { "execute-command": "{{ getenv `APP` }}" }],
  ])("with %s is left out", async (_, keys) => {
    const { hooks, sources } = await translateHooks([hook(keys), 42, hook({ id: "b" })]);
    expect(sources).toMatchObject([{ name: "b" }]);
    expect(hooks.map(({ level }) => level)).toEqual(["fail", "fail", "warn"]);
  });

  test.each([
    ["http-methods", { "http-methods": ["Post ", "PUT"] }],
    ["incoming-payload-content-type", { "incoming-payload-content-type": "application/json" }],
    ["trigger-rule-mismatch-http-response-code", { "trigger-rule-mismatch-http-response-code": 400 }],
    ["keep-file-environment", { "keep-file-environment": true }],
    ["base64", { "pass-arguments-to-command": [{ source: "string", name: "a", base64: 1 }] }],
  ])("with %s has a warning that names it", async (key, keys) => {
    const { hooks } = await translateHooks([hook({ "trigger-rule": match(TOKEN, "key", "url"), ...keys })]);
    expect(hooks).toMatchObject([{ level: "warn", reasons: [expect.stringContaining(key)] }]);
  });

  test("that does the same has no warning", async () => {
    const rule = { and: [signature("sha256", "X-Gitea-Signature"), match("refs/heads/main", "ref")] };
    const { hooks } = await translateHooks([hook({ "trigger-rule": rule })]);
    expect(hooks).toEqual([
      { level: "ok", label: '"app"', result: "/hooks/app, provider gitea", reasons: [] },
    ]);
  });
});

describe("secrets", () => {
  const rule = { or: [match(TOKEN, "key", "url"), match("another token", "key", "url")] };

  test("go to files of their own", async () => {
    const { sources, secretFiles, text } = await translateHooks([hook({ "trigger-rule": rule })], {
      isInFiles: true,
    });
    expect(sources[0]?.query).toEqual({
      name: "key",
      tokens: ["file:secrets/app.secret", "file:secrets/app-2.secret"],
    });
    expect(secretFiles).toEqual([
      { name: "app.secret", text: TOKEN },
      { name: "app-2.secret", text: "another token" },
    ]);
    expect(text).not.toContain(TOKEN);
  });

  test.each([
    ['{{ getenv "SECRET" | js }}', "env:SECRET"],
    ["{{ getenv `SECRET` }}", "env:SECRET"],
    ['{{credential "name"|js}}', "credential:name"],
    ['{{- cat "/run/secrets/a" -}}', "file:/run/secrets/a"],
  ])("that are the template %s become references", async (template, reference) => {
    const json = JSON.stringify([hook({ "trigger-rule": signature("sha256", "X-Gitea-Signature", "@") })]);
    const { sources, hooks } = await translateHooks(json.replace("@", () => template));
    expect(sources).toMatchObject([{ provider: "gitea", secrets: [reference] }]);
    expect(hooks).toMatchObject([{ level: "ok" }]);
  });

  test.each(["{{ .Secret }}", 'a{{ getenv "SECRET" }}'])("that hold %s are reported", async (template) => {
    const json = JSON.stringify([hook({ "trigger-rule": signature("sha256", "X-Gitea-Signature", "@") })]);
    const { hooks } = await translateHooks(json.replace("@", () => template));
    expect(hooks).toMatchObject([{ level: "fail", reasons: [expect.stringContaining("{{ ")] }]);
  });
});

describe("a hooks file", () => {
  const expected = [{ name: "a", path: "/hooks/a", keep_headers: ["x-b"] }];

  test.each([
    [
      "JSON with commas and comments that YAML allows",
      `[ # a comment
	{ "id": "a", "execute-command": "/bin/a", "pass-arguments-to-command": [
		{ "source": "header", "name": "X-B", }, ], }, ]`,
    ],
    [
      "YAML with anchors and merged keys",
      `- &base
  id: a
  execute-command: /bin/a
  include-command-output-in-response: yes
  pass-arguments-to-command: [&b { source: header, name: X-B }, *b]
`,
    ],
    [
      "JSON with a byte order mark",
      '\uFEFF[{"ID":"a","Execute-Command":"/bin/a","pass-arguments-to-command":[{"source":"header","name":"X-B"}]}]',
    ],
  ])("may be %s", async (_, text) => {
    expect((await translateHooks(text)).sources).toMatchObject(expected);
  });

  test("has numbers, booleans and dates as texts where texts belong", async () => {
    const { targets } = await translateHooks(`- id: 1
  execute-command: /bin/a
  trigger-rule:
    and:
      - match: { type: value, value: 0x10, parameter: { source: payload, name: a } }
      - match: { type: value, value: yes, parameter: { source: payload, name: b } }
      - match: { type: value, value: 2026-01-01, parameter: { source: payload, name: c } }
      - match: { type: value, value: 12:30:45, parameter: { source: payload, name: d } }
`);
    expect(targets[0]?.when).toBe(
      '(payload.a == "16" || payload.a == 16) && (payload.b == "true" || payload.b == true) && payload.c == "2026-01-01" && payload.d == "12:30:45"',
    );
  });

  const bomb = `a: &a [x]\n${"bcdefghij"
    .split("")
    .map((name, index) => `${name}: &${name} [${`*${"abcdefghi"[index]},`.repeat(9)}]`)
    .join("\n")}\n`;
  test.each([
    ["an object", "{}"],
    ["a text", "hooks"],
    ["nothing", ""],
    ["a list that does not end", '[{"id": "a"'],
    ["several documents", "- id: a\n---\n- id: b\n"],
    ["an unknown alias", "- *a"],
    ["aliases without end", bomb],
    ["a template around hooks", "{{ if true }}\n- id: a\n{{ end }}\n"],
    ["lists in lists", "[".repeat(100_000)],
  ])("is an error if it is %s", async (_, text) => {
    expect(translateHooks(text)).rejects.toMatchObject({ code: "configuration" });
  });

  test("shows no excerpt where it cannot be read", async () => {
    const error: unknown = await translateHooks('- id: a\n  secret: "hunter2\n').catch((each) => each);
    expect(String(error)).toContain("line 3");
    expect(String(error)).not.toContain("hunter2");
  });
});
