import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readRemoteTip } from "../../src/deploy/git/ls-remote.ts";
import { runProcess } from "../../src/deploy/process/process.ts";
import type { RunProcess } from "../../src/domain/layout.ts";
import type { WatchedRef } from "../../src/domain/target.ts";
import { git, Repository } from "../support/git.ts";
import { targetOf } from "../support/target.ts";
import { words } from "../support/words.ts";

setDefaultTimeout(120_000);

let directory: string;
let repository: Repository;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "hooklatch-test-"));
  repository = new Repository(join(directory, "origin"));
});

afterEach(() => rmSync(directory, { recursive: true }));

function queryTip(ref: WatchedRef, cloneUrl = repository.path, run = runProcess) {
  const target = targetOf("blog", { repository: { fullName: "octocat/blog", ref, cloneUrl, depth: null } });
  return readRemoteTip(target, { run, env: { PATH: process.env.PATH } });
}

describe("a query of the remote", () => {
  test("finds the exact branch, not one that ends in its name", async () => {
    const commit = repository.commit({ a: "1" });
    repository.git("checkout", "--quiet", "-b", "feature/main");
    repository.commit({ a: "2" });
    expect(await queryTip({ kind: "branch", name: "main" })).toEqual({ kind: "found", commit });
    repository.git("branch", "-D", "main");
    expect(await queryTip({ kind: "branch", name: "main" })).toEqual({ kind: "absent" });
  });

  test("finds the newest matching tag by version, and the commit of an annotated tag", async () => {
    repository.commit({ a: "1" });
    repository.git("tag", "v9");
    const commit = repository.commit({ a: "2" });
    repository.git("tag", "-a", "v10", "-m", "ten");
    repository.commit({ a: "3" });
    repository.git("tag", "other");
    expect(await queryTip({ kind: "tag", pattern: "v*", prereleases: false })).toEqual({
      kind: "found",
      commit,
    });
    expect(await queryTip({ kind: "tag", pattern: "w*", prereleases: false })).toEqual({ kind: "absent" });
  });

  test("ignores a repository that another user planted in or above its directory", async () => {
    const commit = repository.commit({ a: "1" });
    const program = join(directory, "planted");
    writeFileSync(program, `#!/bin/sh\ntouch ${directory}/executed\nexec git-upload-pack "$@"\n`, {
      mode: 0o755,
    });
    const url = `file://${repository.path}`;
    const plant = (path: string) => {
      git(directory, "init", "--quiet", "--bare", path);
      git(path, "config", `remote.${url}.uploadpack`, program);
    };
    plant(directory);
    let cwd = "";
    const main = { kind: "branch", name: "main" } as const;
    const run: RunProcess = (argv, options) => {
      cwd = options.cwd;
      expect(statSync(cwd).mode & 0o777).toBe(0o700);
      plant(cwd);
      return runProcess(argv, options);
    };
    // Where git would search, the planted configuration does run the program.
    const before = process.env.TMPDIR;
    process.env.TMPDIR = directory;
    try {
      git(directory, "-c", "safe.bareRepository=all", "ls-remote", "--", url);
      expect(existsSync(join(directory, "executed"))).toBe(true);
      rmSync(join(directory, "executed"));
      expect(await queryTip(main, url)).toEqual({ kind: "found", commit });
      expect(await queryTip(main, url, run)).toEqual({ kind: "found", commit });
    } finally {
      if (before === undefined) delete process.env.TMPDIR;
      else process.env.TMPDIR = before;
    }
    expect(cwd).toStartWith(join(directory, "hooklatch-git-"));
    expect(existsSync(join(directory, "executed"))).toBe(false);
    expect(existsSync(cwd)).toBe(false);
  });

  test("reports why the remote is unreachable", async () => {
    const cloneUrl = join(directory, "nowhere");
    const answer = await queryTip({ kind: "branch", name: "main" }, cloneUrl);
    const reason = answer.kind === "unreachable" ? answer.reason : "";
    const gitMessage = `'${cloneUrl}' does not appear to be a git repository`;
    expect(answer).toEqual({ kind: "unreachable", isTimeout: false, reason });
    expect(reason).toContain(gitMessage);
    expect(words(reason, { [gitMessage]: "<git's message>" })).toMatchSnapshot();
  });
});
