import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { WatchedTags } from "../../src/domain/target.ts";
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
      const tags: WatchedTags = { kind: "tag", pattern: "v*", prereleases: false };
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

    test("leaves pre-releases out, unless the target includes them", async () => {
      const stable: WatchedTags = { kind: "tag", pattern: "v*", prereleases: false };
      const commit = site.repository.commit({ "index.html": "stable" });
      site.repository.git("tag", "v1.9.1");
      const candidate = site.repository.commit({ "index.html": "candidate" });
      site.repository.git("tag", "v2.0.0-rc.1");
      expect(await site.deploy(site.watch(stable))).toMatchObject({ branch: "v1.9.1", commit });
      const all = site.watch({ ...stable, prereleases: true });
      expect(await site.deploy(all)).toMatchObject({ branch: "v2.0.0-rc.1", commit: candidate });
    });

    test("follows a moved tag and skips a tag of a tree", async () => {
      const tags: WatchedTags = { kind: "tag", pattern: "*", prereleases: false };
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
