import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { formatDuration, formatElapsed, parseDuration } from "../../src/lib/duration.ts";

describe("duration", () => {
  test.each([
    ["1ms", 1],
    ["90s", 90_000],
    ["5m", 300_000],
    ["36h", 129_600_000],
    ["30d", 2_592_000_000],
  ])("parses %s as %d milliseconds", (text, milliseconds) => {
    expect(parseDuration(text)).toBe(milliseconds);
  });

  test.each(["", "0s", "-1s", "1", "s", "1.5s", "1 s", "1w", "1S", "01s", "1s ", "1234567890s"])(
    "rejects %p",
    (text) => {
      expect(parseDuration(text)).toBeNull();
    },
  );

  test("is formatted in the largest unit that divides it, and parses to the same value", () => {
    expect([1, 1500, 90_000, 3_600_000, 129_600_000, 2_592_000_000].map(formatDuration)).toEqual([
      "1ms",
      "1500ms",
      "90s",
      "1h",
      "36h",
      "30d",
    ]);
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 999_999_999 }), (milliseconds) => {
        expect(parseDuration(formatDuration(milliseconds))).toBe(milliseconds);
      }),
    );
  });

  test("is formatted for people with one digit after the point or in minutes and seconds", () => {
    expect([5, 1234, 59_990, 245_000].map(formatElapsed)).toEqual(["5 ms", "1.2 s", "60.0 s", "4 min 5 s"]);
  });
});
