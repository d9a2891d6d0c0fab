import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { spawnSync } from "node:child_process";
import fc from "fast-check";
import { findBranchProblem, findTagProblem } from "../../src/config/repository.ts";

setDefaultTimeout(120_000);

const LEGAL = [
  "main",
  "feature/main",
  "$(touch${IFS}x)",
  "a;id",
  "it's",
  "ünïcode",
  "@",
  "a@b",
  "v1.0",
  "a{b",
  "x.locked",
];
const ILLEGAL = [
  ...[
    "",
    "/a",
    "a/",
    "a//b",
    ".a",
    "a/.b",
    "a.lock",
    "a.lock/b",
    "a..b",
    "a.",
    "a@{b",
    "a b",
    "a\tb",
    "a\nb",
  ],
  ...["a~b", "a^b", "a:b", "a?b", "a*b", "a[b", "a\\b", "a\x7fb", "a\0b"],
];

function gitAllows(name: string): boolean {
  return spawnSync("git", ["check-ref-format", `refs/heads/${name}`]).status === 0;
}

describe("a branch name", () => {
  test.each(LEGAL)("may be %p", (name) => {
    expect(findBranchProblem(name)).toBeNull();
  });

  test.each(ILLEGAL)("cannot be %p", (name) => {
    const reason = findBranchProblem(name);
    expect(reason).not.toBeNull();
    expect(reason).toBe(findBranchProblem("a b"));
  });

  test("cannot be a name that git commands interpret in another way", () => {
    const reasons = ["-rf", "HEAD", "refs/heads/main", "refs/tags/v1", "a b"].map(findBranchProblem);
    expect(new Set(reasons).size).toBe(5);
    expect(reasons[2]).toContain('"main"');
    expect(reasons).toMatchSnapshot();
  });

  test("is valid exactly when git accepts it", () => {
    const piece = fc.constantFrom(..."ab./~^:?*[\\@{- \x7f\x01é".split(""), "..", ".lock", "@{", "//");
    const name = fc.array(piece, { minLength: 1, maxLength: 5 }).map((pieces) => pieces.join(""));
    fc.assert(
      fc.property(
        name.filter((text) => !text.startsWith("-")),
        (text) => {
          expect(findBranchProblem(text) === null).toBe(gitAllows(text));
        },
      ),
      { numRuns: 150 },
    );
  });
});

describe("a tag pattern", () => {
  test("is a tag name that may contain stars", () => {
    for (const pattern of ["v1.0", "v*", "*", "release/*/final"]) expect(findTagProblem(pattern)).toBeNull();
    for (const pattern of ["v?", "v[0-9]", "", "a..*", "refs/tags/v*", "-*"]) {
      expect(findTagProblem(pattern)).not.toBeNull();
    }
  });
});
