import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { basename, join } from "node:path";
import { createRunProcess } from "../../src/deploy/process/process.ts";
import type { RunProcess } from "../../src/domain/layout.ts";
import type { Target } from "../../src/domain/target.ts";
import { isLong, times } from "../faults/length.ts";
import { git } from "../support/git.ts";
import { idOf, type Outcome, Site, snapshotText } from "./site.ts";

setDefaultTimeout(120_000);

let site: Site;
let layout: string;
const open = (name: string) => {
  layout = name;
  site = new Site(name);
  site.repository.commit({ "index.html": "one", ".gitignore": "built\n", "uploads/a": "seed" });
};
afterEach(() => site.remove());

const at = (...path: readonly string[]) => join(site.directory, ...path);
const page = () => readFileSync(join(site.live, "index.html"), "utf8");

/** A build in two steps. A release is complete only after both. */
const BUILD: Partial<Target> = {
  run: ["test ! -e built && echo half > built", "echo complete > built"],
  after: ["grep complete built"],
  shared: ["uploads"],
  keepReleases: 2,
};

const build = (run?: RunProcess) =>
  site.deploy(layout === "releases" ? BUILD : { run: ["true"], after: ["true"] }, run && { run });

let pages = 0;
const commitNext = () => site.repository.commit({ "index.html": `page ${++pages}` });

/** Expects `current` to point to a release whose steps all succeeded. */
function expectLiveComplete(): void {
  if (layout !== "releases" || !existsSync(at("current"))) return;
  expect(readlinkSync(at("current"))).toMatch(/^releases\/\d{8}T\d{6}Z-[0-9a-f]{12}$/);
  expect(readFileSync(at("current/built"), "utf8")).toBe("complete\n");
}

/** Expects the commit to be live and all releases to be complete. */
function expectDeployed(result: Outcome, commit: string): void {
  expect(result).toMatchObject({ state: "succeeded", reason: null, commit });
  expect(page()).toBe(git(site.repository.path, "show", `${commit}:index.html`));
  expect(git(site.live, "status", "--porcelain", "--", ":!uploads")).toBe("");
  expect(git(site.live, "rev-parse", "HEAD")).toBe(commit);
  if (layout === "releases") expectReleasesComplete();
}

function expectReleasesComplete(): void {
  expectLiveComplete();
  expect(readdirSync(site.directory).sort()).toEqual(["current", "releases", "repo", "shared"]);
  const names = readdirSync(at("releases"));
  expect(names.length).toBeLessThanOrEqual(2);
  for (const name of names) expect(readFileSync(at("releases", name, "built"), "utf8")).toBe("complete\n");
  expect(readFileSync(at("current/uploads/a"), "utf8")).toBe("seed");
}

const real = createRunProcess({ killAfter: 100 });

/**
 * Runs processes up to the `last` one. After it, no process starts and none returns, even one that runs in parallel, so
 * the deployment does not continue. The disk is left as it is after `kill -9`.
 */
function crashAt(last: number, moment: "before" | "after") {
  const crash = Promise.withResolvers<"crashed">();
  const never = new Promise<never>(() => {});
  let count = 0;
  let hasCrashed = false;
  const run: RunProcess = async (argv, options) => {
    count += 1;
    if (hasCrashed) return never;
    const isLast = count === last;
    if (isLast && moment === "before") hasCrashed = true;
    const result = hasCrashed ? null : await real(argv, options);
    if (isLast) {
      hasCrashed = true;
      crash.resolve("crashed");
    }
    return result === null || hasCrashed ? never : result;
  };
  return { run, crash: crash.promise };
}

describe.each(["releases", "worktree"])("layout %s: the next deployment succeeds", (name) => {
  beforeEach(() => open(name));

  test.each(["before", "after"] as const)(
    "when a deployment, first or later, crashed %s any of its processes",
    async (moment) => {
      // After one process is the same as before the next, so the short form tries every other process for each.
      for (let last = isLong || moment === "before" ? 1 : 2; ; last += times({ short: 2, long: 1 })) {
        for (const isFirst of moment === "before" ? [true, false] : [false]) {
          if (isFirst) rmSync(site.directory, { recursive: true, force: true });
          commitNext();
          const { run, crash } = crashAt(last, moment);
          const outcome = await Promise.race([build(run), crash]);
          if (outcome !== "crashed") {
            expectDeployed(outcome, site.repository.tip);
            if (!isFirst) return;
            continue;
          }
          expectLiveComplete();
          const commit = commitNext();
          expectDeployed(await build(), commit);
        }
      }
    },
  );

  const gitFile = (...path: readonly string[]) => at(name === "releases" ? "repo" : ".git", ...path);
  const LOCKS = ["index.lock", "HEAD.lock", "config.lock", "packed-refs.lock", "shallow.lock", "gc.pid.lock"];

  /** States that a killed git or a power failure may leave. */
  const leftovers: Readonly<Record<string, () => void>> = {
    "lock files": () => {
      for (const lock of LOCKS) writeFileSync(gitFile(lock), "");
    },
    "an empty HEAD": () => truncateSync(gitFile("HEAD")),
    "a HEAD of zeros": () => writeFileSync(gitFile("HEAD"), "\0".repeat(21)),
    "an empty configuration": () => truncateSync(gitFile("config")),
    "empty refs": () => {
      for (const ref of ["refs/hooklatch/tip", "refs/remotes/origin/main", "refs/heads/main"]) {
        if (existsSync(gitFile(ref))) truncateSync(gitFile(ref));
      }
    },
    "an empty index": () => writeFileSync(gitFile("index"), ""),
    "no refs and no objects, as from a killed git init": () => {
      for (const directory of ["refs", "objects"]) rmSync(gitFile(directory), { recursive: true });
      rmSync(gitFile("index"), { force: true });
    },
    "half a pack": () => writeFileSync(gitFile("objects/pack/tmp_pack_1"), "PACK"),
  };

  test.each(Object.entries(leftovers))("when a crash left %s", async (_, apply) => {
    await build();
    apply();
    const commit = commitNext();
    expectDeployed(await build(), commit);
  });
});

describe("layout releases: the cleanup after a crash", () => {
  beforeEach(() => open("releases"));

  /** Deploys and crashes before the last step, when `current` already points to the release. Returns its name. */
  async function crashWhenLive(): Promise<string> {
    const crash = Promise.withResolvers<void>();
    const run: RunProcess = async (argv, options) => {
      if (!argv.includes("grep complete built")) return real(argv, options);
      crash.resolve();
      return new Promise(() => {});
    };
    commitNext();
    await Promise.race([build(run), crash.promise]);
    return basename(readlinkSync(at("current")));
  }

  test("removes a release that was live but not verified once another release is live", async () => {
    const first = await build();
    await crashWhenLive();
    const result = await build();
    expectDeployed(result, site.repository.tip);
    expect(readdirSync(at("releases")).sort()).toEqual([String(first.release), String(result.release)]);
  });

  test("does not revert to a release that was live but not verified", async () => {
    const first = await build();
    await crashWhenLive();
    commitNext();
    const after = [`test $HOOKLATCH_COMMIT = ${first.commit}`];
    const failed = await site.deploy({ ...BUILD, after }, { deployment: { previousCommit: first.commit } });
    expect(failed.reason).toContain(String(first.release));
    expect(snapshotText(failed.reason)).toMatchSnapshot();
    expect(readlinkSync(at("current"))).toBe(`releases/${first.release}`);
  });

  test("removes the failed release after an interrupted revert", async () => {
    const first = await build();
    const failed = await crashWhenLive();
    rmSync(at("current"));
    symlinkSync(`releases/${first.release}`, at("current"));
    commitNext();
    const result = await build();
    expectDeployed(result, site.repository.tip);
    expect(readdirSync(at("releases"))).not.toContain(failed);
  });

  test("finishes an interrupted recreation of the repository", async () => {
    await build();
    mkdirSync(at("releases/.coming/repo/repo/objects"), { recursive: true });
    mkdirSync(at("releases/.going/gone-abcdef"), { recursive: true });
    renameSync(at("repo"), at("releases/.going/gone-abcdef/it"));
    expectDeployed(await build(), site.repository.tip);
    mkdirSync(at("releases/.coming/repo/repo/objects"), { recursive: true });
    writeFileSync(at("repo/HEAD"), "ref: ");
    expectDeployed(await build(), site.repository.tip);
  });

  test("reports files that it cannot remove, and the deployment succeeds", async () => {
    const { release } = await build();
    const bin = join(site.root, "bin");
    mkdirSync(bin);
    writeFileSync(join(bin, "rm"), "#!/bin/sh\necho rm: no permission\nexit 1\n", { mode: 0o755 });
    mkdirSync(at("releases/.going/gone-abcdef/it"), { recursive: true });
    const env = { ...site.target().env, PATH: `${bin}:${process.env.PATH}` };
    const result = await site.deploy({ ...BUILD, env });
    expect(result.state).toBe("succeeded");
    for (const text of [result.reason, result.lines[0]]) {
      expect(text).toContain(at("releases/.going"));
      expect(text).toContain("rm: no permission");
    }
    expect([snapshotText(result.reason), snapshotText(result.lines[0])]).toMatchSnapshot();
    expectDeployed(await build(), site.repository.tip);
    expect(readdirSync(at("releases"))).not.toContain(release);
  });

  test("keeps the repository when git itself does not work", async () => {
    await build();
    const env = { ...site.target().env, GIT_CONFIG_GLOBAL: join(site.root, "broken") };
    writeFileSync(env.GIT_CONFIG_GLOBAL, "[core\n");
    const packs = readdirSync(at("repo/objects/pack"));
    const result = await site.deploy({ ...BUILD, env });
    const gitMessage = `bad config line 1 in file ${env.GIT_CONFIG_GLOBAL}`;
    expect(result).toMatchObject({ state: "failed", code: "git_failed" });
    expect(result.reason).toContain(gitMessage);
    expect(snapshotText(result.reason, { [gitMessage]: "<git's message>" })).toMatchSnapshot();
    expect(readdirSync(at("repo/objects/pack"))).toEqual(packs);
  });
});

describe("layout releases: a repository beyond repair is recreated with a message in the output", () => {
  beforeEach(() => open("releases"));

  const damages: Readonly<Record<string, () => void>> = {
    "when its HEAD is truncated": () => writeFileSync(at("repo/HEAD"), "ref: "),
    "when its configuration is truncated": () => writeFileSync(at("repo/config"), "[core\n"),
    "when its objects are empty": () => {
      const packs = readdirSync(at("repo/objects/pack")).map((name) => at("repo/objects/pack", name));
      for (const pack of packs) rmSync(pack);
      for (const pack of packs) writeFileSync(pack, "");
    },
  };

  test.each(Object.entries(damages))("%s", async (_, damage) => {
    await build();
    damage();
    const commit = commitNext();
    const result = await build();
    expectDeployed(result, commit);
    const messages = result.lines.filter((line) => line.startsWith(`${at("repo")} `));
    expect(messages).toHaveLength(1);
    // The text in parentheses may come from git.
    expect(snapshotText(messages[0]).replace(/\(.*\)/, "(<reason>)")).toMatchSnapshot();
    expectDeployed(await build(), commit);
  });
});

describe.each(["releases", "worktree"])("layout %s: the files that a killed deployment made live", (name) => {
  beforeEach(() => open(name));

  /** Deploys the next page and crashes in the step after it is live. */
  async function crashWhenLive(): Promise<void> {
    const crash = Promise.withResolvers<void>();
    const run: RunProcess = async (argv, options) => {
      if (!argv.includes("echo live")) return real(argv, options);
      crash.resolve();
      return new Promise(() => {});
    };
    commitNext();
    await Promise.race([site.deploy({ after: ["echo live"] }, { run }), crash.promise]);
    expect(page()).toBe(`page ${pages}`);
  }

  /** Expects the files of that deployment to be live, and no other release to exist. */
  function expectLive({ release, commit }: Outcome): void {
    expect(page()).toBe("one");
    expect(git(site.live, "rev-parse", "HEAD")).toBe(String(commit));
    if (name === "releases") expect(readdirSync(at("releases"))).toEqual([String(release)]);
  }

  test("are reverted when the next deployment fails before going live", async () => {
    const first = await site.deploy();
    await crashWhenLive();
    const failed = await site.deploy({ run: ["false"] }, { deployment: { previousCommit: first.commit } });
    expect(failed.reason).toContain(idOf(first));
    expect(snapshotText(failed.reason)).toMatchSnapshot();
    expectLive(first);
  });

  test("are reverted after two killed deployments when the next one fails", async () => {
    const first = await site.deploy();
    await crashWhenLive();
    await crashWhenLive();
    const failed = await site.deploy({ after: ["false"] }, { deployment: { previousCommit: first.commit } });
    expect(failed.reason).toContain(idOf(first));
    expect(snapshotText(failed.reason)).toMatchSnapshot();
    expectLive(first);
  });

  test("are removed when nothing was live before and the next deployment fails", async () => {
    await crashWhenLive();
    const failed = await site.deploy({ run: ["false"] });
    expect(snapshotText(failed.reason)).toMatchSnapshot();
    expect(existsSync(join(site.live, "index.html"))).toBe(false);
    expect(await site.deploy()).toMatchObject({ state: "succeeded" });
  });

  test("are reverted by a restore, and only once", async () => {
    const first = await site.deploy();
    await crashWhenLive();
    const message = await site.restore(first.commit);
    expect(message).toContain(idOf(first));
    expect(snapshotText(message)).toMatchSnapshot();
    expectLive(first);
    expect(await site.restore(first.commit)).toBeNull();
  });

  test("are removed by a restore when nothing was live before", async () => {
    await crashWhenLive();
    expect(snapshotText(await site.restore(null))).toMatchSnapshot();
    expect(existsSync(join(site.live, "index.html"))).toBe(false);
  });

  test("stay live when no deployment was killed", async () => {
    expect(await site.restore(null)).toBeNull();
    const first = await site.deploy();
    expect(await site.restore(null)).toBeNull();
    expectLive(first);
  });

  test("are reverted without the after steps, as the message reports", async () => {
    const first = await site.deploy();
    await crashWhenLive();
    const message = await site.restore(first.commit, { after: ["touch ran"] });
    expect(message).toContain(idOf(first));
    expect(snapshotText(message)).toMatchSnapshot();
    expect(existsSync(join(site.live, "ran"))).toBe(false);
  });
});
