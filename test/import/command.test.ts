import { describe, expect, test } from "bun:test";
import { hook, match, translateHooks } from "./translate-hooks.ts";

const signature = (type: string, header: string, secret = "a secret of the tests") => ({
  match: { type: `payload-hmac-${type}`, secret, parameter: { source: "header", name: header } },
});
const TOKEN = "a token of the tests";

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
        "pass-arguments-to-command": [
          { source: "header", name: "X-Tenant" },
          { source: "header", name: "User-Agent" },
        ],
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
