import { describe, expect, test } from "bun:test";
import { decodeJson } from "../../src/providers/json.ts";
import { reasonOf } from "./reason-of.ts";

describe("decodeJson", () => {
  test("accepts 200 levels of nesting and rejects more, at any position", () => {
    const nested = (levels: number) => `[1,${"[".repeat(levels - 1)}${"]".repeat(levels - 1)}]`;
    expect(decodeJson(nested(200), "the body")).toMatchObject({ kind: "decoded" });
    const reasons = [nested(201), `{"a":{"b":${nested(199)}}}`].map((json) =>
      reasonOf(decodeJson(json, "the body")),
    );
    for (const reason of reasons) expect(reason).toContain("200");
    expect(reasons).toMatchSnapshot();
  });

  test("replaces NUL in texts and names, and nothing that looks like it", () => {
    const json = String.raw`{"a\u0000b":["\u0000","\\u0000","\\\u0000","\"\u0000\u00000"]}`;
    expect(decodeJson(json, "the body")).toEqual({
      kind: "decoded",
      text: json,
      value: { "a\ufffdb": ["\ufffd", "\\u0000", "\\\ufffd", '"\ufffd\ufffd0'] },
    });
  });

  test("does not count a bracket within a string as nesting", () => {
    expect(decodeJson(JSON.stringify("[".repeat(1000)), "the body")).toMatchObject({ kind: "decoded" });
  });
});
