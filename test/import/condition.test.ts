import { describe, expect, setDefaultTimeout, test } from "bun:test";
import fc from "fast-check";
import { RULE_VARIABLES } from "../../src/domain/rule.ts";
import { writeCondition } from "../../src/import/condition.ts";
import { readRule } from "../../src/import/rule.ts";
import { compileExpression } from "../../src/lib/expression.ts";
import { match } from "./translate-hooks.ts";

setDefaultTimeout(60_000);

const BODY = { formField: null, decodedFields: [] };

function write(rule: unknown): string {
  const condition = writeCondition([readRule(rule)], true, BODY);
  return condition.kind === "written" ? condition.cel : `impossible: ${condition.reason}`;
}

const regex = (pattern: string, name: string, source = "payload") => ({
  match: { type: "regex", regex: pattern, parameter: { source, name } },
});

describe("a rule becomes a condition", () => {
  test.each([
    ["a text", match("refs/heads/main", "ref"), 'payload.ref == "refs/heads/main"'],
    ["a number", match("42", "a.b"), 'payload.a.b == "42" || payload.a.b == 42'],
    ["a boolean", match("true", "deleted"), 'payload.deleted == "true" || payload.deleted == true'],
    ["an element of a list", match("x", "commits.0.id"), 'payload.commits[0].id == "x"'],
    ["a body that is a list", match("x", "root.1.event"), 'payload[1].event == "x"'],
    ["a field named root", match("x", "root.event"), 'payload.root.event == "x"'],
    ["names that are no identifiers", match("x", "a-b.in.#c"), 'payload["a-b"]["in"]["#c"] == "x"'],
    ["quotation marks and newlines", match('"\\\n', 'a"b'), 'payload["a\\"b"] == "\\"\\\\\\n"'],
    ["a header", match("push", "X-GitHub-Event", "header"), 'headers["x-github-event"] == "push"'],
    ["a number in a header", match("42", "X-Number", "header"), 'headers["x-number"] == "42"'],
    ["a pattern", regex("^refs/tags/v\\d", "ref"), 'string(payload.ref).matches("^refs/tags/v\\\\d")'],
    ["the method", { and: [match("POST", "method", "request"), match("a", "b")] }, 'payload.b == "a"'],
    ["another method", match("GET", "method", "request"), "false"],
    ["and", { and: [match("a", "b"), match("c", "d")] }, 'payload.b == "a" && payload.d == "c"'],
    [
      "or in and",
      { and: [{ or: [match("a", "b"), match("c", "b")] }, match("e", "f")] },
      '(payload.b == "a" || payload.b == "c") && payload.f == "e"',
    ],
    [
      "not in and, false for a missing value",
      { and: [match("a", "b"), { not: match("c", "d") }] },
      'payload.b == "a" && !(payload.d == "c")',
    ],
    [
      "not alone, true for a missing value",
      { not: match("c", "d.e") },
      '!("d" in payload && "e" in payload.d) || !(payload.d.e == "c")',
    ],
    ["not of a pattern", { and: [{ not: regex("^v", "a") }] }, '!string(payload.a).matches("^v")'],
    ["an empty rule", {}, "false"],
    ["an empty and", { and: [] }, "true"],
  ])("%s", (_, rule, expected) => {
    expect(write(rule)).toBe(expected);
    expect(compileExpression(expected, RULE_VARIABLES).kind).toBe("compiled");
  });

  test.each([
    ["a query parameter", { not: match("a", "b", "url") }],
    ["a header with a credential", { not: match("a", "Authorization", "header") }],
    ["the host, which adnanh/webhook does not see", match("a", "Host", "header")],
    ["the whole body", { match: { type: "regex", regex: "a", parameter: { source: "raw-request-body" } } }],
    ["the address", match("a", "remote-addr", "request")],
    ["an unknown type", { match: { type: "other" } }],
    ["a rule that is a text", "a"],
    ["a list that is none", { and: { match: {} } }],
    [
      "too many levels",
      Array.from({ length: 20 }).reduce<unknown>((rule) => ({ not: rule }), match("a", "b")),
    ],
    ["too many matches", { or: Array.from({ length: 400 }, () => match("a", "b")) }],
  ])("unless it reads %s", (_, rule) => {
    expect(write(rule)).toStartWith("impossible: ");
  });
});

/** A rule of the property test. */
type Sample =
  | { readonly and: readonly Sample[] }
  | { readonly or: readonly Sample[] }
  | { readonly not: Sample }
  | ReturnType<typeof match>;

/** How adnanh/webhook evaluates a rule: its value, and whether a value is missing. */
function evaluate(rule: Sample, payload: Readonly<Record<string, unknown>>): readonly [boolean, boolean] {
  if ("match" in rule) {
    const { value, parameter } = rule.match;
    const isPresent = Object.hasOwn(payload, parameter.name);
    return [isPresent && String(payload[parameter.name]) === value, !isPresent];
  }
  if ("not" in rule) {
    const [value, isMissing] = evaluate(rule.not, payload);
    return [!value, isMissing];
  }
  if ("or" in rule) return [rule.or.some((each) => evaluate(each, payload)[0]), false];
  for (const each of rule.and) {
    const [value, isMissing] = evaluate(each, payload);
    if (isMissing) return [false, true];
    if (!value) return [false, false];
  }
  return [true, false];
}

const leaf = fc
  .tuple(fc.constantFrom("x", "1", "true"), fc.constantFrom("a", "b"))
  .map(([value, name]) => match(value, name));
const { rule: anyRule } = fc.letrec<{ rule: Sample }>((tie) => ({
  rule: fc.oneof(
    { maxDepth: 4 },
    leaf,
    fc.record({ not: tie("rule") }),
    fc.record({ and: fc.array(tie("rule"), { maxLength: 3 }) }),
    fc.record({ or: fc.array(tie("rule"), { maxLength: 3 }) }),
  ),
}));
const anyPayload = fc.record(
  { a: fc.constantFrom("x", "y", 1, true, "1"), b: fc.constantFrom("x", 1, false) },
  { requiredKeys: [] },
);

test("a condition decides as the rule does, whatever is missing", () => {
  fc.assert(
    fc.property(anyRule, anyPayload, (rule, payload) => {
      const cel = write(rule);
      const compiled = compileExpression(cel, RULE_VARIABLES);
      fc.pre(compiled.kind === "compiled");
      if (compiled.kind !== "compiled") return;
      const result = compiled.expression.evaluate({ payload, event: "push", action: "", headers: {} });
      expect({ cel, holds: result.kind === "value" && result.value === true }).toEqual({
        cel,
        holds: evaluate(rule, payload)[0],
      });
    }),
    { numRuns: 3000 },
  );
});
