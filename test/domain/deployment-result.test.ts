import { describe, expect, test } from "bun:test";
import { describeResult, type ResultParts } from "../../src/domain/deployment-result.ts";
import { numbersIn } from "../support/words.ts";

const NOTHING: ResultParts = {
  target: "blog",
  code: null,
  reason: null,
  supersededBy: null,
  retriedAs: null,
};

describe("describeResult", () => {
  test("returns null when there is nothing to add to the state", () => {
    expect(describeResult(NOTHING)).toBeNull();
    expect(describeResult({ ...NOTHING, code: "step_failed" })).toBeNull();
  });

  test("returns the reason of a success, a failure, a skipped and a cancelled deployment", () => {
    for (const code of [null, "step_failed", "paths_unchanged", "cancelled"] as const) {
      expect(describeResult({ ...NOTHING, code, reason: "why" })).toBe("why");
    }
  });

  test.each<[what: string, parts: Partial<ResultParts>, ...numbers: number[]]>([
    ["a superseded deployment", { code: "superseded", supersededBy: 8 }, 8],
    ["a superseded deployment of an earlier version", { code: "superseded" }],
    ["a crash after which it was retried", { code: "crash", retriedAs: 8 }, 8],
    ["a crash after which it was not retried", { code: "crash" }],
    ["a stop while a newer deployment was queued", { code: "shutdown", supersededBy: 9 }, 9],
    ["a stop with a note", { code: "shutdown", reason: "release r1 is live again", retriedAs: 8 }, 1, 8],
    ["a target that is no longer configured", { code: "not_configured" }],
  ])("describes %s", (_what, parts, ...numbers) => {
    const text = describeResult({ ...NOTHING, ...parts });
    expect(numbersIn(text)).toEqual(numbers);
    if (parts.reason) expect(text).toContain(parts.reason);
    if (parts.code === "not_configured") expect(text).toContain("blog");
    expect(text).toMatchSnapshot();
  });
});
