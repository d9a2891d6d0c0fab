import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fetchTip } from "../../src/deploy/git/fetch.ts";
import { createGit, SILENT_IO } from "../../src/deploy/git/git.ts";
import { makeBare } from "../../src/deploy/git/repair.ts";
import { createRunProcess } from "../../src/deploy/process/process.ts";
import type { FailureCode } from "../../src/domain/codes.ts";
import type { WatchedRef } from "../../src/domain/target.ts";
import { GIT_ENV, git, Repository } from "../support/git.ts";
import { words } from "../support/words.ts";
import { createClock } from "./site.ts";

setDefaultTimeout(120_000);

let directory: string;
let repository: Repository;
let bare: string;
const clock = createClock();

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "hooklatch-test-"));
  repository = new Repository(join(directory, "origin"));
  bare = join(directory, "repo");
  mkdirSync(bare);
});
afterEach(() => rmSync(directory, { recursive: true }));

const MAIN: WatchedRef = { kind: "branch", name: "main" };
const VERSIONS: WatchedRef = { kind: "tag", pattern: "v*", prereleases: false };

async function choose(
  chosenCommit: string | null,
  ref: WatchedRef = MAIN,
  pushedCommit: string | null = null,
) {
  const env = { PATH: String(process.env.PATH), ...GIT_ENV };
  const opened = createGit(
    { kind: "repository", path: bare, from: bare },
    { run: createRunProcess({ killAfter: 100 }), env },
  );
  expect(await makeBare(bare, opened)).toMatchObject({ kind: "succeeded" });
  const watched = { fullName: "octocat/blog", ref, cloneUrl: repository.path, depth: null };
  const request = { repository: watched, into: "refs/hooklatch/tip", pushedCommit, chosenCommit };
  return fetchTip(opened, request, { clock, onActivity: () => {} }, SILENT_IO);
}

/** Returns the message of the error that the choice rejects with. */
async function errorFor(chosenCommit: string, code: FailureCode): Promise<string> {
  const error = await choose(chosenCommit).then(
    () => null,
    (thrown) => thrown,
  );
  expect(error).toMatchObject({ code: "failed", result: code });
  return error.message;
}

const SUMMARY = { subject: expect.any(String), author: expect.any(String), message: expect.any(String) };

describe("a commit that a person chose", () => {
  test("is deployed instead of the tip, by its full or abbreviated name", async () => {
    const first = repository.commit({ a: "1" });
    repository.commit({ a: "2" });
    for (const chosen of [first, first.slice(0, 7), first.slice(0, 12).toUpperCase()]) {
      expect(await choose(chosen)).toEqual({ ref: "main", commit: first, note: null, ...SUMMARY });
    }
  });

  test("causes no wait for the pushed commit", async () => {
    const first = repository.commit({ a: "1" });
    expect(await choose(first, MAIN, "b".repeat(40))).toEqual({
      ref: "main",
      commit: first,
      note: null,
      ...SUMMARY,
    });
    expect(clock.skipped).toEqual([]);
  });

  test("is fetched by its full id when it is on another branch or on none", async () => {
    repository.commit({ a: "1" });
    repository.git("checkout", "--quiet", "-b", "other");
    const aside = repository.commit({ a: "2" });
    repository.git("config", "uploadpack.allowAnySHA1InWant", "true");
    const start = aside.slice(0, 7);
    const message = await errorFor(start, "commit_missing");
    for (const fact of [start, repository.path]) expect(message).toContain(fact);
    expect(words(message, { [start]: "<abbreviated commit>" })).toMatchSnapshot();
    expect(await choose(aside)).toEqual({ ref: "main", commit: aside, note: null, ...SUMMARY });
    repository.git("checkout", "--quiet", "main");
    repository.git("branch", "-D", "other");
    expect(await choose(start)).toMatchObject({ commit: aside });
  });

  test("is rejected when it does not exist", async () => {
    repository.commit({ a: "1" });
    const nothing = "0123456789".repeat(4);
    const message = await errorFor(nothing, "commit_missing");
    for (const fact of [nothing, repository.path]) expect(message).toContain(fact);
    expect(words(message)).toMatchSnapshot();
  });

  test("is rejected when the object is not a commit", async () => {
    repository.commit({ a: "1" });
    const tree = repository.git("rev-parse", "HEAD^{tree}");
    const message = await errorFor(tree, "commit_missing");
    for (const fact of [tree, repository.path]) expect(message).toContain(fact);
    expect(words(message)).toMatchSnapshot();
  });

  test("is not confused with a tag that has the same name", async () => {
    const first = repository.commit({ a: "1" });
    repository.commit({ a: "2" });
    repository.git("tag", first.slice(0, 7));
    git(directory, "init", "--quiet", "--bare", bare);
    git(bare, "fetch", "--quiet", repository.path, "+refs/tags/*:refs/tags/*");
    git(bare, "tag", "--force", first.slice(0, 7), git(bare, "rev-parse", "FETCH_HEAD"));
    expect(await choose(first.slice(0, 7))).toMatchObject({ commit: first });
  });

  test("is rejected when its abbreviated name is ambiguous", async () => {
    repository.commit({ a: "1" });
    const [one, other] = commitTwins(repository);
    repository.git("update-ref", "refs/heads/main", one);
    repository.git("merge", "--quiet", "--strategy=ours", "--allow-unrelated-histories", "-m", "Both", other);
    const start = one.slice(0, 7);
    const message = await errorFor(start, "commit_ambiguous");
    expect(message).toContain(start);
    expect(words(message, { [start]: "<abbreviated commit>" })).toMatchSnapshot();
    expect(await choose(one)).toMatchObject({ commit: one });
  });

  test("has the name of its newest watched tag, or else its own name", async () => {
    const first = repository.commit({ a: "1" });
    for (const tag of ["v1.9", "v1.10", "other"]) repository.git("tag", "-a", "-m", tag, tag);
    const between = repository.commit({ a: "2" });
    repository.commit({ a: "3" });
    repository.git("tag", "v2");
    expect(await choose(first, VERSIONS)).toEqual({ ref: "v1.10", commit: first, note: null, ...SUMMARY });
    expect(await choose(between, VERSIONS)).toEqual({
      ref: between,
      commit: between,
      note: null,
      ...SUMMARY,
    });
  });
});

/** Creates two commits whose names begin with the same seven digits, after some ten thousand tries. */
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
