import { describe, expect, test } from "bun:test";
import { hook, match, translateHooks } from "./translate-hooks.ts";

const signature = (type: string, header: string, secret = "a secret of the tests") => ({
  match: { type: `payload-hmac-${type}`, secret, parameter: { source: "header", name: header } },
});
const TOKEN = "a token of the tests";

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

  test("go to files with different names, whatever the hooks are called", async () => {
    const hooks = ["app", "app-2", "APP"].map((id) => hook({ id, "trigger-rule": rule }));
    const { secretFiles, sources } = await translateHooks(hooks, { isInFiles: true });
    const names = secretFiles.map(({ name }) => name.toLowerCase());
    expect(new Set(names).size).toBe(6);
    const references = sources.flatMap(({ query }) => (query as { tokens: string[] }).tokens);
    expect(references.map((text) => text.replace("file:secrets/", "").toLowerCase())).toEqual(names);
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

  test("in a condition are reported", async () => {
    const json = JSON.stringify([hook({ "trigger-rule": match("@", "ref") })]);
    const { hooks, text } = await translateHooks(json.replace("@", () => '{{ getenv "REF" }}'));
    expect(hooks).toMatchObject([{ level: "fail", reasons: [expect.stringContaining("{{ getenv")] }]);
    expect(text).not.toContain("[[target]]");
  });

  test.each(["{{ .Secret }}", 'a{{ getenv "SECRET" }}'])("that hold %s are reported", async (template) => {
    const json = JSON.stringify([hook({ "trigger-rule": signature("sha256", "X-Gitea-Signature", "@") })]);
    const { hooks } = await translateHooks(json.replace("@", () => template));
    expect(hooks).toMatchObject([{ level: "fail", reasons: [expect.stringContaining("{{ ")] }]);
  });
});
