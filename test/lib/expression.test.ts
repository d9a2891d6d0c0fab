import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { compileExpression, type EvaluationResult, type Expression } from "../../src/lib/expression.ts";
import { words } from "../support/words.ts";

const VARIABLES = { payload: "dyn", event: "string", headers: "map<string, string>" };

function compile(text: string): Expression {
  const result = compileExpression(text, VARIABLES);
  if (result.kind === "invalid") throw new Error(`${text}: ${result.problem}`);
  return result.expression;
}

function evaluate(text: string, payload: unknown): EvaluationResult {
  return compile(text).evaluate({ payload, event: "push", headers: { "x-tenant": "a" } });
}

test.each<[text: string, payload: unknown, value: unknown]>([
  ["payload.n == 5", { n: 5 }, true],
  ["payload.n in [4, 5]", { n: 5 }, true],
  ["payload.n > 4.5 && payload.n < 6", { n: 5 }, true],
  ['event == "push" && headers["x-tenant"] == "a"', {}, true],
  ['payload.list.exists(x, x.startsWith("docs/"))', { list: ["src/a", "docs/b"] }, true],
  ["payload.list.all(x, x > 1)", { list: [2, 1] }, false],
  ["payload.list.filter(x, x > 1).map(x, x * 2.0)", { list: [1, 2, 3] }, [4, 6]],
  ["has(payload.a)", {}, false],
  ["has(payload.a) && payload.a.b == 1", {}, false],
  ["payload.a == null", { a: null }, true],
  ['payload.s.matches("^(a+)+$")', { s: "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab" }, false],
  ['payload.s.matches("[0-9]+")', { s: "v12" }, true],
  ['payload.s.matches("^v[0-9]+$") ? payload.s : "none"', { s: "v12" }, "v12"],
  ["size(payload.list)", { list: [1, 2] }, 2n],
  ['payload["a b"]', { "a b": "x" }, "x"],
])("%s over %j is %p", (text, payload, value) => {
  expect(evaluate(text, payload)).toEqual({ kind: "value", value });
});

test.each<[text: string, payload: unknown, part: string]>([
  ["payload.a.b == 1", {}, '"payload.a"'],
  ["payload.a.b == 1", { a: {} }, '"payload.a.b"'],
  ["payload.toString", {}, '"payload.toString"'],
  ["payload.constructor", {}, '"payload.constructor"'],
  ["payload.__proto__", {}, '"payload.__proto__"'],
  ["payload.list[3]", { list: [] }, '"payload.list[3]"'],
  ['headers["x-none"]', {}, `"headers[\\"x-none\\"]"`],
])("%s over %j lacks %s", (text, payload, part) => {
  expect(evaluate(text, payload)).toEqual({ kind: "missing", part });
});

describe("a failed evaluation", () => {
  const SECRET = "correct horse";

  test.each<[text: string, payload: unknown]>([
    ["payload.a + 1", { a: SECRET }],
    ["int(payload.a) > 1", { a: SECRET }],
    ["bool(payload.a)", { a: SECRET }],
    ["payload.a[payload.b]", { a: { x: 1 }, b: SECRET }],
    ["payload.a.startsWith(payload.b)", { a: SECRET, b: 1 }],
    ['payload.a.matches("a")', { a: 1 }],
    ["payload.a.exists(x, x == 1)", { a: 1 }],
    ["payload.a ? 1 : 2", { a: SECRET }],
    ["timestamp(payload.a) > timestamp(0)", { a: SECRET }],
    ["duration(payload.a) > duration('1s')", { a: SECRET }],
    ["timestamp(0).getHours(payload.a) > 1", { a: SECRET }],
  ])("does not quote values: %s", (text, payload) => {
    const result = evaluate(text, payload);
    expect(result.kind).not.toBe("value");
    expect(JSON.stringify(result)).not.toContain(SECRET);
    expect(words(JSON.stringify(result))).toMatchSnapshot();
  });
});

test.each([
  "1 +",
  "payload.",
  "unknown == 1",
  'event + 1 == "x"',
  "payload.s.matches(payload.p)",
  'payload.s.matches("(")',
  'payload.s.matches("(?=a)")',
  'payload.list.map(x, x.matches("["))',
  "exec('ls')",
  "payload.a.unknownFunction()",
  "§",
])("rejects %s", (text) => {
  const result = compileExpression(text, VARIABLES);
  expect(result.kind).toBe("invalid");
  expect(words(JSON.stringify(result))).toMatchSnapshot();
});

test("rejects expressions and patterns that are too large", () => {
  const texts = [
    `payload.s.matches("${"a".repeat(1001)}")`,
    `${"(".repeat(100)}1${")".repeat(100)}`,
    Array.from({ length: 3000 }, () => "1").join("+"),
  ];
  const results = texts.map((text) => compileExpression(text, VARIABLES));
  expect(results.map(({ kind }) => kind)).toEqual(["invalid", "invalid", "invalid"]);
  expect(results).toMatchSnapshot();
});

describe("the budget", () => {
  const numbers = Array.from({ length: 300_000 }, () => 0);
  const text = "a".repeat(5_000_000);
  const nested = Array.from({ length: 1000 }, () => Array.from({ length: 400 }, (_, a) => ({ a })));
  const payload = { numbers, text, nested, half: "ab".repeat(200_000) };
  // Compiled and evaluated once, so that the first test does not measure the compiler.
  evaluate("payload.a == 1", { a: 1 });

  test.each([
    "payload.numbers.exists(x, x == 1)",
    "payload.numbers.exists(x, payload.numbers.exists(y, y == 1))",
    "payload.numbers.map(x, payload.numbers.map(y, payload.numbers)).size() > 0",
    "payload.numbers.all(x, payload.numbers == payload.numbers)",
    "payload.numbers.exists_one(x, 1 in payload.numbers)",
    "payload.nested == payload.nested",
    "payload.nested.all(x, payload.nested == payload.nested)",
    "payload.nested.exists(x, x.exists(y, payload.nested.exists(z, z.exists(w, w.a == 1000))))",
    "payload.text.contains(payload.half)",
    "payload.half.contains(payload.half)",
    'payload.text.matches("(a+)+b$")',
    'payload.text.split("").size() > 0',
    'payload.text + payload.text == "x"',
    "cel.bind(a, payload.half + payload.half, cel.bind(b, a + a, cel.bind(c, b + b, c + c))).size() > 0",
    "payload.numbers.exists(x, x == 1) || true",
    "true && payload.numbers.exists(x, payload.text.contains('b'))",
    "payload.numbers.exists(x, has(payload.a.b) || x == 1)",
  ])("ends %s quickly", (expression) => {
    const { evaluate } = compile(expression);
    const begun = performance.now();
    const result = evaluate({ payload, event: "push", headers: {} });
    // Twenty times what is measured, for a busy machine; without the budget most take minutes.
    expect(performance.now() - begun).toBeLessThan(3000);
    expect(result.kind).toBe("failed");
  });

  test("suffices for GitHub's largest push", () => {
    const commits = Array.from({ length: 2048 }, (_, at) => ({
      id: `${at}`,
      message: `Change number ${at} of many, with a usual message`,
      modified: Array.from({ length: 20 }, (_, file) => `src/room/file-${file}.ts`),
    }));
    const condition = 'payload.commits.exists(c, c.modified.exists(f, f.startsWith("docs/")))';
    expect(evaluate(condition, { commits })).toEqual({ kind: "value", value: false });
    const message = 'payload.commits.exists(c, c.message.matches("^deploy:"))';
    expect(evaluate(message, { commits })).toEqual({ kind: "value", value: false });
  });
});

test("no payload makes an evaluation throw", () => {
  const expressions = [
    'payload.a == "x" && payload.b > 1',
    "payload.a.b.c == payload.b",
    "payload.list.exists(x, x.a == 1)",
    "payload.list.map(x, x.a + 1).size() > payload.b",
    'payload.a.matches("^a*b") || has(payload.b.c)',
    "string(payload.a) + string(payload.b)",
    "int(payload.a) > 1 || double(payload.b) < 2.0",
    "payload.a in payload.b",
    "payload.list[0].a",
    "type(payload.a) == string",
    "timestamp(payload.a) > timestamp(0)",
    "duration(payload.a).getSeconds() > 1",
    "bytes(payload.a).json()",
    "payload.a.substring(payload.b)",
    "payload.a.split(payload.b).join(payload.a)",
    "-payload.a < payload.b",
    "!payload.a",
  ].map(compile);
  const keys = fc.constantFrom(
    "a",
    "b",
    "c",
    "list",
    "constructor",
    "__proto__",
    "prototype",
    "then",
    "size",
  );
  const { json } = fc.letrec((tie) => ({
    json: fc.oneof(
      { maxDepth: 4 },
      fc.constantFrom(null, true, "", "a", "1", "x\0", "\ud800", 0, -0, 1, 1e308, -1.5, 2 ** 53),
      fc.string(),
      fc.array(tie("json"), { maxLength: 4 }),
      fc.dictionary(keys, tie("json"), { maxKeys: 5 }),
    ),
  }));
  fc.assert(
    fc.property(json, fc.nat(expressions.length - 1), (payload, at) => {
      const result = expressions[at]?.evaluate({ payload, event: "push", headers: {} });
      expect(["value", "missing", "failed"]).toContain(result?.kind ?? "");
    }),
    { numRuns: 3000, seed: 11 },
  );
});

test("any text compiles or is invalid", () => {
  const pieces = fc.constantFrom(
    "payload",
    ".",
    "a",
    "(",
    ")",
    "[",
    "]",
    "1",
    '"x"',
    "==",
    "&&",
    "?",
    ":",
    " ",
    "'",
  );
  const text = fc.oneof(
    fc.string(),
    fc.array(pieces, { maxLength: 12 }).map((parts) => parts.join("")),
  );
  fc.assert(
    fc.property(text, (written) => {
      const result = compileExpression(written, VARIABLES);
      if (result.kind === "invalid") expect(result.problem).not.toBe("");
      else result.expression.evaluate({ payload: {}, event: "", headers: {} });
    }),
    { numRuns: 2000, seed: 11 },
  );
});
