import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Site } from "./site.ts";

setDefaultTimeout(240_000);

/** Nobody, for whom modes count; they do not for root. */
const UID = 65534;

const isRoot = process.getuid?.() === 0;

test.skipIf(!isRoot || Bun.which("setpriv") === null)(
  "passes as a user that is not root (needs setpriv)",
  () => {
    const home = mkdtempSync(join(tmpdir(), "hooklatch-nobody-"));
    chmodSync(home, 0o755);
    chownSync(home, UID, UID);
    const user = ["--reuid", String(UID), "--regid", String(UID), "--clear-groups"];
    const { exitCode, stderr } = Bun.spawnSync(
      ["setpriv", ...user, process.execPath, "test", "--timeout", "120000", import.meta.path],
      {
        cwd: join(import.meta.dir, "../.."),
        env: { PATH: process.env.PATH, HOME: home, TMPDIR: home },
        stderr: "pipe",
      },
    );
    rmSync(home, { recursive: true, force: true });
    expect([exitCode, exitCode === 0 ? "" : stderr.toString()]).toEqual([0, ""]);
  },
);

describe.skipIf(isRoot)("as a user that is not root", () => {
  let site: Site;
  afterEach(() => {
    Bun.spawnSync(["chmod", "-R", "u+rwX", site.root]);
    site.remove();
  });

  const build = "mkdir -p mod/a@v1 && echo x > mod/a@v1/f && chmod -R a-w mod";

  describe("layout releases", () => {
    beforeEach(() => {
      site = new Site("releases");
    });

    test.each([
      ["a directory", build],
      ["a directory that cannot be read either", `${build} && chmod 000 mod/a@v1`],
      ["everything", "chmod -R a-w ."],
    ])("removes releases in which a step made %s read-only", async (_, run) => {
      for (const content of ["one", "two", "three", "four"]) {
        site.repository.commit({ "index.html": content });
        const result = await site.deploy({ keepReleases: 1, run: [run] });
        expect(result).toMatchObject({ state: "succeeded", reason: null });
      }
      const names = readdirSync(join(site.directory, "releases"));
      expect(names.filter((name) => !name.startsWith("."))).toHaveLength(2);
      expect(names.filter((name) => name.startsWith("."))).toEqual([]);
    });

    test("removes such a release when its deployment failed", async () => {
      site.repository.commit({ "index.html": "one" });
      expect(await site.deploy({ run: [build, "chmod a-w . && false"] })).toMatchObject({ state: "failed" });
      expect(readdirSync(join(site.directory, "releases"))).toEqual([]);
    });

    test("does not change the mode of files that hard links share", async () => {
      site.repository.commit({ "index.html": "one" });
      const store = join(site.root, "store");
      const link = `echo x > ${store} && chmod a-w ${store} && mkdir d && ln ${store} d/file && chmod a-w d`;
      await site.deploy({ keepReleases: 1, run: [link] });
      for (let n = 0; n < 2; n += 1) await site.deploy({ keepReleases: 1 });
      expect(statSync(store).nlink).toBe(1);
      expect(statSync(store).mode & 0o777).toBe(0o444);
    });
  });

  describe("layout worktree", () => {
    beforeEach(() => {
      site = new Site("worktree");
    });

    test.each([
      ["its own files", build],
      ["the repository's files", "chmod -R a-w pages"],
      ["everything", "chmod -R a-w ."],
    ])("goes on when a step made %s read-only", async (_, run) => {
      for (const content of ["one", "two", "three"]) {
        site.repository.commit({ "index.html": content, "pages/page.html": content });
        expect(await site.deploy({ run: [run] })).toMatchObject({ state: "succeeded", reason: null });
        expect(readFileSync(join(site.directory, "pages/page.html"), "utf8")).toBe(content);
      }
      site.repository.commit({ "pages/page.html": null });
      expect(await site.deploy()).toMatchObject({ state: "succeeded", reason: null });
      expect(existsSync(join(site.directory, "pages"))).toBe(false);
      expect(existsSync(join(site.directory, "mod"))).toBe(false);
    });

    test("goes back when a step made files read-only and another failed", async () => {
      site.repository.commit({ "pages/page.html": "one" });
      await site.deploy();
      site.repository.commit({ "pages/page.html": "two" });
      const result = await site.deploy({ run: [build, "chmod -R a-w pages", "false"] });
      expect(result).toMatchObject({ state: "failed", code: "step_failed" });
      expect(result.reason).not.toContain("ermission");
      expect(readFileSync(join(site.directory, "pages/page.html"), "utf8")).toBe("one");
      expect(existsSync(join(site.directory, "mod"))).toBe(false);
    });
  });
});
