import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { createRunProcess } from "../../src/deploy/process.ts";
import type { RunProcess } from "../../src/domain/layout.ts";
import { git } from "../support/git.ts";
import { Site } from "./site.ts";

setDefaultTimeout(120_000);

let site: Site;
beforeEach(() => {
  site = new Site("releases");
  site.repository.commit({ "index.html": "one" });
});
afterEach(() => site.remove());

const at = (...path: readonly string[]) => join(site.directory, ...path);
const names = () => readdirSync(at("releases")).sort();
const workTrees = () => git(at("repo"), "worktree", "list", "--porcelain").match(/^worktree .*/gm)?.length;

test("names the release for its time and commit, and links current to it relatively", async () => {
  const { release } = await site.deploy();
  expect(release).toMatch(/^\d{8}T\d{6}Z-[0-9a-f]{12}$/);
  expect(release).toEndWith(site.repository.tip.slice(0, 12));
  expect(readlinkSync(at("current"))).toBe(`releases/${release}`);
  expect(readdirSync(site.directory).sort()).toEqual(["current", "releases", "repo", "shared"]);
  renameSync(site.directory, join(site.root, "moved"));
  expect(readFileSync(join(site.root, "moved/current/index.html"), "utf8")).toBe("one");
});

test("runs the steps in the release's own directory, before it is live", async () => {
  const first = await site.deploy();
  const ending = await site.deploy({
    run: ["pwd", "readlink ../../current"],
    after: ["readlink ../../current"],
  });
  expect(ending.lines.slice(-5)).toEqual([
    at("releases", String(ending.release)),
    "$ readlink ../../current",
    `releases/${first.release}`,
    "$ readlink ../../current",
    `releases/${ending.release}`,
  ]);
});

test("removes a release that failed, also from what git knows", async () => {
  const { release } = await site.deploy();
  await site.deploy({ run: ["mkdir deep && touch deep/file && exit 1"] });
  await site.deploy({ after: ["false"] });
  expect(names()).toEqual([String(release)]);
  expect(readlinkSync(at("current"))).toBe(`releases/${release}`);
  expect(workTrees()).toBe(2);
});

test("leaves no current when the first deployment fails after going live", async () => {
  expect((await site.deploy({ after: ["readlink ../../current; exit 1"] })).state).toBe("failed");
  expect(names()).toEqual([]);
  expect(readdirSync(site.directory).sort()).toEqual(["releases", "repo", "shared"]);
});

test("keeps as many releases as told, and nothing of the others", async () => {
  const made: string[] = [];
  for (let n = 0; n < 5; n += 1) made.push(String((await site.deploy({ keepReleases: 3 })).release));
  expect(names()).toEqual(made.slice(2));
  expect(workTrees()).toBe(4);
});

test("never removes the live release, the one before it, or what is not a release", async () => {
  const first = await site.deploy();
  mkdirSync(at("releases", "notes"));
  mkdirSync(at("releases", "20261121T203500Z-aaaaaaaaaaaa"));
  mkdirSync(at("releases", "20261121T203501Z-aaaaaaaaaaaa"));
  const second = await site.deploy({ keepReleases: 1 });
  expect(names()).toEqual([String(first.release), String(second.release), "notes"].sort());
  expect(String(second.release) > "20261121T203501Z").toBe(true);
});

test("shares a path between releases, beginning with what the repository has there", async () => {
  site.repository.commit({ "uploads/first.txt": "from the repository" });
  const shared = ["uploads", "var/cache/pages/"];
  await site.deploy({ shared, run: ["echo written > uploads/second.txt; touch var/cache/pages/one"] });
  expect(readlinkSync(at("current/uploads"))).toBe("../../shared/uploads");
  expect(readlinkSync(at("current/var/cache/pages"))).toBe("../../../../shared/var/cache/pages");
  site.repository.commit({ "uploads/first.txt": "changed in the repository" });
  expect(await site.deploy({ shared })).toMatchObject({ state: "succeeded", reason: null });
  expect(readFileSync(at("current/uploads/first.txt"), "utf8")).toBe("from the repository");
  expect(readFileSync(at("current/uploads/second.txt"), "utf8")).toBe("written\n");
  expect(existsSync(at("shared/var/cache/pages/one"))).toBe(true);
  expect(readdirSync(at("shared")).sort()).toEqual(["uploads", "var"]);
});

test("shares a single file", async () => {
  site.repository.commit({ "config/site.ini": "theme=plain" });
  await site.deploy({ shared: ["config/site.ini"] });
  writeFileSync(at("shared/config/site.ini"), "theme=ours");
  await site.deploy({ shared: ["config/site.ini"], keepReleases: 1 });
  expect(readFileSync(at("current/config/site.ini"), "utf8")).toBe("theme=ours");
});

test("makes nothing outside the release when a parent of a shared path is a link", async () => {
  const outside = join(site.root, "outside");
  mkdirSync(outside);
  symlinkSync(outside, join(site.repository.path, "var"));
  site.repository.commitAll();
  const ending = await site.deploy({ shared: ["var/cache"], run: ["echo never"] });
  const reason = "shared path var/cache: var is a symbolic link in the repository";
  expect(ending).toMatchObject({ state: "failed", reason, steps: [] });
  expect(readdirSync(outside)).toEqual([]);
  expect(names()).toEqual([]);
});

test("begins a shared path as an empty directory when the repository has a link there", async () => {
  const outside = join(site.root, "outside");
  mkdirSync(outside);
  symlinkSync(outside, join(site.repository.path, "uploads"));
  site.repository.commitAll();
  expect((await site.deploy({ shared: ["uploads"], run: ["touch uploads/file"] })).state).toBe("succeeded");
  expect(readdirSync(outside)).toEqual([]);
  expect(readdirSync(at("shared/uploads"))).toEqual(["file"]);
});

test("refuses a shared path that is not inside a release", async () => {
  for (const path of ["../elsewhere", "/etc", ".", ".git/hooks", "a/../.."]) {
    const ending = await site.deploy({ shared: [path] });
    expect(ending.reason).toBe(`shared path ${path} is not a path inside a release`);
  }
  expect(names()).toEqual([]);
});

test("removes what a killed deployment left half-way", async () => {
  const { release } = await site.deploy();
  const half = at("releases/.coming/20261121T203000Z-aaaaaaaaaaaa");
  mkdirSync(at("releases/.coming"));
  git(at("repo"), "worktree", "add", "--quiet", "--detach", half, "refs/hooklatch/tip");
  git(at("repo"), "worktree", "lock", half);
  mkdirSync(at("releases/.going/20261121T203001Z-aaaaaaaaaaaa"), { recursive: true });
  symlinkSync("releases/20261121T203000Z-aaaaaaaaaaaa", at(".current-next"));
  const next = await site.deploy();
  expect(next.state).toBe("succeeded");
  expect(names()).toEqual([String(release), String(next.release)]);
  expect(readdirSync(site.directory).sort()).toEqual(["current", "releases", "repo", "shared"]);
  expect(workTrees()).toBe(3);
});

test("goes on from a repository that was only begun, beside files of others", async () => {
  mkdirSync(at("repo"), { recursive: true });
  writeFileSync(at("README"), "a note of the administrator's");
  expect((await site.deploy()).state).toBe("succeeded");
  expect(readFileSync(at("README"), "utf8")).toBe("a note of the administrator's");
});

test("says what to do, and changes nothing, when current is not a link", async () => {
  mkdirSync(at("current"), { recursive: true });
  writeFileSync(at("current/index.html"), "theirs");
  const ending = await site.deploy();
  const reason = `${at("current")} is not a symbolic link; move it away, or choose another directory`;
  expect(ending).toMatchObject({ state: "failed", reason });
  expect(readFileSync(at("current/index.html"), "utf8")).toBe("theirs");
  expect(readdirSync(site.directory)).toEqual(["current"]);
});

test("ends a checkout half-way without a trace, and makes the release the next time", async () => {
  const controller = new AbortController();
  const onLine = (line: string) => line.startsWith("$ git worktree add") && controller.abort();
  const ending = await site.deploy({}, { onLine, signal: controller.signal });
  expect(ending).toMatchObject({ state: "interrupted", release: null });
  expect(names()).toEqual([]);
  expect((await site.deploy()).state).toBe("succeeded");
});

describe("flushing to disk", () => {
  const real = createRunProcess({ killAfter: 100 });

  test("comes after the build and before the release is live", async () => {
    const seen: unknown[] = [];
    const run: RunProcess = async (argv, options) => {
      if (argv[0] === "sync") {
        const [release = ""] = argv.slice(-1);
        seen.push(existsSync(at("current")), readFileSync(join(release, "built"), "utf8"));
      }
      return real(argv, options);
    };
    const ending = await site.deploy({ run: ["echo built > built"] }, { run });
    expect(ending).toMatchObject({ state: "succeeded", reason: null });
    expect(seen).toEqual([false, "built\n"]);
  });

  test("is told of, and hinders nothing, where it cannot be done", async () => {
    const run: RunProcess = (argv, options) =>
      real(argv[0] === "sync" ? ["/bin/sh", "-c", "echo no such thing; exit 1"] : argv, options);
    const ending = await site.deploy({}, { run });
    expect(ending).toMatchObject({ state: "succeeded", reason: null });
    expect(ending.lines.at(-1)).toBe(
      `could not flush ${at("releases", String(ending.release))}: no such thing`,
    );
  });

  test("can be cut short, and then nothing goes live", async () => {
    const controller = new AbortController();
    const run: RunProcess = (argv, options) => {
      if (argv[0] === "sync") controller.abort({ kind: "cancelled", reason: "no" });
      return real(argv, options);
    };
    const ending = await site.deploy({}, { run, signal: controller.signal });
    expect(ending).toMatchObject({ state: "cancelled", reason: "no", release: null });
    expect(existsSync(at("current"))).toBe(false);
  });
});
