import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { Event, PushEvent } from "../../src/domain/event.ts";
import { type Decision, isAbout, matchTarget } from "../../src/domain/match.ts";
import {
  applyCondition,
  createRuleValues,
  RULE_VARIABLES,
  readPayloadEnvironment,
} from "../../src/domain/rule.ts";
import type { Target } from "../../src/domain/target.ts";
import { compileExpression, type Expression } from "../../src/lib/expression.ts";
import { targetOf } from "../support/target.ts";
import { words } from "../support/words.ts";

const PUSH: PushEvent = {
  kind: "push",
  repository: "octocat/blog",
  ref: { kind: "branch", name: "main" },
  deleted: false,
  commit: "59b20b8d5c6ff8d09518454d4dd8b7b30f095ab5",
  skip: false,
};
const PUBLISHED: Event = {
  kind: "other",
  name: "release",
  action: "published",
  repository: "Octocat/Blog",
};

function compile(text: string): Expression {
  const result = compileExpression(text, RULE_VARIABLES);
  if (result.kind === "invalid") throw new Error(result.problem);
  return result.expression;
}

function codeFor(event: Event, target: Target) {
  return matchTarget([event], target).decision.code;
}

describe("events", () => {
  test.each<[event: Event, events: readonly string[] | null, code: Decision["code"], about: boolean]>([
    [PUSH, null, null, true],
    [PUSH, ["push"], null, true],
    [PUSH, ["release"], "event", true],
    [PUBLISHED, null, "event", false],
    [PUBLISHED, ["push"], "event", false],
    [PUBLISHED, ["release"], null, true],
    [PUBLISHED, ["release.published"], null, true],
    [PUBLISHED, ["push", "release.published"], null, true],
    [PUBLISHED, ["release.created"], "event", true],
    [PUBLISHED, ["releases", "rel", "published"], "event", false],
    [{ ...PUBLISHED, repository: "octocat/other" }, ["release"], "repository", false],
    [{ kind: "other", name: "release" }, ["release"], "repository", false],
    [{ kind: "ping" }, ["ping"], "ping", false],
  ])("%j with %j", (event, events, code, about) => {
    const target = targetOf("blog", { events });
    expect(codeFor(event, target)).toBe(code);
    expect(isAbout([event], target)).toBe(about);
    expect(words(matchTarget([event], target).decision.reason ?? "deployed")).toMatchSnapshot();
  });

  test("a target without a repository deploys every event, or those that it names", () => {
    const all = targetOf("job", { repository: null });
    expect([PUSH, PUBLISHED].map((event) => codeFor(event, all))).toEqual([null, null]);
    const some = targetOf("job", { repository: null, events: ["release.published", "issues"] });
    expect(
      [PUSH, PUBLISHED, { ...PUBLISHED, action: "created" }].map((event) => codeFor(event, some)),
    ).toEqual(["event", null, "event"]);
    expect(isAbout([PUSH], some)).toBe(true);
  });
});

describe("when", () => {
  const deploys: Decision = { target: "blog", deploy: true, code: null, reason: null };
  const decide = (condition: string, json: string, headers = {}) =>
    applyCondition(
      deploys,
      targetOf("blog", { when: compile(condition) }),
      PUBLISHED,
      createRuleValues(json, headers),
    );

  test.each([
    ['payload.pusher.name != "renovate[bot]"', '{"pusher":{"name":"ada"}}', {}],
    ['event == "release" && action == "published"', "{}", {}],
    ['headers["x-tenant"] == "a"', "{}", { "x-tenant": "a" }],
    ["payload.id == 12345678901234567", '{"id":12345678901234567}', {}],
    ["payload.id != 12345678901234568", '{"id":12345678901234567}', {}],
    ['payload.constructor == "x" && payload.a == 1', '{"constructor":"x","a":1}', {}],
    ["has(payload.a.b) && size(payload.a) == 2", '{"a":{"constructor":null,"b":1}}', {}],
    ['payload["__proto__"].a == 1 && !has(payload.a)', '{"__proto__":{"a":1}}', {}],
  ])("%s deploys for %s", (condition, json, headers) => {
    expect(decide(condition, json, headers)).toEqual(deploys);
  });

  test.each([
    ['payload.pusher.name != "renovate[bot]"', '{"pusher":{"name":"renovate[bot]"}}'],
    ['payload.pusher.name != "renovate[bot]"', "{}"],
    ['payload.pusher.name != "renovate[bot]"', "[]"],
    ['payload.pusher.name != "renovate[bot]"', "null"],
    ["payload.ok", '{"ok":"true"}'],
    ["payload.ok", '{"ok":true,"x":1}'.replace("true", "1")],
    ['payload.a.startsWith("x")', '{"a":5}'],
    ["payload.constructor.name == 1", "{}"],
  ])("%s does not deploy for %s", (condition, json) => {
    const decision = decide(condition, json);
    expect(decision).toMatchObject({ target: "blog", deploy: false, code: "when" });
    expect(words(decision.reason ?? "")).toMatchSnapshot();
  });

  test("is not evaluated for a target that does not deploy anyway", () => {
    const refused: Decision = { target: "blog", deploy: false, code: "branch", reason: "x" };
    const fail = () => {
      throw new Error("evaluated");
    };
    expect(applyCondition(refused, targetOf("blog", { when: compile("payload.a") }), PUBLISHED, fail)).toBe(
      refused,
    );
    expect(applyCondition(deploys, targetOf("blog"), PUBLISHED, fail)).toBe(deploys);
  });
});

describe("payload_env", () => {
  const read = (expressions: Record<string, string>, json: string) => {
    const payloadEnv = Object.fromEntries(
      Object.entries(expressions).map(([name, text]) => [name, compile(text)]),
    );
    const readValues = createRuleValues(json, {});
    return readPayloadEnvironment(targetOf("blog", { payloadEnv }), () => readValues(PUBLISHED));
  };

  test("sets strings, numbers and booleans, and leaves missing fields and null out", () => {
    const json =
      '{"s":"a b\\n$(x)","n":5,"d":1.5,"big":12345678901234567890,"t":true,"nil":null,"id":9007199254740993}';
    const expressions = {
      S: "payload.s",
      N: "payload.n",
      D: "payload.d",
      T: "payload.t",
      ID: "payload.id",
      NIL: "payload.nil",
      MISSING: "payload.release.tag_name",
      E: "event + '/' + action",
      SIZE: "size(payload.s)",
    };
    expect(read(expressions, json)).toEqual({
      kind: "read",
      variables: {
        S: "a b\n$(x)",
        N: "5",
        D: "1.5",
        T: "true",
        ID: "9007199254740993",
        E: "release/published",
        SIZE: "8",
      },
    });
  });

  test.each([
    ["a list", '{"v":[1]}'],
    ["an object", '{"v":{}}'],
    ["an object with a constructor", '{"v":{"constructor":1}}'],
    ["more than 8 KiB", JSON.stringify({ v: "é".repeat(4097) })],
    ["a NUL character", '{"v":"correct\\u0000horse"}'],
  ])("rejects %s without quoting it", (_what, json) => {
    const result = read({ VALUE: "payload.v" }, json);
    const reason = result.kind === "invalid" ? result.reason : "";
    expect(reason).toContain("VALUE");
    expect(JSON.stringify(result)).not.toMatch(/correct|horse|é/);
    expect(reason).toMatchSnapshot();
  });

  test("accepts exactly 8 KiB", () => {
    const value = "é".repeat(4096);
    expect(read({ VALUE: "payload.v" }, JSON.stringify({ v: value }))).toEqual({
      kind: "read",
      variables: { VALUE: value },
    });
  });

  test("sets nothing without a delivery", () => {
    const target = targetOf("blog", { payloadEnv: { VALUE: compile("payload.v") } });
    expect(readPayloadEnvironment(target, null)).toEqual({ kind: "read", variables: {} });
  });

  test("no payload throws, or sets another variable or a value that a process cannot get", () => {
    const target = targetOf("blog", {
      when: compile('payload.a == "x" || payload.list.exists(x, x == payload.a)'),
      payloadEnv: { A: compile("payload.a"), B: compile("payload.b.c"), C: compile("string(payload.a)") },
    });
    const keys = fc.constantFrom("a", "b", "c", "list", "constructor", "__proto__", "toString", "valueOf");
    const { json } = fc.letrec((tie) => ({
      json: fc.oneof(
        { maxDepth: 4 },
        fc.jsonValue({ maxDepth: 0 }),
        fc.constantFrom("\0", "\ud800", "x", 2 ** 60, -0),
        fc.array(tie("json"), { maxLength: 3 }),
        fc.dictionary(keys, tie("json"), { maxKeys: 4 }),
      ),
    }));
    fc.assert(
      fc.property(json, (payload) => {
        const text = JSON.stringify(payload);
        const readValues = createRuleValues(text, {});
        const decision = applyCondition(
          { target: "blog", deploy: true, code: null, reason: null },
          target,
          PUSH,
          readValues,
        );
        expect(decision.code).toBe(decision.deploy ? null : "when");
        const result = readPayloadEnvironment(target, () => readValues(PUSH));
        for (const [name, value] of Object.entries(result.kind === "read" ? result.variables : {})) {
          expect(["A", "B", "C"]).toContain(name);
          expect(value).toBeString();
          expect(value).not.toContain("\0");
        }
      }),
      { numRuns: 3000, seed: 11 },
    );
  });
});
