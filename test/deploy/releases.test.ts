import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { createRunProcess } from "../../src/deploy/process/process.ts";
import type { RunProcess } from "../../src/domain/layout.ts";
import { git } from "../support/git.ts";
import { Site, snapshotText } from "./site.ts";

setDefaultTimeout(120_000);

let site: Site;
beforeEach(() => {
  site = new Site("releases");
  site.repository.commit({ "index.html": "one" });
});
afterEach(() => site.remove());

const at = (...path: readonly string[]) => join(site.directory, ...path);
const names = () => readdirSync(at("releases")).sort();
/** The releases whose commits the mirror keeps. */
const kept = () => git(at("repo"), "for-each-ref", "--format=%(refname:lstrip=3)", "refs/hooklatch/releases");

test("names the release after its time and commit, and makes current a relative link to it", async () => {
  const { release } = await site.deploy();
  expect(release).toMatch(/^\d{8}T\d{6}Z-[0-9a-f]{12}$/);
  expect(release).toEndWith(site.repository.tip.slice(0, 12));
  expect(readlinkSync(at("current"))).toBe(`releases/${release}`);
  expect(readdirSync(site.directory).sort()).toEqual(["current", "releases", "repo", "shared"]);
  renameSync(site.directory, join(site.root, "moved"));
  expect(readFileSync(join(site.root, "moved/current/index.html"), "utf8")).toBe("one");
});

test("runs the steps in the directory of the release before it is live", async () => {
  const first = await site.deploy();
  const result = await site.deploy({
    run: ["pwd", "readlink ../../current"],
    after: ["readlink ../../current"],
  });
  expect(result.lines.slice(-5)).toEqual([
    at("releases", String(result.release)),
    "$ readlink ../../current",
    `releases/${first.release}`,
    "$ readlink ../../current",
    `releases/${result.release}`,
  ]);
});

test("removes a failed release and its ref in the mirror", async () => {
  const { release } = await site.deploy();
  await site.deploy({ run: ["mkdir deep && touch deep/file && exit 1"] });
  await site.deploy({ after: ["false"] });
  expect(names()).toEqual([String(release)]);
  expect(readlinkSync(at("current"))).toBe(`releases/${release}`);
  expect(kept()).toBe(String(release));
});

test("removes current when the first deployment fails after going live", async () => {
  expect((await site.deploy({ after: ["readlink ../../current; exit 1"] })).state).toBe("failed");
  expect(names()).toEqual([]);
  expect(readdirSync(site.directory).sort()).toEqual(["releases", "repo", "shared"]);
});

test("keeps as many releases as configured and removes the others", async () => {
  const made: string[] = [];
  for (let n = 0; n < 5; n += 1) made.push(String((await site.deploy({ keepReleases: 3 })).release));
  expect(names()).toEqual(made.slice(2));
  expect(kept().split("\n")).toEqual(made.slice(2));
});

test("never removes the live release, the previous release or other directories", async () => {
  const first = await site.deploy();
  mkdirSync(at("releases", "notes"));
  mkdirSync(at("releases", "20261121T203500Z-aaaaaaaaaaaa"));
  mkdirSync(at("releases", "20261121T203501Z-aaaaaaaaaaaa"));
  const second = await site.deploy({ keepReleases: 1 });
  expect(names()).toEqual([String(first.release), String(second.release), "notes"].sort());
  expect(String(second.release) > "20261121T203501Z").toBe(true);
});

describe("a release", () => {
  const RUN = [
    "git sparse-checkout set docs",
    "git config filter.secret.smudge false && git config filter.secret.required true",
    "git config core.bare true",
    "git update-ref refs/tags/made HEAD && rm -f .git/refs/tags/v1",
  ];

  test("cannot change the repository of a later one", async () => {
    site.repository.commit({ "docs/a": "a", "app/b": "b", ".gitattributes": "index.html filter=secret\n" });
    expect(await site.deploy({ run: RUN })).toMatchObject({ state: "succeeded" });
    site.repository.commit({ "index.html": "two" });
    const run = [
      "git status --short --branch",
      "git rev-parse --is-inside-work-tree",
      "cat app/b index.html",
    ];
    const result = await site.deploy({ run: [...run, "git tag --list"] });
    expect(result).toMatchObject({ state: "succeeded", reason: null });
    const output = result.lines.filter((line) => !line.startsWith("$ "));
    expect(output.slice(-3)).toEqual(["## HEAD (no branch)", "true", "btwo"]);
  });

  test.skipIf(Bun.which("git-crypt") === null)(
    "decrypts its own files with git-crypt, like the one before",
    async () => {
      const crypt = (...args: readonly string[]) =>
        Bun.spawnSync(["git-crypt", ...args], { cwd: site.repository.path }).exitCode;
      const key = join(site.root, "key");
      expect([crypt("init"), crypt("export-key", key)]).toEqual([0, 0]);
      site.repository.commit({
        ".gitattributes": "secret.txt filter=git-crypt diff=git-crypt\n",
        "secret.txt": "TOP",
      });
      const run = [`git-crypt unlock ${key}`, "cat secret.txt"];
      expect(await site.deploy({ run })).toMatchObject({ state: "succeeded" });
      site.repository.commit({ "index.html": "two" });
      const result = await site.deploy({ run });
      expect(result).toMatchObject({ state: "succeeded", reason: null });
      expect(result.lines.at(-1)).toBe("TOP");
    },
  );

  test("is a repository also where nothing else of the target exists", async () => {
    site.repository.git("tag", "--annotate", "--message", "one", "v1");
    site.repository.commit({ "index.html": "two" });
    const copy = join(site.root, "copy");
    await site.deploy({ run: ["test -d .git", `cp -a . ${copy}`] });
    rmSync(site.directory, { recursive: true });
    expect(git(copy, "rev-parse", "HEAD")).toBe(site.repository.tip);
    expect(git(copy, "fsck", "--strict")).toBe("");
    expect(git(copy, "describe")).toBe(site.repository.git("describe"));
    expect(git(copy, "status", "--short")).toBe("");
  });

  test("shares its objects with the mirror and takes up no further space for them", async () => {
    const { release } = await site.deploy();
    const packs = readdirSync(at("repo/objects/pack")).filter((name) => name.endsWith(".pack"));
    expect(packs.length).toBe(1);
    const inodes = [at("repo"), at("releases", String(release), ".git")].map(
      (path) => statSync(join(path, "objects/pack", String(packs[0]))).ino,
    );
    expect(inodes[0]).toBe(inodes[1]);
  });

  test("keeps its commit in the mirror when the branch no longer has it", async () => {
    const first = await site.deploy();
    site.repository.git("reset", "--hard", "--quiet", "HEAD~0");
    site.repository.git("commit", "--amend", "--quiet", "--message", "Another");
    await site.deploy();
    git(at("repo"), "reflog", "expire", "--expire=now", "--all");
    git(at("repo"), "gc", "--quiet", "--prune=now");
    expect(git(at("repo"), "cat-file", "-t", String(first.commit))).toBe("commit");
  });

  test("made by version 0.1.0 stays usable and is removed in its turn", async () => {
    const { release } = await site.deploy();
    const old = "20261120T000000Z-aaaaaaaaaaaa";
    git(at("repo"), "worktree", "add", "--quiet", "--detach", at("releases", old), "refs/hooklatch/tip");
    await site.deploy({ keepReleases: 3 });
    expect(git(at("releases", old), "status", "--short")).toBe("");
    const last = await site.deploy({ keepReleases: 3 });
    expect(names()).toEqual([String(release), expect.any(String), String(last.release)]);
    expect(existsSync(at("repo/worktrees", old))).toBe(false);
  });
});

test("shares a path between releases, initialised from the repository", async () => {
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
  writeFileSync(at("shared/config/site.ini"), "theme=dark");
  await site.deploy({ shared: ["config/site.ini"], keepReleases: 1 });
  expect(readFileSync(at("current/config/site.ini"), "utf8")).toBe("theme=dark");
});

test.each([
  [".env", null],
  ["config/app.yml", null],
  ["v1.2", null],
  ["uploads", "directory"],
  [".cache/", "directory"],
  ["var/v1.2/", "directory"],
] as const)("without a shared %s or one in the repository, creates: %s", async (path, kind) => {
  const result = await site.deploy({ shared: [path], run: ["true"] });
  if (kind === "directory") {
    expect(result).toMatchObject({ state: "succeeded", reason: null });
    expect(statSync(at("shared", path)).isDirectory()).toBe(true);
    expect(statSync(at("current", path)).isDirectory()).toBe(true);
    return;
  }
  expect(result).toMatchObject({ state: "failed", code: "shared_path_unusable", steps: [] });
  expect(result.reason).toContain(at("shared", path));
  expect(snapshotText(result.reason)).toMatchSnapshot();
  expect(existsSync(at("shared", path))).toBe(false);
  mkdirSync(dirname(at("shared", path)), { recursive: true });
  writeFileSync(at("shared", path), "KEY=1");
  expect(await site.deploy({ shared: [path] })).toMatchObject({ state: "succeeded", reason: null });
  expect(readFileSync(at("current", path), "utf8")).toBe("KEY=1");
});

test("rejects a file where an entry of shared names a directory", async () => {
  site.repository.commit({ "own.txt": "a file" });
  await site.deploy();
  writeFileSync(at("shared/data"), "a file");
  const reasons: string[] = [];
  for (const path of ["own.txt/", "data/"]) {
    const result = await site.deploy({ shared: [path] });
    expect(result).toMatchObject({ state: "failed", code: "shared_path_unusable" });
    reasons.push(snapshotText(result.reason));
  }
  expect(reasons).toMatchSnapshot();
  expect(readFileSync(at("shared/data"), "utf8")).toBe("a file");
});

test("creates nothing outside the release when a parent of a shared path is a link", async () => {
  const outside = join(site.root, "outside");
  mkdirSync(outside);
  symlinkSync(outside, join(site.repository.path, "var"));
  site.repository.commitAll();
  const result = await site.deploy({ shared: ["var/cache"], run: ["echo never"] });
  expect(result).toMatchObject({ state: "failed", code: "shared_path_unusable", steps: [] });
  expect(result.reason).toContain("var/cache");
  expect(snapshotText(result.reason)).toMatchSnapshot();
  expect(readdirSync(outside)).toEqual([]);
  expect(names()).toEqual([]);
});

test("creates a shared path as an empty directory when the repository has a link there", async () => {
  const outside = join(site.root, "outside");
  mkdirSync(outside);
  symlinkSync(outside, join(site.repository.path, "uploads"));
  site.repository.commitAll();
  expect((await site.deploy({ shared: ["uploads"], run: ["touch uploads/file"] })).state).toBe("succeeded");
  expect(readdirSync(outside)).toEqual([]);
  expect(readdirSync(at("shared/uploads"))).toEqual(["file"]);
});

test("rejects a shared path that is not inside a release", async () => {
  const reasons: (string | null)[] = [];
  for (const path of ["../elsewhere", "/etc", ".", ".git/hooks", "a/../.."]) {
    const { state, code, reason } = await site.deploy({ shared: [path] });
    expect([state, code]).toEqual(["failed", "shared_path_unusable"]);
    expect(reason).toContain(path);
    reasons.push(reason);
  }
  expect(reasons.map((reason) => snapshotText(reason))).toMatchSnapshot();
  expect(names()).toEqual([]);
});

test("removes the unfinished release of a killed deployment", async () => {
  const { release } = await site.deploy();
  const unfinished = "20261121T203000Z-aaaaaaaaaaaa";
  mkdirSync(at("releases/.coming"));
  git(site.directory, "clone", "--quiet", "repo", join("releases/.coming", unfinished, unfinished));
  git(at("repo"), "update-ref", `refs/hooklatch/releases/${unfinished}`, "refs/hooklatch/tip");
  mkdirSync(at("releases/.going/20261121T203001Z-aaaaaaaaaaaa"), { recursive: true });
  symlinkSync("releases/20261121T203000Z-aaaaaaaaaaaa", at(".current-next"));
  const next = await site.deploy();
  expect(next.state).toBe("succeeded");
  expect(names()).toEqual([String(release), String(next.release)]);
  expect(readdirSync(site.directory).sort()).toEqual(["current", "releases", "repo", "shared"]);
  expect(kept().split("\n")).toEqual([String(release), String(next.release)]);
});

test("continues with an unfinished repository and keeps other files", async () => {
  mkdirSync(at("repo"), { recursive: true });
  writeFileSync(at("README"), "a note of the administrator");
  expect((await site.deploy()).state).toBe("succeeded");
  expect(readFileSync(at("README"), "utf8")).toBe("a note of the administrator");
});

test("fails with advice and changes nothing when current is not a link", async () => {
  mkdirSync(at("current"), { recursive: true });
  writeFileSync(at("current/index.html"), "not a release");
  const result = await site.deploy();
  expect(result).toMatchObject({ state: "failed", code: "directory_unusable" });
  expect(result.reason).toContain(at("current"));
  expect(snapshotText(result.reason)).toMatchSnapshot();
  expect(readFileSync(at("current/index.html"), "utf8")).toBe("not a release");
  expect(readdirSync(site.directory)).toEqual(["current"]);
});

test("removes an interrupted checkout, and the next deployment succeeds", async () => {
  const controller = new AbortController();
  const onLine = (line: string) => line.startsWith("$ git checkout") && controller.abort();
  const result = await site.deploy({}, { onLine, signal: controller.signal });
  expect(result).toMatchObject({ state: "interrupted", release: null });
  expect(names()).toEqual([]);
  expect((await site.deploy()).state).toBe("succeeded");
});

describe("the flush to disk", () => {
  const real = createRunProcess({ killAfter: 100 });

  test("runs after the build and before the release is live", async () => {
    const seen: unknown[] = [];
    const run: RunProcess = async (argv, options) => {
      if (argv[0] === "sync") {
        const [release = ""] = argv.slice(-1);
        seen.push(existsSync(at("current")), readFileSync(join(release, "built"), "utf8"));
      }
      return real(argv, options);
    };
    const result = await site.deploy({ run: ["echo built > built"] }, { run });
    expect(result).toMatchObject({ state: "succeeded", reason: null });
    expect(seen).toEqual([false, "built\n"]);
  });

  test("logs a failure, and the deployment succeeds", async () => {
    const run: RunProcess = (argv, options) =>
      real(argv[0] === "sync" ? ["/bin/sh", "-c", "echo no such thing; exit 1"] : argv, options);
    const result = await site.deploy({}, { run });
    expect(result).toMatchObject({ state: "succeeded", reason: null });
    const message = result.lines.at(-1);
    expect(message).toContain(at("releases", String(result.release)));
    expect(message).toContain("no such thing");
    expect(snapshotText(message)).toMatchSnapshot();
  });

  test("can be cancelled, and then nothing goes live", async () => {
    const controller = new AbortController();
    const run: RunProcess = (argv, options) => {
      if (argv[0] === "sync") controller.abort({ kind: "cancelled", reason: "no" });
      return real(argv, options);
    };
    const result = await site.deploy({}, { run, signal: controller.signal });
    expect(result).toMatchObject({ state: "cancelled", reason: "no", release: null });
    expect(existsSync(at("current"))).toBe(false);
  });
});
