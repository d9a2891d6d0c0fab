import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, rmSync } from "node:fs";
import { git, Repository } from "../support/git.ts";
import { Blog } from "./blog.ts";

setDefaultTimeout(120_000);

const hasLfs = Bun.which("git-lfs") !== null;

let blog: Blog;
beforeEach(() => {
  blog = new Blog();
});
afterEach(() => blog[Symbol.asyncDispose]());

describe.each(["releases", "worktree"] as const)("layout %s", (layout) => {
  test("checks out submodules at the recorded commits before the first step", async () => {
    const theme = new Repository(blog.at("theme"));
    theme.commit({ "theme.css": "one" });
    blog.repository.git(
      "-c",
      "protocol.file.allow=always",
      "submodule",
      "add",
      "--quiet",
      theme.path,
      "theme",
    );
    await blog.serve({ layout, keys: 'run = ["cp theme/theme.css built.css"]' });
    expect(await blog.deploy({ "index.html": "one" })).toMatchObject({ state: "succeeded", reason: null });
    expect(blog.read("built.css")).toBe("one");

    theme.commit({ "theme.css": "two" });
    expect(await blog.deploy({ "index.html": "two" })).toMatchObject({ state: "succeeded", reason: null });
    expect(blog.read("built.css")).toBe("one");

    git(`${blog.repository.path}/theme`, "pull", "--quiet", "origin", "main");
    expect(await blog.deploy({ "index.html": "three" })).toMatchObject({ state: "succeeded", reason: null });
    expect(blog.read("built.css")).toBe("two");
  });

  test("fails and keeps the live files when a submodule is unavailable", async () => {
    await blog.serve({ layout });
    await blog.deploy({ "index.html": "one" });
    const theme = new Repository(blog.at("theme"));
    theme.commit({ "theme.css": "one" });
    blog.repository.git(
      "-c",
      "protocol.file.allow=always",
      "submodule",
      "add",
      "--quiet",
      theme.path,
      "theme",
    );
    rmSync(theme.path, { recursive: true });
    const { state, code, reason } = await blog.deploy({ "index.html": "two" });
    expect([state, code]).toEqual(["failed", "checkout_failed"]);
    expect(reason).toContain(theme.path);
    expect(blog.read("index.html")).toBe("one");
    expect(existsSync(blog.live("theme/theme.css"))).toBe(false);
  });

  test.skipIf(!hasLfs)("checks out files of Git LFS before the first step (needs git-lfs)", async () => {
    blog.repository.git("lfs", "install", "--local");
    const attributes = { ".gitattributes": "*.bin filter=lfs diff=lfs merge=lfs -text\n" };
    await blog.serve({ layout, keys: 'run = ["cp large.bin built.bin"]' });
    for (const content of ["large and first", "large and second"]) {
      const deployment = await blog.deploy({ ...attributes, "large.bin": content });
      expect(deployment).toMatchObject({ state: "succeeded", reason: null });
      expect(blog.repository.git("show", "HEAD:large.bin")).toStartWith(
        "version https://git-lfs.github.com/spec/v1",
      );
      expect(blog.read("built.bin")).toBe(content);
    }
  });

  test.skipIf(!hasLfs)(
    "fails and keeps the live files when a file of Git LFS is unavailable (needs git-lfs)",
    async () => {
      await blog.serve({ layout });
      await blog.deploy({ "index.html": "one" });
      blog.repository.git("lfs", "install", "--local");
      blog.repository.commit({ ".gitattributes": "*.bin filter=lfs -text\n", "large.bin": "large" });
      rmSync(`${blog.repository.path}/.git/lfs`, { recursive: true });
      const { state, code, reason } = await blog.deploy();
      expect([state, code]).toEqual(["failed", "checkout_failed"]);
      // The rest of the reason is the output of git-lfs.
      expect(reason?.split(": ")[0]).toMatchSnapshot();
      expect(existsSync(blog.live("large.bin"))).toBe(false);
      expect(blog.read("index.html")).toBe("one");
    },
  );
});
