import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { asksToSkip, isZeroCommit, parseRef } from "../../src/domain/event.ts";
import hostileRefs from "../fixtures/github/refs.json";

describe("parseRef", () => {
  for (const [full, kind, name] of [
    ["refs/heads/main", "branch", "main"],
    ["refs/tags/main", "tag", "main"],
    ["refs/heads/feature/main", "branch", "feature/main"],
    ["refs/heads/a/refs/heads/b", "branch", "a/refs/heads/b"],
    ["refs/heads/refs/tags/v1", "branch", "refs/tags/v1"],
    ["refs/pull/1/head", "other", "refs/pull/1/head"],
    ["refs/headsmain", "other", "refs/headsmain"],
    ["main", "other", "main"],
    [" refs/heads/main", "other", " refs/heads/main"],
    ["", "other", ""],
  ] as const) {
    test(`parses ${JSON.stringify(full)} as ${kind} ${JSON.stringify(name)}`, () => {
      expect(parseRef(full)).toEqual({ kind, name });
    });
  }

  test("does not change hostile names", () => {
    for (const full of hostileRefs) expect(`refs/heads/${parseRef(full).name}`).toBe(full);
  });

  test("removes only the prefix, so that prefix and name make the full ref", () => {
    const prefix = { branch: "refs/heads/", tag: "refs/tags/", other: "" };
    const part = fc.constantFrom("refs/", "heads/", "tags/", "a", "/");
    const full = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.array(part).map((parts) => parts.join("")),
    );
    fc.assert(
      fc.property(full, (text) => {
        const { kind, name } = parseRef(text);
        expect(prefix[kind] + name).toBe(text);
      }),
    );
  });
});

describe("isZeroCommit", () => {
  test("returns true for 40 and 64 zeros only", () => {
    for (const length of [40, 64]) expect(isZeroCommit("0".repeat(length))).toBe(true);
    for (const length of [0, 1, 39, 41, 63, 65, 80]) expect(isZeroCommit("0".repeat(length))).toBe(false);
    expect(isZeroCommit(`${"0".repeat(39)}1`)).toBe(false);
    expect(isZeroCommit(`${"0".repeat(40)}\n`)).toBe(false);
  });
});

describe("asksToSkip", () => {
  test.each(["[skip deploy] Typo", "Typo\n\n[Deploy Skip]", "docs [SKIP DEPLOY] more"])(
    "returns true for %j",
    (message) => {
      expect(asksToSkip(message)).toBe(true);
    },
  );

  test.each(["", "skip deploy", "[skip ci]", "[skip  deploy]", "[skip deploys]"])(
    "returns false for %j",
    (message) => {
      expect(asksToSkip(message)).toBe(false);
    },
  );
});
