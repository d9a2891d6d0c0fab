import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openGit, UNHEARD } from "../../src/deploy/git.ts";
import { createRunProcess } from "../../src/deploy/process.ts";
import { makeBare } from "../../src/deploy/repository.ts";
import { fetchTip } from "../../src/deploy/tip.ts";
import type { WatchedRef } from "../../src/domain/target.ts";
import { GIT_ENV, git, Repository } from "../support/git.ts";
import { FakeClock } from "./fake-clock.ts";

setDefaultTimeout(120_000);

let directory: string;
let repository: Repository;
let bare: string;
const clock = new FakeClock();

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "hooklatch-test-"));
  repository = new Repository(join(directory, "origin"));
  bare = join(directory, "repo");
  mkdirSync(bare);
});
afterEach(() => rmSync(directory, { recursive: true }));

const MAIN: WatchedRef = { kind: "branch", name: "main" };
const VERSIONS: WatchedRef = { kind: "tag", pattern: "v*" };

async function choose(
  chosenCommit: string | null,
  ref: WatchedRef = MAIN,
  pushedCommit: string | null = null,
) {
  const env = { PATH: String(process.env.PATH), ...GIT_ENV };
  const opened = openGit(bare, { GIT_DIR: bare }, { run: createRunProcess({ killAfter: 100 }), env });
  expect(await makeBare(bare, opened)).toBeNull();
  const watch = { repository: "octocat/blog", ref, cloneUrl: repository.path };
  const wanted = { watch, into: "refs/hooklatch/tip", pushedCommit, chosenCommit };
  return fetchTip(opened, wanted, { clock, onDoing: () => {} }, UNHEARD);
}

describe("a commit that a person chose", () => {
  test("is taken instead of the tip, by its name or the start of it", async () => {
    const first = repository.commit({ a: "1" });
    repository.commit({ a: "2" });
    for (const chosen of [first, first.slice(0, 7), first.slice(0, 12).toUpperCase()]) {
      expect(await choose(chosen)).toEqual({ ref: "main", commit: first, note: null });
    }
  });

  test("is not waited for, and neither is the pushed one", async () => {
    const first = repository.commit({ a: "1" });
    expect(await choose(first, MAIN, "b".repeat(40))).toEqual({ ref: "main", commit: first, note: null });
    expect(clock.naps).toEqual([]);
  });

  test("is asked for by its full name when it is on another branch, or on none", async () => {
    repository.commit({ a: "1" });
    repository.git("checkout", "--quiet", "-b", "other");
    const aside = repository.commit({ a: "2" });
    repository.git("config", "uploadpack.allowAnySHA1InWant", "true");
    const start = aside.slice(0, 7);
    const reason = `commit ${start} is not in ${repository.path}, as far as it was fetched; give its full name`;
    expect(choose(start)).rejects.toMatchObject({ code: "failed", message: reason });
    expect(await choose(aside)).toEqual({ ref: "main", commit: aside, note: null });
    repository.git("checkout", "--quiet", "main");
    repository.git("branch", "-D", "other");
    expect(await choose(start)).toMatchObject({ commit: aside });
  });

  test("is refused when there is none of that name", async () => {
    repository.commit({ a: "1" });
    const nothing = "0123456789".repeat(4);
    const message = `commit ${nothing} is not in ${repository.path}`;
    await expect(choose(nothing)).rejects.toMatchObject({ code: "failed", message });
  });

  test("is refused when the name is that of something else", async () => {
    repository.commit({ a: "1" });
    const tree = repository.git("rev-parse", "HEAD^{tree}");
    await expect(choose(tree)).rejects.toMatchObject({
      message: `commit ${tree} is not in ${repository.path}`,
    });
  });

  test("is not a branch or a tag that is named like one", async () => {
    const first = repository.commit({ a: "1" });
    repository.commit({ a: "2" });
    repository.git("tag", first.slice(0, 7));
    git(directory, "init", "--quiet", "--bare", bare);
    git(bare, "fetch", "--quiet", repository.path, "+refs/tags/*:refs/tags/*");
    git(bare, "tag", "--force", first.slice(0, 7), git(bare, "rev-parse", "FETCH_HEAD"));
    expect(await choose(first.slice(0, 7))).toMatchObject({ commit: first });
  });

  test("is refused when the start of its name fits several", async () => {
    repository.commit({ a: "1" });
    const [one, other] = commitTwins(repository);
    repository.git("update-ref", "refs/heads/main", one);
    repository.git("merge", "--quiet", "--strategy=ours", "--allow-unrelated-histories", "-m", "Both", other);
    const start = one.slice(0, 7);
    const message = `${start} stands for more than one commit here; give more digits of it`;
    await expect(choose(start)).rejects.toMatchObject({ code: "failed", message });
    expect(await choose(one)).toMatchObject({ commit: one });
  });

  test("has the name of the newest watched tag at it, where there is one", async () => {
    const first = repository.commit({ a: "1" });
    for (const tag of ["v1.9", "v1.10", "other"]) repository.git("tag", "-a", "-m", tag, tag);
    const between = repository.commit({ a: "2" });
    repository.commit({ a: "3" });
    repository.git("tag", "v2");
    expect(await choose(first, VERSIONS)).toEqual({ ref: "v1.10", commit: first, note: null });
    expect(await choose(between, VERSIONS)).toEqual({ ref: between, commit: between, note: null });
  });
});

/** Two commits whose names begin with the same seven digits: of some ten thousand there are two. */
function commitTwins(repository: Repository): readonly [string, string] {
  const tree = repository.git("rev-parse", "HEAD^{tree}");
  const seen = new Map<string, string>();
  for (let time = 1; ; time += 1) {
    const who = `Ada <ada@example.com> ${time} +0000`;
    const text = `tree ${tree}\nauthor ${who}\ncommitter ${who}\n\nA twin\n`;
    const start = createHash("sha1").update(`commit ${text.length}\0${text}`).digest("hex").slice(0, 7);
    const twin = seen.get(start);
    if (twin !== undefined) return [write(repository, twin), write(repository, text)];
    seen.set(start, text);
  }
}

function write(repository: Repository, commit: string): string {
  const path = join(repository.path, ".git", "twin");
  writeFileSync(path, commit);
  return repository.git("hash-object", "-t", "commit", "-w", path);
}
