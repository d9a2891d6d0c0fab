import { describe, expect, test } from "bun:test";
import { configOf, expectFindings, makeHome } from "./home.ts";

const home = makeHome();
const load = (settings: string) => {
  const source =
    '[[source]]\nname = "github"\nprovider = "github"\npath = "/github"\nsecrets = ["env:SECRET"]\n';
  const target = `[[target]]\nname = "blog"\nrepository = "octocat/blog"\ndirectory = "/srv/blog"\n${settings}`;
  home.write("hooklatch.toml", `${source}${target}\n`);
  return home.load({ env: { SECRET: "correct-horse-battery-staple" } });
};

describe("what a target follows", () => {
  test("leaves pre-releases out and fetches the whole history by default", () => {
    const [target] = configOf(load('tag = "v*"')).targets;
    expect(target?.repository).toMatchObject({
      ref: { kind: "tag", pattern: "v*", prereleases: false },
      depth: null,
    });
  });

  test("may include pre-releases, and only some commits", () => {
    const [target] = configOf(load('tag = "v*"\nprereleases = true\ndepth = 5')).targets;
    expect(target?.repository).toMatchObject({ ref: { prereleases: true }, depth: 5 });
  });

  test("cannot be pre-releases of a branch, or no commits", () => {
    expectFindings(load('branch = "main"\nprereleases = true'), [["hooklatch.toml: target[0].prereleases"]]);
    expectFindings(load('branch = "main"\ndepth = 0'), [["hooklatch.toml: target[0].depth"]]);
  });
});
