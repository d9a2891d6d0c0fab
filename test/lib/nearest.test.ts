import { describe, expect, test } from "bun:test";
import { findNearest } from "../../src/lib/text.ts";

const KEYS = [
  "name",
  "source",
  "repository",
  "branch",
  "tag",
  "directory",
  "layout",
  "run",
  "env",
  "timeout",
];

describe("findNearest", () => {
  test.each([
    ["repo", "repository"],
    ["dir", "directory"],
    ["r", "run"],
  ])("expands the abbreviation %p to %p", (written, word) => {
    expect(findNearest(written, KEYS)).toEqual({ word, isLikely: true });
  });

  test.each([
    ["brnach", "branch"],
    ["sources", "source"],
    ["Repository", "repository"],
    ["repostory", "repository"],
  ])("corrects the misspelling %p to %p", (written, word) => {
    expect(findNearest(written, KEYS)).toEqual({ word, isLikely: true });
  });

  test("shortens a word with a known prefix", () => {
    expect(findNearest("timeout_after", KEYS)).toEqual({ word: "timeout", isLikely: true });
    expect(findNearest("certificate", ["key", "cert"])).toEqual({ word: "cert", isLikely: true });
  });

  test("prefers a word at edit distance one to a prefix", () => {
    expect(findNearest("api-v3", ["api", "api-v2"])).toEqual({ word: "api-v2", isLikely: true });
  });

  test("ignores case, and marks a distant word as not meant", () => {
    expect(findNearest("blgo", ["Blog", "docs"])).toEqual({ word: "Blog", isLikely: true });
    expect(findNearest("colour", KEYS)).toEqual({ word: "layout", isLikely: false });
    expect(findNearest("", ["blog", "blogs"])).toEqual({ word: "blog", isLikely: false });
  });
});
