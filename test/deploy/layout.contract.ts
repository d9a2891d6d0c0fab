import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { WatchedTag } from "../../src/domain/target.ts";
import { createClock, idOf, Site, snapshotText } from "./site.ts";

/** Tests the contract of a layout with a real repository. */
export function testLayout(layout: string, gitDirectory: string): void {
  describe(`layout ${layout}`, () => {
    let site: Site;
    beforeEach(() => {
      site = new Site(layout);
      site.repository.commit({ "index.html": "one", "pages/about.html": "about" });
    });
    afterEach(() => site.remove());

    const page = () => readFileSync(join(site.live, "index.html"), "utf8");

    test("makes the first commit live", async () => {
      const result = await site.deploy();
      expect(result).toMatchObject({
        state: "succeeded",
        reason: null,
        branch: "main",
        commit: site.repository.tip,
      });
      expect(page()).toBe("one");
      expect(readFileSync(join(site.live, "pages/about.html"), "utf8")).toBe("about");
    });

    test("makes the next commit live and removes deleted files", async () => {
      await site.deploy();
      site.repository.commit({ "index.html": "two", "pages/about.html": null });
      expect((await site.deploy()).state).toBe("succeeded");
      expect(page()).toBe("two");
      expect(existsSync(join(site.live, "pages/about.html"))).toBe(false);
    });

    test("deploys the same commit twice", async () => {
      await site.deploy();
      expect((await site.deploy()).state).toBe("succeeded");
      expect(page()).toBe("one");
    });

    test("runs the commands in a git checkout of the new files", async () => {
      const commit = site.repository.tip;
      const result = await site.deploy({ run: ["cat index.html", ["git", "rev-parse", "HEAD"]] });
      expect(result.lines).toContain("one");
      expect(result.lines).toContain(commit);
      expect(result.steps.map(({ command, exitCode }) => [command, exitCode])).toEqual([
        ["cat index.html", 0],
        ["git rev-parse HEAD", 0],
      ]);
    });

    test("keeps the live release and runs no further step when a step fails", async () => {
      await site.deploy();
      site.repository.commit({ "index.html": "two" });
      const result = await site.deploy({ run: ["echo fine", "exit 3", "echo never"], after: ["echo never"] });
      expect(result).toMatchObject({ state: "failed", code: "step_failed" });
      expect(result.reason).toContain("exit 3");
      expect(snapshotText(result.reason)).toMatchSnapshot();
      expect(result.steps.map(({ exitCode }) => exitCode)).toEqual([0, 3]);
      expect(result.lines).not.toContain("never");
      expect(page()).toBe("one");
    });

    test("reverts to the previous release when a step after going live fails", async () => {
      const first = await site.deploy();
      site.repository.commit({ "index.html": "two" });
      const result = await site.deploy({
        after: [`cat index.html; test "$(cat index.html)" = one || kill -9 $$`],
      });
      expect(result).toMatchObject({ state: "failed", code: "step_failed" });
      expect(result.reason).toContain("SIGKILL");
      expect(result.reason).toContain(idOf(first));
      expect(result.steps.map(({ exitCode }) => exitCode)).toEqual([null, 0]);
      const output = result.lines.slice(-5).filter((line) => !line.startsWith("$"));
      expect(output).toEqual(["two", expect.stringContaining(idOf(first)), "one"]);
      expect([result.reason, output[1]].map((text) => snapshotText(text))).toMatchSnapshot();
      expect(page()).toBe("one");
    });

    test("deploys again after a failure", async () => {
      await site.deploy({ run: ["false"] });
      expect((await site.deploy()).state).toBe("succeeded");
      expect(page()).toBe("one");
    });

    test("follows a forced push", async () => {
      site.repository.commit({ "index.html": "to be forgotten" });
      await site.deploy();
      site.repository.git("reset", "--hard", "--quiet", "HEAD~1");
      const commit = site.repository.commit({ "index.html": "another two" });
      expect(await site.deploy()).toMatchObject({ state: "succeeded", commit });
      expect(page()).toBe("another two");
    });

    test("names a branch that does not exist and keeps the live release", async () => {
      await site.deploy();
      site.repository.git("branch", "--move", "main", "other");
      const result = await site.deploy();
      expect(result).toMatchObject({ state: "failed", code: "ref_missing", commit: null });
      expect(result.reason).toContain("main");
      expect(result.reason).toContain(site.repository.path);
      expect(snapshotText(result.reason)).toMatchSnapshot();
      expect(page()).toBe("one");
    });

    test("does not confuse a tag with the branch of the same name", async () => {
      const first = site.repository.tip;
      site.repository.git("tag", "main");
      const tip = site.repository.commit({ "index.html": "two" });
      expect(first).not.toBe(tip);
      expect((await site.deploy()).commit).toBe(tip);
    });

    test("reports the error of git when the repository cannot be read", async () => {
      const { repository } = site.watch();
      const cloneUrl = join(site.root, "nowhere");
      const result = await site.deploy({ repository: repository && { ...repository, cloneUrl } });
      const gitMessage = `'${cloneUrl}' does not appear to be a git repository`;
      expect(result).toMatchObject({ state: "failed", code: "fetch_failed" });
      expect(result.reason).toContain(gitMessage);
      expect(snapshotText(result.reason, { [gitMessage]: "<git's message>" })).toMatchSnapshot();
    });

    test("treats a clone URL that looks like an option or a command as an address", async () => {
      const { repository } = site.watch();
      for (const cloneUrl of ["--upload-pack=touch hacked", "ext::touch hacked"]) {
        const result = await site.deploy({ repository: repository && { ...repository, cloneUrl } });
        expect(result).toMatchObject({ state: "failed", code: "fetch_failed" });
      }
      const found = [site.directory, join(site.directory, "repo")].map((at) =>
        existsSync(join(at, "hacked")),
      );
      expect(found).toEqual([false, false]);
    });

    test("deploys a branch whose name contains shell syntax", async () => {
      const name = "feature/$(touch${IFS}hacked);id&`id`'\"";
      site.repository.git("branch", name);
      const result = await site.deploy({ ...site.watch({ kind: "branch", name }) });
      expect(result).toMatchObject({ state: "succeeded", branch: name });
      expect(existsSync(join(site.directory, "hacked"))).toBe(false);
    });

    test("deploys the tip, not an older pushed commit", async () => {
      const pushedCommit = site.repository.tip;
      const commit = site.repository.commit({ "index.html": "two" });
      const clock = createClock();
      const result = await site.deploy({}, { clock, deployment: { pushedCommit } });
      expect(result).toMatchObject({ state: "succeeded", commit, reason: null });
      expect(clock.skipped).toEqual([]);
    });

    test("waits for a pushed commit that arrives late", async () => {
      const pushedCommit = site.repository.commit({ "index.html": "two" });
      site.repository.git("reset", "--hard", "--quiet", "HEAD~1");
      const clock = createClock((milliseconds) => {
        if (milliseconds === 4_000) site.repository.git("reset", "--hard", "--quiet", pushedCommit);
      });
      const result = await site.deploy({}, { clock, deployment: { pushedCommit } });
      expect(result).toMatchObject({ state: "succeeded", commit: pushedCommit, reason: null });
      expect(clock.skipped).toEqual([1_000, 2_000, 4_000]);
      expect(page()).toBe("two");
    });

    test("deploys the tip after a minute, with a reason, when the pushed commit does not arrive", async () => {
      const clock = createClock();
      const commit = site.repository.tip;
      const pushedCommit = "b".repeat(40);
      const result = await site.deploy({}, { clock, deployment: { pushedCommit } });
      expect(result).toMatchObject({ state: "succeeded", commit });
      const commits = { [commit.slice(0, 12)]: "<tip>", [pushedCommit.slice(0, 12)]: "<pushed commit>" };
      for (const text of Object.keys(commits)) expect(result.reason).toContain(text);
      expect(snapshotText(result.reason, commits)).toMatchSnapshot();
      expect(clock.skipped.reduce((sum, milliseconds) => sum + milliseconds)).toBe(60_000);
    });

    test("succeeds with the lock files of a killed deployment", async () => {
      await site.deploy();
      const gitPath = join(site.directory, gitDirectory);
      for (const lock of ["config.lock", "packed-refs.lock", "HEAD.lock", "index.lock"]) {
        writeFileSync(join(gitPath, lock), "");
      }
      for (const ref of ["refs/hooklatch", "refs/remotes/origin", "refs/heads"]) {
        mkdirSync(join(gitPath, ref), { recursive: true });
        for (const name of ["tip", "main"]) writeFileSync(join(gitPath, ref, `${name}.lock`), "");
      }
      writeFileSync(join(gitPath, "objects/pack/tmp_pack_abc"), "half a pack");
      site.repository.commit({ "index.html": "two" });
      expect(await site.deploy()).toMatchObject({ state: "succeeded", reason: null });
      expect(page()).toBe("two");
      expect(existsSync(join(gitPath, "objects/pack/tmp_pack_abc"))).toBe(false);
    });

    test("keeps file names with special characters", async () => {
      const names = ["--force", "-rf", " two  spaces ", "new\nline", "ü/日本語", 'quo"te', "*", "$(id)"];
      site.repository.commit(Object.fromEntries(names.map((name) => [name, name])));
      await site.deploy();
      for (const name of names) expect(readFileSync(join(site.live, name), "utf8")).toBe(name);
      site.repository.commit(Object.fromEntries(names.map((name) => [name, null])));
      await site.deploy();
      expect(names.filter((name) => existsSync(join(site.live, name)))).toEqual([]);
    });

    test("changes nothing behind a symbolic link of the repository", async () => {
      const outside = join(site.root, "outside");
      mkdirSync(outside);
      writeFileSync(join(outside, "precious"), "precious");
      symlinkSync(outside, join(site.repository.path, "pages-link"));
      site.repository.commitAll();
      await site.deploy({ keepReleases: 1 });
      site.repository.git("rm", "--quiet", "pages-link");
      site.repository.commit({ "pages-link/precious": "from the repository" });
      for (const run of [["false"], [], []]) await site.deploy({ run, keepReleases: 1 });
      expect(readFileSync(join(site.live, "pages-link/precious"), "utf8")).toBe("from the repository");
      expect(readFileSync(join(outside, "precious"), "utf8")).toBe("precious");
    });

    test("runs no hook from the git templates of the machine", async () => {
      const template = join(site.root, "template");
      mkdirSync(join(template, "hooks"), { recursive: true });
      writeFileSync(join(template, "hooks/post-checkout"), `#!/bin/sh\ntouch ${site.root}/hooked\n`, {
        mode: 0o755,
      });
      const env = { ...site.target().env, GIT_TEMPLATE_DIR: template };
      expect((await site.deploy({ env })).state).toBe("succeeded");
      expect(existsSync(join(site.root, "hooked"))).toBe(false);
    });

    test("deploys the newest version among the matching tags", async () => {
      const tags: WatchedTag = { kind: "tag", pattern: "v*", prereleases: false };
      const commits = new Map<string, string>();
      for (const tag of ["v9", "v10-rc1", "v10", "w11"]) {
        commits.set(tag, site.repository.commit({ "index.html": tag }));
        site.repository.git("tag", "--annotate", "--message", tag, tag);
      }
      const result = await site.deploy({ ...site.watch(tags), run: ["echo $HOOKLATCH_TAG"] });
      expect(result).toMatchObject({ state: "succeeded", branch: "v10", commit: commits.get("v10") });
      expect(result.lines).toContain("v10");
      expect(page()).toBe("v10");
      site.repository.git("tag", "--delete", "v10", "v10-rc1");
      expect(await site.deploy(site.watch(tags))).toMatchObject({ branch: "v9", commit: commits.get("v9") });
      expect(page()).toBe("v9");
    });

    test("follows a moved tag and skips a tag of a tree", async () => {
      const tags: WatchedTag = { kind: "tag", pattern: "*", prereleases: false };
      site.repository.git("tag", "release/1");
      await site.deploy(site.watch(tags));
      const commit = site.repository.commit({ "index.html": "two" });
      site.repository.git("tag", "--force", "release/1");
      site.repository.git("tag", "release/2", "HEAD^{tree}");
      expect(await site.deploy(site.watch(tags))).toMatchObject({ branch: "release/1", commit });
    });

    test("does not wait when the pushed tag exists but is an older version", async () => {
      const pushedCommit = site.repository.tip;
      site.repository.git("tag", "v1.0.1");
      site.repository.git("checkout", "--quiet", "--orphan", "next");
      const commit = site.repository.commit({ "index.html": "two" });
      site.repository.git("tag", "v2.0.0");
      const clock = createClock();
      const watch = site.watch({ kind: "tag", pattern: "v*", prereleases: false });
      const result = await site.deploy(watch, { clock, deployment: { pushedCommit } });
      expect(result).toMatchObject({ state: "succeeded", branch: "v2.0.0", commit, reason: null });
      expect(clock.skipped).toEqual([]);
    });

    test("has the tags of a fresh clone, also after tags were moved, renamed and deleted", async () => {
      const tag = (name: string) =>
        site.repository.git("tag", "--annotate", "--force", "--message", name, name);
      for (const name of ["v1", "v2", "gone", "nested"]) tag(name);
      await site.deploy();
      site.repository.commit({ "index.html": "two" });
      site.repository.git("tag", "--delete", "v2", "gone", "nested");
      tag("v1");
      tag("nested/deeper");
      site.repository.commit({ "index.html": "three" });
      const result = await site.deploy({ run: ["git describe", "git tag --list"] });
      expect(result).toMatchObject({ state: "succeeded", reason: null });
      const described = site.repository.git("describe");
      expect(result.lines.slice(-4)).toEqual([described, "$ git tag --list", "nested/deeper", "v1"]);
    });

    test("deploys a pre-release only where those are wanted", async () => {
      const commits = new Map<string, string>();
      for (const tag of ["v1.9.0", "v2.0.0-rc.1", "v1.9.1"]) {
        commits.set(tag, site.repository.commit({ "index.html": tag }));
        site.repository.git("tag", tag);
      }
      for (const [pattern, prereleases, branch] of [
        ["v*", false, "v1.9.1"],
        ["v*", true, "v2.0.0-rc.1"],
        ["v*-rc.*", false, "v2.0.0-rc.1"],
      ] as const) {
        const result = await site.deploy(site.watch({ kind: "tag", pattern, prereleases }));
        expect(result).toMatchObject({ state: "succeeded", branch, commit: commits.get(branch) });
      }
    });

    describe("with a depth", () => {
      const shallow = () => ({ repository: { ...required(site.watch().repository), depth: 1 } });
      const fetches = (lines: readonly string[]) =>
        lines.filter((line) => line.startsWith("$ git fetch")).length;

      test("fetches no history, and is sound", async () => {
        site.repository.commit({ big: randomBytes(3_000_000).toString("hex") });
        site.repository.commit({ big: null });
        const result = await site.deploy({ ...shallow(), run: ["git log --oneline | wc -l", "git fsck"] });
        expect(result).toMatchObject({ state: "succeeded", reason: null });
        expect(result.lines).toContain("1");
        const kilobytes = execFileSync("du", ["-sk", site.directory], { encoding: "utf8" });
        expect(Number.parseInt(kilobytes, 10)).toBeLessThan(1024);
      });

      test("compares the paths with the live commit", async () => {
        const live = (await site.deploy(shallow())).commit;
        for (let n = 0; n < 3; n += 1) site.repository.commit({ "docs/a": String(n) });
        const deployment = { previousCommit: live };
        const result = await site.deploy({ ...shallow(), paths: ["src/**"] }, { deployment });
        expect(result).toMatchObject({ state: "cancelled", code: "paths_unchanged" });
        site.repository.commit({ "src/a": "new" });
        const next = await site.deploy({ ...shallow(), paths: ["src/**"] }, { deployment });
        expect(next).toMatchObject({ state: "succeeded" });
      });

      test("fetches more for a late push, without a wait", async () => {
        const pushedCommit = site.repository.tip;
        for (let n = 0; n < 5; n += 1) site.repository.commit({ "index.html": String(n) });
        const clock = createClock();
        const result = await site.deploy(shallow(), { clock, deployment: { pushedCommit } });
        expect(result).toMatchObject({ state: "succeeded", commit: site.repository.tip, reason: null });
        expect(clock.skipped).toEqual([]);
        expect(fetches(result.lines)).toBe(2);
      });

      test("fetches more for a commit that a person chose by some of its digits", async () => {
        const chosen = site.repository.tip;
        for (let n = 0; n < 5; n += 1) site.repository.commit({ "index.html": String(n) });
        const choice = { kind: "commit", commit: chosen.slice(0, 10) } as const;
        expect(await site.deploy(shallow(), { deployment: { choice } })).toMatchObject({
          state: "succeeded",
          commit: chosen,
        });
        expect(page()).toBe("one");
      });
    });

    test("fails when no tag matches", async () => {
      site.repository.git("tag", "w1");
      const result = await site.deploy(site.watch({ kind: "tag", pattern: "v*", prereleases: false }));
      expect(result).toMatchObject({ state: "failed", code: "ref_missing" });
      for (const text of [site.repository.path, "v*"]) expect(result.reason).toContain(text);
      expect(snapshotText(result.reason)).toMatchSnapshot();
    });

    test("logs the git commands", async () => {
      const { lines } = await site.deploy();
      const refspec = layout === "releases" ? "refs/hooklatch/tip" : "refs/remotes/origin/main";
      const fetch = lines.find((line) => line.startsWith("$ git fetch"));
      expect(fetch).toContain(`-- ${site.repository.path} +refs/heads/main:${refspec}`);
    });
  });
}

function required<T>(value: T | null): T {
  if (value === null) throw new Error("the target has no repository");
  return value;
}
