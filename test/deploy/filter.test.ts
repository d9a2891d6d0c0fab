import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Deployment } from "../../src/domain/deployment.ts";
import type { Target } from "../../src/domain/target.ts";
import { Site } from "./site.ts";

setDefaultTimeout(120_000);

let site: Site;
/** What is live. */
let live: string | null;

/** Deploys as after a push, or for another reason. */
async function deploy(target: Partial<Target> = {}, deployment: Partial<Deployment> = {}) {
  const ending = await site.deploy(target, { deployment: { previousCommit: live, ...deployment } });
  if (ending.state === "succeeded") live = ending.commit;
  return ending;
}

const page = () => readFileSync(join(site.live, "index.html"), "utf8");

describe.each(["releases", "worktree"])("layout %s", (layout) => {
  beforeEach(async () => {
    site = new Site(layout);
    live = null;
    site.repository.commit({ "index.html": "one", "docs/a.md": "a" });
    await deploy();
  });
  afterEach(() => site.remove());

  test.each(["Work [skip deploy]", "Work\n\nLong story.\n[Deploy Skip]"])(
    "skips a tip whose message is %j, and runs nothing",
    async (message) => {
      site.repository.commit({ "index.html": "two" });
      const commit = site.repository.commit({ "index.html": "three" }, message);
      const ending = await deploy({ run: ["echo never"] });
      const reason = "skipped: the tip's message says [skip deploy]";
      expect(ending).toMatchObject({ state: "cancelled", reason, commit, branch: "main", release: null });
      expect(ending.steps).toEqual([]);
      expect(ending.lines.some((line) => /never|checkout|worktree/.test(line))).toBe(false);
      expect(page()).toBe("one");
    },
  );

  test("deploys what was skipped with the next tip that does not ask for it", async () => {
    site.repository.commit({ "index.html": "two" }, "Work [skip deploy]");
    await deploy();
    site.repository.commit({ "docs/a.md": "b" });
    expect((await deploy()).state).toBe("succeeded");
    expect(page()).toBe("two");
  });

  test.each(["manual", "rollback"] as const)(
    "skips nothing that a person asked for (%s)",
    async (trigger) => {
      site.repository.commit({ "index.html": "two" }, "Work [skip deploy]");
      expect((await deploy({ paths: ["docs/**"] }, { trigger })).state).toBe("succeeded");
      expect(page()).toBe("two");
    },
  );

  test("does not take an author for the message", async () => {
    site.repository.git("config", "user.name", "unused");
    const author = "[skip deploy] <ada@example.com>";
    site.repository.git("commit", "--quiet", "--allow-empty", `--author=${author}`, "--message", "Work");
    expect((await deploy()).state).toBe("succeeded");
  });

  /** What is committed, the settings, and why it is skipped or null. */
  const CASES: readonly [
    title: string,
    files: Readonly<Record<string, string | null>>,
    settings: Partial<Target>,
    reason: string | null,
  ][] = [
    ["a file that fits", { "index.html": "two" }, { paths: ["*.html"] }, null],
    [
      "files that do not fit",
      { "src/index.html": "", "docs/a.md": "b", "docs/b/c.md": "" },
      { paths: ["*.html", "docs/*.txt"] },
      "none of the 3 files that differ from what is live fits paths",
    ],
    [
      "one file that does not fit",
      { "a/b.md": "" },
      { paths: ["a/*.html"] },
      "the one file that differs from what is live does not fit paths",
    ],
    ["a file deep in a directory", { "docs/b/c/d.md": "" }, { paths: ["docs/**"] }, null],
    ["a file in any directory", { "b/c/d.md": "" }, { paths: ["**/*.md"] }, null],
    ["a file that is gone", { "docs/a.md": null }, { paths: ["docs/**"] }, null],
    [
      "a file that was moved away",
      { "docs/a.md": null, "elsewhere/a.md": "a" },
      { paths: ["docs/**"] },
      null,
    ],
    [
      "only what is ignored",
      { "docs/a.md": "b" },
      { ignorePaths: ["docs/**"] },
      "the one file that differs from what is live fits ignore_paths",
    ],
    [
      "only what is ignored, twice",
      { "docs/a.md": "b", "docs/b.md": "b" },
      { ignorePaths: ["docs/**"] },
      "the 2 files that differ from what is live fit ignore_paths",
    ],
    [
      "more than what is ignored",
      { "docs/a.md": "b", "index.html": "two" },
      { ignorePaths: ["docs/**"] },
      null,
    ],
    [
      "what fits but is ignored",
      { "src/a.md": "", "index.html": "two" },
      { paths: ["src/**"], ignorePaths: ["**/*.md"] },
      "none of the 2 files that differ from what is live fits paths and not ignore_paths",
    ],
    ["a directory's name", { "docs/a.md": "b" }, { paths: ["docs"] }, null],
    ["a name that begins like pathspec magic", { ":!x": "" }, { paths: [":!x"] }, null],
    ["odd names", { 'ü/\n"a b"': "" }, { paths: ["ü/*"] }, null],
    ["nothing", {}, { paths: ["**"] }, "no file differs from what is live"],
  ];

  test.each(CASES)("%s", async (_, files, settings, why) => {
    site.repository.commit(files);
    const ending = await deploy({ ...settings, run: ["echo ran"] });
    expect(ending).toMatchObject(
      why === null
        ? { state: "succeeded", reason: null }
        : { state: "cancelled", reason: `skipped: ${why}`, commit: site.repository.tip, release: null },
    );
    expect(ending.lines.includes("ran")).toBe(why === null);
  });

  test("counts everything that differs from what is live, not only the last push", async () => {
    site.repository.commit({ "index.html": "two" });
    expect((await deploy({ run: ["false"], paths: ["*.html"] })).state).toBe("failed");
    site.repository.commit({ "docs/a.md": "b" });
    expect((await deploy({ paths: ["*.html"] })).state).toBe("succeeded");
    expect(page()).toBe("two");
  });

  test.each([null, "b".repeat(40)])("deploys when what is live is unknown (%p)", async (previousCommit) => {
    site.repository.commit({ "docs/a.md": "b" });
    expect((await deploy({ paths: ["*.html"] }, { previousCommit })).state).toBe("succeeded");
  });
});
