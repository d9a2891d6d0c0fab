import { describe, expect, test } from "bun:test";
import { findNearest } from "../../src/domain/nearest.ts";

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

describe("the nearest word", () => {
  test.each([
    ["repo", "repository"],
    ["dir", "directory"],
    ["r", "run"],
  ])("to %p is what it is short for: %p", (written, word) => {
    expect(findNearest(written, KEYS)).toEqual({ word, meant: true });
  });

  test.each([
    ["brnach", "branch"],
    ["sources", "source"],
    ["Repository", "repository"],
    ["repostory", "repository"],
  ])("to %p is what it misspells: %p", (written, word) => {
    expect(findNearest(written, KEYS)).toEqual({ word, meant: true });
  });

  test("is what it makes longer", () => {
    expect(findNearest("timeout_after", KEYS)).toEqual({ word: "timeout", meant: true });
    expect(findNearest("certificate", ["key", "cert"])).toEqual({ word: "cert", meant: true });
  });

  test("is rather one slip away than cut off", () => {
    expect(findNearest("api-v3", ["api", "api-v2"])).toEqual({ word: "api-v2", meant: true });
  });

  test("is named as it is written, and is only the nearest where nothing is near", () => {
    expect(findNearest("blgo", ["Blog", "docs"])).toEqual({ word: "Blog", meant: true });
    expect(findNearest("colour", KEYS)).toEqual({ word: "layout", meant: false });
    expect(findNearest("", ["blog", "blogs"])).toEqual({ word: "blog", meant: false });
  });
});
