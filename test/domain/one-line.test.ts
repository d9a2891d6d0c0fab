import { describe, expect, test } from "bun:test";
import { oneLine } from "../../src/domain/one-line.ts";

describe("oneLine", () => {
  test("joins lines, removes control characters and escapes invisible characters", () => {
    expect(oneLine(" a\r\nb\u001b[31m\u2028c\u202ed\n")).toBe("a b [31m c\\u202ed");
  });

  test("truncates at the limit without splitting a character", () => {
    expect(oneLine("abcdef", 6)).toBe("abcdef");
    expect(oneLine("abcdefg", 6)).toBe("abcde…");
    expect(oneLine("abcd🚀efg", 6)).toBe("abcd…");
    expect(oneLine("x".repeat(5000))).toHaveLength(500);
  });
});
