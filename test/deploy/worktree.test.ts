import { afterEach, beforeEach, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { git, Repository } from "../support/git.ts";
import { Site } from "./site.ts";

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
  await site.deploy(site.watch({ kind: "tag", pattern: "v*" }));
  expect(here("rev-parse", "HEAD")).toBe(site.repository.tip);
  expect(here("branch", "--show-current")).toBe("");
});

test("keeps ignored files, removes untracked ones, and undoes changes", async () => {
  await site.deploy();
  mkdirSync(at("cache"));
  writeFileSync(at("cache/page"), "kept");
  new Repository(at("nested")).commit({ file: "a repository of somebody's" });
  writeFileSync(at("untracked"), "");
  writeFileSync(at("index.html"), "changed by hand");
  await site.deploy();
  expect(readFileSync(at("cache/page"), "utf8")).toBe("kept");
  expect(readdirSync(site.directory).sort()).toEqual([".git", ".gitignore", "cache", "index.html"]);
  expect(readFileSync(at("index.html"), "utf8")).toBe("one");
});

test("takes over a checkout on another branch, and does not move that branch", async () => {
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

test("goes back to the branch it was on when a step fails", async () => {
  git(site.root, "clone", "--quiet", site.repository.path, site.directory);
  here("checkout", "--quiet", "-b", "dev");
  site.repository.commit({ "index.html": "two", "new.html": "new" });
  expect((await site.deploy({ run: ["echo > made; exit 1"] })).state).toBe("failed");
  expect(here("symbolic-ref", "HEAD")).toBe("refs/heads/dev");
  expect(readFileSync(at("index.html"), "utf8")).toBe("one");
  expect(here("status", "--porcelain")).toBe("");
});

test("refuses a directory with files that are no checkout, and leaves them", async () => {
  mkdirSync(site.directory);
  writeFileSync(at("precious"), "precious");
  const ending = await site.deploy();
  const reason = `${site.directory} has files in it and is not a git checkout; empty it, or choose another directory`;
  expect(ending).toMatchObject({ state: "failed", reason });
  expect(readdirSync(site.directory)).toEqual(["precious"]);
});

test("never takes the repository around the directory for its own", async () => {
  const around = new Repository(join(site.root, "around"));
  const commit = around.commit({ file: "theirs" });
  const directory = join(around.path, "site");
  mkdirSync(join(directory, ".git"), { recursive: true });
  writeFileSync(join(directory, ".git/HEAD"), "broken");
  expect((await site.deploy({ directory })).state).toBe("failed");
  expect(around.tip).toBe(commit);
  expect(readFileSync(join(around.path, "file"), "utf8")).toBe("theirs");
});

test("goes on from a checkout that was only begun", async () => {
  mkdirSync(at(".git"), { recursive: true });
  writeFileSync(at(".git/config.lock"), "");
  expect((await site.deploy()).state).toBe("succeeded");
  expect(existsSync(at("index.html"))).toBe(true);
});

test("replaces an untracked directory that stands where the commit has a file", async () => {
  await site.deploy();
  mkdirSync(at("page/deep"), { recursive: true });
  writeFileSync(at("page/deep/file"), "");
  site.repository.commit({ page: "a file" });
  expect((await site.deploy()).state).toBe("succeeded");
  expect(readFileSync(at("page"), "utf8")).toBe("a file");
});

test("brings back files that were deleted", async () => {
  await site.deploy();
  rmSync(at("index.html"));
  await site.deploy();
  expect(readFileSync(at("index.html"), "utf8")).toBe("one");
});

test("goes back to what counts as live when its HEAD was lost", async () => {
  const { commit } = await site.deploy();
  writeFileSync(at(".git/HEAD"), "");
  site.repository.commit({ "index.html": "two", "new.html": "" });
  const ending = await site.deploy({ run: ["false"] }, { deployment: { previousCommit: commit } });
  expect(ending).toMatchObject({ state: "failed", reason: 'step "false" exited with 1' });
  expect(readFileSync(at("index.html"), "utf8")).toBe("one");
  expect(existsSync(at("new.html"))).toBe(false);
  expect(here("rev-parse", "HEAD")).toBe(String(commit));
});

test("keeps ignored files when the first one is taken down", async () => {
  const run = ["mkdir cache && touch cache/page made && exit 1"];
  expect((await site.deploy({ run })).state).toBe("failed");
  expect(readdirSync(site.directory).sort()).toEqual([".git", "cache"]);
  expect((await site.deploy()).state).toBe("succeeded");
  expect(here("symbolic-ref", "HEAD")).toBe("refs/heads/main");
});

test("takes the files of submodules down with the first one", async () => {
  const other = new Repository(join(site.root, "other"));
  other.commit({ file: "theirs" });
  site.repository.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", other.path, "sub");
  site.repository.commitAll();
  expect((await site.deploy({ run: ["test -e sub/file && exit 7"] })).reason).toEndWith("exited with 7");
  expect(readdirSync(site.directory)).toEqual([".git"]);
  expect((await site.deploy()).state).toBe("succeeded");
  expect(readFileSync(at("sub/file"), "utf8")).toBe("theirs");
});
