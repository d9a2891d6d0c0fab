import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Deployment } from "../../src/domain/deployment.ts";
import type { Target } from "../../src/domain/target.ts";
import { Site, snapshotText } from "./site.ts";

setDefaultTimeout(120_000);

let site: Site;
/** The live commit. */
let live: string | null;

/** Deploys as after a push, or with another trigger. */
async function deploy(target: Partial<Target> = {}, deployment: Partial<Deployment> = {}) {
  const result = await site.deploy(target, { deployment: { previousCommit: live, ...deployment } });
  if (result.state === "succeeded") live = result.commit;
  return result;
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
    "skips a tip whose message is %j and runs nothing",
    async (message) => {
      site.repository.commit({ "index.html": "two" });
      const commit = site.repository.commit({ "index.html": "three" }, message);
      const result = await deploy({ run: ["echo never"] });
      const code = "skip_requested";
      expect(result).toMatchObject({ state: "cancelled", code, commit, branch: "main", release: null });
      expect(result.reason).toContain("[skip deploy]");
      expect(snapshotText(result.reason)).toMatchSnapshot();
      expect(result.steps).toEqual([]);
      expect(result.lines.some((line) => /never|checkout|worktree/.test(line))).toBe(false);
      expect(page()).toBe("one");
    },
  );

  test("deploys skipped commits with the next tip that is not skipped", async () => {
    site.repository.commit({ "index.html": "two" }, "Work [skip deploy]");
    await deploy();
    site.repository.commit({ "docs/a.md": "b" });
    expect((await deploy()).state).toBe("succeeded");
    expect(page()).toBe("two");
  });

  test.each(["manual", "rollback"] as const)(
    "skips no deployment that a person started (%s)",
    async (trigger) => {
      site.repository.commit({ "index.html": "two" }, "Work [skip deploy]");
      expect((await deploy({ paths: ["docs/**"] }, { trigger })).state).toBe("succeeded");
      expect(page()).toBe("two");
    },
  );

  test("ignores [skip deploy] in the author name", async () => {
    site.repository.git("config", "user.name", "unused");
    const author = "[skip deploy] <ada@example.com>";
    site.repository.git("commit", "--quiet", "--allow-empty", `--author=${author}`, "--message", "Work");
    expect((await deploy()).state).toBe("succeeded");
  });

  /** The committed files, the settings, and the facts in the reason to skip; null when it deploys. */
  const CASES: readonly [
    title: string,
    files: Readonly<Record<string, string | null>>,
    settings: Partial<Target>,
    facts: readonly string[] | null,
  ][] = [
    ["a file that matches", { "index.html": "two" }, { paths: ["*.html"] }, null],
    [
      "files that do not match",
      { "src/index.html": "", "docs/a.md": "b", "docs/b/c.md": "" },
      { paths: ["*.html", "docs/*.txt"] },
      ["3", "paths"],
    ],
    ["one file that does not match", { "a/b.md": "" }, { paths: ["a/*.html"] }, ["paths"]],
    ["a file deep in a directory", { "docs/b/c/d.md": "" }, { paths: ["docs/**"] }, null],
    ["a file in any directory", { "b/c/d.md": "" }, { paths: ["**/*.md"] }, null],
    ["a deleted file", { "docs/a.md": null }, { paths: ["docs/**"] }, null],
    [
      "a file that was moved away",
      { "docs/a.md": null, "elsewhere/a.md": "a" },
      { paths: ["docs/**"] },
      null,
    ],
    ["one ignored file", { "docs/a.md": "b" }, { ignorePaths: ["docs/**"] }, ["ignore_paths"]],
    [
      "two ignored files",
      { "docs/a.md": "b", "docs/b.md": "b" },
      { ignorePaths: ["docs/**"] },
      ["2", "ignore_paths"],
    ],
    [
      "an ignored file and another file",
      { "docs/a.md": "b", "index.html": "two" },
      { ignorePaths: ["docs/**"] },
      null,
    ],
    [
      "a file that matches but is ignored",
      { "src/a.md": "", "index.html": "two" },
      { paths: ["src/**"], ignorePaths: ["**/*.md"] },
      ["2", "paths", "ignore_paths"],
    ],
    ["a directory's name", { "docs/a.md": "b" }, { paths: ["docs"] }, null],
    ["a name that begins like pathspec magic", { ":!x": "" }, { paths: [":!x"] }, null],
    ["a name with special characters", { 'ü/\n"a b"': "" }, { paths: ["ü/*"] }, null],
    ["no change", {}, { paths: ["**"] }, []],
  ];

  test.each(CASES)("filters %s", async (_, files, settings, facts) => {
    site.repository.commit(files);
    const result = await deploy({ ...settings, run: ["echo ran"] });
    if (facts === null) {
      expect(result).toMatchObject({ state: "succeeded", code: null, reason: null });
    } else {
      const { tip: commit } = site.repository;
      expect(result).toMatchObject({ state: "cancelled", code: "paths_unchanged", commit, release: null });
      for (const fact of facts) expect(result.reason).toContain(fact);
      expect(snapshotText(result.reason)).toMatchSnapshot();
    }
    expect(result.lines.includes("ran")).toBe(facts === null);
  });

  test("compares with the live commit, not only with the last push", async () => {
    site.repository.commit({ "index.html": "two" });
    expect((await deploy({ run: ["false"], paths: ["*.html"] })).state).toBe("failed");
    site.repository.commit({ "docs/a.md": "b" });
    expect((await deploy({ paths: ["*.html"] })).state).toBe("succeeded");
    expect(page()).toBe("two");
  });

  test.each([null, "b".repeat(40)])(
    "deploys when the live commit is unknown (%p)",
    async (previousCommit) => {
      site.repository.commit({ "docs/a.md": "b" });
      expect((await deploy({ paths: ["*.html"] }, { previousCommit })).state).toBe("succeeded");
    },
  );
});
