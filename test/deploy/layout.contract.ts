import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { FakeClock } from "./fake-clock.ts";
import { Site } from "./site.ts";

/** What every layout promises, tried on a real repository. */
export function testLayout(layout: string, gitDirectory: string): void {
  describe(`layout ${layout}`, () => {
    let site: Site;
    beforeEach(() => {
      site = new Site(layout);
      site.repository.commit({ "index.html": "one", "pages/about.html": "about" });
    });
    afterEach(() => site.remove());

    const page = () => readFileSync(join(site.live, "index.html"), "utf8");

    test("puts the first commit live", async () => {
      const ending = await site.deploy();
      expect(ending).toMatchObject({
        state: "succeeded",
        reason: null,
        branch: "main",
        commit: site.repository.tip,
      });
      expect(page()).toBe("one");
      expect(readFileSync(join(site.live, "pages/about.html"), "utf8")).toBe("about");
    });

    test("puts the next commit live, without what it removed", async () => {
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

    test("runs the commands where the new files are, so that git works there", async () => {
      const commit = site.repository.tip;
      const ending = await site.deploy({ run: ["cat index.html", ["git", "rev-parse", "HEAD"]] });
      expect(ending.lines).toContain("one");
      expect(ending.lines).toContain(commit);
      expect(ending.steps.map(({ command, exitCode }) => [command, exitCode])).toEqual([
        ["cat index.html", 0],
        ["git rev-parse HEAD", 0],
      ]);
    });

    test("leaves live what was, and runs nothing further, when a step fails", async () => {
      await site.deploy();
      site.repository.commit({ "index.html": "two" });
      const ending = await site.deploy({ run: ["echo fine", "exit 3", "echo never"], after: ["echo never"] });
      expect(ending).toMatchObject({ state: "failed", reason: 'step "exit 3" exited with 3' });
      expect(ending.steps.map(({ exitCode }) => exitCode)).toEqual([0, 3]);
      expect(ending.lines).not.toContain("never");
      expect(page()).toBe("one");
    });

    test("puts back what was live when a step after going live fails", async () => {
      const { commit, release } = await site.deploy();
      site.repository.commit({ "index.html": "two" });
      const ending = await site.deploy({
        after: [`cat index.html; test "$(cat index.html)" = one || kill -9 $$`],
      });
      const name = release === null ? `commit ${commit?.slice(0, 12)}` : `release ${release}`;
      expect(ending.state).toBe("failed");
      expect(ending.reason).toEndWith(` was ended by SIGKILL; ${name} is live again`);
      expect(ending.steps.map(({ exitCode }) => exitCode)).toEqual([null, 0]);
      expect(ending.lines.slice(-5).filter((line) => !line.startsWith("$"))).toEqual([
        "two",
        `putting back ${name}`,
        "one",
      ]);
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

    test("fails with the branch's name when it is gone, and leaves live what was", async () => {
      await site.deploy();
      site.repository.git("branch", "--move", "main", "other");
      const ending = await site.deploy();
      const reason = `branch main does not exist in ${site.repository.path}`;
      expect(ending).toMatchObject({ state: "failed", reason, commit: null });
      expect(page()).toBe("one");
    });

    test("does not take a tag for the branch of the same name", async () => {
      const first = site.repository.tip;
      site.repository.git("tag", "main");
      const tip = site.repository.commit({ "index.html": "two" });
      expect(first).not.toBe(tip);
      expect((await site.deploy()).commit).toBe(tip);
    });

    test("fails with git's reason when the repository cannot be read", async () => {
      const { watch } = site.watch();
      const cloneUrl = join(site.root, "nowhere");
      const ending = await site.deploy({ watch: watch && { ...watch, cloneUrl } });
      expect(ending).toMatchObject({
        state: "failed",
        reason: `git fetch failed: '${cloneUrl}' does not appear to be a git repository`,
      });
    });

    test("takes a clone URL that looks like an option or a command as an address", async () => {
      const { watch } = site.watch();
      for (const cloneUrl of ["--upload-pack=touch hacked", "ext::touch hacked"]) {
        const ending = await site.deploy({ watch: watch && { ...watch, cloneUrl } });
        expect(ending.state).toBe("failed");
      }
      const found = [site.directory, join(site.directory, "repo")].map((at) =>
        existsSync(join(at, "hacked")),
      );
      expect(found).toEqual([false, false]);
    });

    test("deploys a branch whose name is a shell's nightmare", async () => {
      const name = "feature/$(touch${IFS}hacked);id&`id`'\"";
      site.repository.git("branch", name);
      const ending = await site.deploy({ ...site.watch({ kind: "branch", name }) });
      expect(ending).toMatchObject({ state: "succeeded", branch: name });
      expect(existsSync(join(site.directory, "hacked"))).toBe(false);
    });

    test("takes the tip, not an older pushed commit", async () => {
      const pushedCommit = site.repository.tip;
      const commit = site.repository.commit({ "index.html": "two" });
      const clock = new FakeClock();
      const ending = await site.deploy({}, { clock, deployment: { pushedCommit } });
      expect(ending).toMatchObject({ state: "succeeded", commit, reason: null });
      expect(clock.naps).toEqual([]);
    });

    test("waits for a pushed commit that arrives late", async () => {
      const pushedCommit = site.repository.commit({ "index.html": "two" });
      site.repository.git("reset", "--hard", "--quiet", "HEAD~1");
      const clock = new FakeClock((nap) => {
        if (nap === 4_000) site.repository.git("reset", "--hard", "--quiet", pushedCommit);
      });
      const ending = await site.deploy({}, { clock, deployment: { pushedCommit } });
      expect(ending).toMatchObject({ state: "succeeded", commit: pushedCommit, reason: null });
      expect(clock.naps).toEqual([1_000, 2_000, 4_000]);
      expect(page()).toBe("two");
    });

    test("deploys the tip after a minute, and says so, when the pushed commit never arrives", async () => {
      const clock = new FakeClock();
      const commit = site.repository.tip;
      const pushedCommit = "b".repeat(40);
      const ending = await site.deploy({}, { clock, deployment: { pushedCommit } });
      const reason = `the tip ${commit.slice(0, 12)} does not contain the pushed commit bbbbbbbbbbbb`;
      expect(ending).toMatchObject({ state: "succeeded", commit, reason });
      expect(clock.naps.reduce((sum, nap) => sum + nap)).toBe(60_000);
    });

    test("is not held up by what a killed deployment left", async () => {
      await site.deploy();
      const own = join(site.directory, gitDirectory);
      for (const lock of ["config.lock", "packed-refs.lock", "HEAD.lock", "index.lock"]) {
        writeFileSync(join(own, lock), "");
      }
      for (const ref of ["refs/hooklatch", "refs/remotes/origin", "refs/heads"]) {
        mkdirSync(join(own, ref), { recursive: true });
        for (const name of ["tip", "main"]) writeFileSync(join(own, ref, `${name}.lock`), "");
      }
      writeFileSync(join(own, "objects/pack/tmp_pack_abc"), "half of a pack");
      site.repository.commit({ "index.html": "two" });
      expect(await site.deploy()).toMatchObject({ state: "succeeded", reason: null });
      expect(page()).toBe("two");
      expect(existsSync(join(own, "objects/pack/tmp_pack_abc"))).toBe(false);
    });

    test("keeps odd file names as they are", async () => {
      const names = ["--force", "-rf", " two  spaces ", "new\nline", "ü/日本語", 'quo"te', "*", "$(id)"];
      site.repository.commit(Object.fromEntries(names.map((name) => [name, name])));
      await site.deploy();
      for (const name of names) expect(readFileSync(join(site.live, name), "utf8")).toBe(name);
      site.repository.commit(Object.fromEntries(names.map((name) => [name, null])));
      await site.deploy();
      expect(names.filter((name) => existsSync(join(site.live, name)))).toEqual([]);
    });

    test("touches nothing behind a symbolic link in the repository", async () => {
      const outside = join(site.root, "outside");
      mkdirSync(outside);
      writeFileSync(join(outside, "precious"), "precious");
      symlinkSync(outside, join(site.repository.path, "pages-link"));
      site.repository.commitAll();
      await site.deploy({ keepReleases: 1 });
      site.repository.git("rm", "--quiet", "pages-link");
      site.repository.commit({ "pages-link/precious": "ours" });
      for (const run of [["false"], [], []]) await site.deploy({ run, keepReleases: 1 });
      expect(readFileSync(join(site.live, "pages-link/precious"), "utf8")).toBe("ours");
      expect(readFileSync(join(outside, "precious"), "utf8")).toBe("precious");
    });

    test("runs no hook of the machine's", async () => {
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
      const tags: WatchTags = { kind: "tag", pattern: "v*" };
      const commits = new Map<string, string>();
      for (const tag of ["v9", "v10-rc1", "v10", "w11"]) {
        commits.set(tag, site.repository.commit({ "index.html": tag }));
        site.repository.git("tag", "--annotate", "--message", tag, tag);
      }
      const ending = await site.deploy({ ...site.watch(tags), run: ["echo $HOOKLATCH_TAG"] });
      expect(ending).toMatchObject({ state: "succeeded", branch: "v10", commit: commits.get("v10") });
      expect(ending.lines).toContain("v10");
      expect(page()).toBe("v10");
      site.repository.git("tag", "--delete", "v10", "v10-rc1");
      expect(await site.deploy(site.watch(tags))).toMatchObject({ branch: "v9", commit: commits.get("v9") });
      expect(page()).toBe("v9");
    });

    test("follows a tag that was moved, and tags of which one names a tree", async () => {
      const tags: WatchTags = { kind: "tag", pattern: "*" };
      site.repository.git("tag", "release/1");
      await site.deploy(site.watch(tags));
      const commit = site.repository.commit({ "index.html": "two" });
      site.repository.git("tag", "--force", "release/1");
      site.repository.git("tag", "release/2", "HEAD^{tree}");
      expect(await site.deploy(site.watch(tags))).toMatchObject({ branch: "release/1", commit });
    });

    test("does not wait when the pushed tag is there but an older version", async () => {
      const pushedCommit = site.repository.tip;
      site.repository.git("tag", "v1.0.1");
      site.repository.git("checkout", "--quiet", "--orphan", "next");
      const commit = site.repository.commit({ "index.html": "two" });
      site.repository.git("tag", "v2.0.0");
      const clock = new FakeClock();
      const watch = site.watch({ kind: "tag", pattern: "v*" });
      const ending = await site.deploy(watch, { clock, deployment: { pushedCommit } });
      expect(ending).toMatchObject({ state: "succeeded", branch: "v2.0.0", commit, reason: null });
      expect(clock.naps).toEqual([]);
    });

    test("fails when no tag matches", async () => {
      site.repository.git("tag", "w1");
      const ending = await site.deploy(site.watch({ kind: "tag", pattern: "v*" }));
      const reason = `no tag in ${site.repository.path} matches v*`;
      expect(ending).toMatchObject({ state: "failed", reason });
    });

    test("tells what git does", async () => {
      const { lines } = await site.deploy();
      const refspec = layout === "releases" ? "refs/hooklatch/tip" : "refs/remotes/origin/main";
      const fetch = lines.find((line) => line.startsWith("$ git fetch"));
      expect(fetch).toContain(`-- ${site.repository.path} +refs/heads/main:${refspec}`);
    });
  });
}

type WatchTags = { readonly kind: "tag"; readonly pattern: string };
