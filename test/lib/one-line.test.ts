import { describe, expect, test } from "bun:test";
import { toOneLine } from "../../src/lib/text.ts";

describe("oneLine", () => {
  test("joins lines, removes control characters and escapes invisible characters", () => {
    expect(toOneLine(" a\r\nb\u001b[31m\u2028c\u202ed\n")).toBe("a b [31m c\\u202ed");
  });

  test("truncates at the limit without splitting a character", () => {
    expect(toOneLine("abcdef", 6)).toBe("abcdef");
    expect(toOneLine("abcdefg", 6)).toBe("abcde…");
    expect(toOneLine("abcd🚀efg", 6)).toBe("abcd…");
    expect(toOneLine("x".repeat(5000))).toHaveLength(500);
  });
});
