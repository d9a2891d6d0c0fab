import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readRemoteTip } from "../../src/deploy/git/ls-remote.ts";
import { runProcess } from "../../src/deploy/process/process.ts";
import type { WatchedRef } from "../../src/domain/target.ts";
import { Repository } from "../support/git.ts";
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

function queryTip(ref: WatchedRef, cloneUrl = repository.path) {
  const target = targetOf("blog", { repository: { fullName: "octocat/blog", ref, cloneUrl } });
  return readRemoteTip(target, { run: runProcess, env: { PATH: process.env.PATH } });
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
