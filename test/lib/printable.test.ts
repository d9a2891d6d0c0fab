import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { toOneLineJson } from "../../src/lib/text.ts";

describe("putOnOneLine", () => {
  test("preserves numbers, keys and strings exactly and removes whitespace between them", () => {
    const json =
      '{\n  "id": 12345678901234567890,\r\n\t"f": 1.0, "e": 1e400, "2": "a b\\" \\\\", "1": [ ], "1": " " }';
    expect(toOneLineJson(json)).toBe(
      '{"id":12345678901234567890,"f":1.0,"e":1e400,"2":"a b\\" \\\\","1":[],"1":" "}',
    );
  });

  test("escapes line separators, control characters and direction marks", () => {
    expect(toOneLineJson('"\u2028\u202e\u009b31m\u00ad"')).toBe('"\\u2028\\u202e\\u009b31m\\u00ad"');
  });

  test("returns one line with the same JSON value, for any value", () => {
    fc.assert(
      fc.property(fc.json(), fc.constantFrom(0, 2, "\t"), (json, indent) => {
        const value: unknown = JSON.parse(json);
        const line = toOneLineJson(JSON.stringify(value, null, indent));
        expect(JSON.parse(line)).toEqual(value);
        expect(line).not.toMatch(/[\r\n\u2028\u2029\u0085]/);
      }),
    );
  });
});
