import { describe, expect, test } from "bun:test";
import { translateHooks } from "./translate-hooks.ts";

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
