import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { spawnSync } from "node:child_process";
import fc from "fast-check";
import { whyNoBranch, whyNoTagPattern } from "../../src/config/ref-name.ts";

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

describe("a branch's name", () => {
  test.each(LEGAL)("may be %p", (name) => {
    expect(whyNoBranch(name)).toBeNull();
  });

  test.each(ILLEGAL)("cannot be %p", (name) => {
    expect(whyNoBranch(name)).toBe("git allows no such name (see git-check-ref-format)");
  });

  test("is not taken where git's commands would take it for something else", () => {
    expect(whyNoBranch("-rf")).toBe("git would take it for an option");
    expect(whyNoBranch("HEAD")).toBe("it means whatever is checked out");
    expect(whyNoBranch("refs/heads/main")).toBe('write "main"');
    expect(whyNoBranch("refs/tags/v1")).toBe("write the short name, without refs/");
  });

  test("is what git itself takes for one", () => {
    const piece = fc.constantFrom(..."ab./~^:?*[\\@{- \x7f\x01é".split(""), "..", ".lock", "@{", "//");
    const name = fc.array(piece, { minLength: 1, maxLength: 5 }).map((pieces) => pieces.join(""));
    fc.assert(
      fc.property(
        name.filter((text) => !text.startsWith("-")),
        (text) => {
          expect(whyNoBranch(text) === null).toBe(gitAllows(text));
        },
      ),
      { numRuns: 150 },
    );
  });
});

describe("a pattern of tags", () => {
  test("is a tag's name in which stars may stand", () => {
    for (const pattern of ["v1.0", "v*", "*", "release/*/final"]) expect(whyNoTagPattern(pattern)).toBeNull();
    for (const pattern of ["v?", "v[0-9]", "", "a..*", "refs/tags/v*", "-*"]) {
      expect(whyNoTagPattern(pattern)).not.toBeNull();
    }
  });
});
