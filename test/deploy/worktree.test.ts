import { afterEach, beforeEach, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { git, Repository } from "../support/git.ts";
import { Site, snapshotText } from "./site.ts";

setDefaultTimeout(120_000);

let site: Site;
beforeEach(() => {
  site = new Site("worktree");
  site.repository.commit({ "index.html": "one", ".gitignore": "cache/\n" });
});
afterEach(() => site.remove());

const at = (...path: readonly string[]) => join(site.directory, ...path);
const here = (...args: readonly string[]) => git(site.directory, ...args);

test("checks out a local branch of that name, with the clone URL as origin", async () => {
  await site.deploy();
  expect(here("symbolic-ref", "HEAD")).toBe("refs/heads/main");
  expect(here("remote", "get-url", "origin")).toBe(site.repository.path);
  expect(here("rev-parse", "refs/remotes/origin/main")).toBe(site.repository.tip);
  expect(here("status", "--porcelain")).toBe("");
});

test("checks out a tag without a branch", async () => {
  site.repository.git("tag", "v1");
  await site.deploy(site.watch({ kind: "tag", pattern: "v*", prereleases: false }));
  expect(here("rev-parse", "HEAD")).toBe(site.repository.tip);
  expect(here("branch", "--show-current")).toBe("");
});

test("keeps ignored files, removes untracked files and reverts changes", async () => {
  await site.deploy();
  mkdirSync(at("cache"));
  writeFileSync(at("cache/page"), "cached");
  new Repository(at("nested")).commit({ file: "another repository" });
  writeFileSync(at("untracked"), "");
  writeFileSync(at("index.html"), "changed by hand");
  await site.deploy();
  expect(readFileSync(at("cache/page"), "utf8")).toBe("cached");
  expect(readdirSync(site.directory).sort()).toEqual([".git", ".gitignore", "cache", "index.html"]);
  expect(readFileSync(at("index.html"), "utf8")).toBe("one");
});

test("uses a checkout on another branch without moving that branch", async () => {
  git(site.root, "clone", "--quiet", site.repository.path, site.directory);
  here("checkout", "--quiet", "-b", "dev");
  writeFileSync(at("index.html"), "local work");
  here("commit", "--quiet", "--all", "--message", "Local work");
  const dev = here("rev-parse", "dev");
  const main = site.repository.commit({ "index.html": "two" });
  expect((await site.deploy()).state).toBe("succeeded");
  expect(here("rev-parse", "dev")).toBe(dev);
  expect(here("rev-parse", "main")).toBe(main);
  expect(here("symbolic-ref", "HEAD")).toBe("refs/heads/main");
});

test("returns to the previous branch when a step fails", async () => {
  git(site.root, "clone", "--quiet", site.repository.path, site.directory);
  here("checkout", "--quiet", "-b", "dev");
  site.repository.commit({ "index.html": "two", "new.html": "new" });
  expect((await site.deploy({ run: ["echo > made; exit 1"] })).state).toBe("failed");
  expect(here("symbolic-ref", "HEAD")).toBe("refs/heads/dev");
  expect(readFileSync(at("index.html"), "utf8")).toBe("one");
  expect(here("status", "--porcelain")).toBe("");
});

test("rejects a directory that has files but is not a checkout", async () => {
  mkdirSync(site.directory);
  writeFileSync(at("precious"), "precious");
  const result = await site.deploy();
  expect(result).toMatchObject({ state: "failed", code: "directory_unusable" });
  expect(result.reason).toContain(site.directory);
  expect(snapshotText(result.reason)).toMatchSnapshot();
  expect(readdirSync(site.directory)).toEqual(["precious"]);
});

test("never uses a repository that contains the directory", async () => {
  const around = new Repository(join(site.root, "around"));
  const commit = around.commit({ file: "not deployed" });
  const directory = join(around.path, "site");
  mkdirSync(join(directory, ".git"), { recursive: true });
  writeFileSync(join(directory, ".git/HEAD"), "broken");
  expect((await site.deploy({ directory })).state).toBe("failed");
  expect(around.tip).toBe(commit);
  expect(readFileSync(join(around.path, "file"), "utf8")).toBe("not deployed");
});

test("continues with an unfinished checkout", async () => {
  mkdirSync(at(".git"), { recursive: true });
  writeFileSync(at(".git/config.lock"), "");
  expect((await site.deploy()).state).toBe("succeeded");
  expect(existsSync(at("index.html"))).toBe(true);
});

test("replaces an untracked directory by a file of the commit", async () => {
  await site.deploy();
  mkdirSync(at("page/deep"), { recursive: true });
  writeFileSync(at("page/deep/file"), "");
  site.repository.commit({ page: "a file" });
  expect((await site.deploy()).state).toBe("succeeded");
  expect(readFileSync(at("page"), "utf8")).toBe("a file");
});

test("restores deleted files", async () => {
  await site.deploy();
  rmSync(at("index.html"));
  await site.deploy();
  expect(readFileSync(at("index.html"), "utf8")).toBe("one");
});

test("returns to the live commit when HEAD is damaged", async () => {
  const { commit } = await site.deploy();
  writeFileSync(at(".git/HEAD"), "");
  site.repository.commit({ "index.html": "two", "new.html": "" });
  const result = await site.deploy({ run: ["false"] }, { deployment: { previousCommit: commit } });
  expect(result).toMatchObject({ state: "failed", code: "step_failed" });
  expect(snapshotText(result.reason)).toMatchSnapshot();
  expect(readFileSync(at("index.html"), "utf8")).toBe("one");
  expect(existsSync(at("new.html"))).toBe(false);
  expect(here("rev-parse", "HEAD")).toBe(String(commit));
});

test("keeps ignored files when a failed first deployment is removed", async () => {
  const run = ["mkdir cache && touch cache/page made && exit 1"];
  expect((await site.deploy({ run })).state).toBe("failed");
  expect(readdirSync(site.directory).sort()).toEqual([".git", "cache"]);
  expect((await site.deploy()).state).toBe("succeeded");
  expect(here("symbolic-ref", "HEAD")).toBe("refs/heads/main");
});

test("removes the files of submodules with a failed first deployment", async () => {
  const other = new Repository(join(site.root, "other"));
  other.commit({ file: "from the submodule" });
  site.repository.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", other.path, "sub");
  site.repository.commitAll();
  const failed = await site.deploy({ run: ["test -e sub/file && exit 7"] });
  expect(failed).toMatchObject({ state: "failed", code: "step_failed", steps: [{ exitCode: 7 }] });
  expect(snapshotText(failed.reason)).toMatchSnapshot();
  expect(readdirSync(site.directory)).toEqual([".git"]);
  expect((await site.deploy()).state).toBe("succeeded");
  expect(readFileSync(at("sub/file"), "utf8")).toBe("from the submodule");
});

test.each([
  ["release", "release/v2"],
  ["feature/a", "feature"],
])("follows the branch %s that was renamed to %s, and back", async (from, to) => {
  const watch = (name: string) => site.watch({ kind: "branch", name });
  const rename = (old: string, name: string) => {
    site.repository.git("branch", "--move", old, "between");
    site.repository.git("branch", "--move", "between", name);
  };
  rename("main", from);
  await site.deploy(watch(from));
  rename(from, to);
  site.repository.commit({ "index.html": "renamed" });
  const failed = await site.deploy({ ...watch(to), run: ["false"] });
  expect(failed).toMatchObject({ state: "failed", code: "step_failed" });
  expect(failed.reason).not.toContain("reverting");
  expect(git(site.directory, "symbolic-ref", "--short", "HEAD")).toBe(from);
  for (const name of [to, from]) {
    if (name === from) rename(to, from);
    const commit = site.repository.commit({ "index.html": `now ${name}` });
    expect(await site.deploy(watch(name))).toMatchObject({ state: "succeeded", reason: null, commit });
    expect(readFileSync(join(site.directory, "index.html"), "utf8")).toBe(`now ${name}`);
    expect(git(site.directory, "status", "--short", "--branch")).toBe(`## ${name}`);
  }
});
