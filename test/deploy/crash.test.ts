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
import { createRunProcess } from "../../src/deploy/process.ts";
import type { RunProcess } from "../../src/domain/layout.ts";
import type { Target } from "../../src/domain/target.ts";
import { isLong, times } from "../faults/length.ts";
import { git } from "../support/git.ts";
import { type Outcome, Site } from "./site.ts";

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

/** A build in two steps: only what both of them were done to is whole. */
const BUILD: Partial<Target> = {
  run: ["test ! -e built && echo half > built", "echo whole > built"],
  after: ["grep whole built"],
  shared: ["uploads"],
  keepReleases: 2,
};

const build = (run?: RunProcess) =>
  site.deploy(layout === "releases" ? BUILD : { run: ["true"], after: ["true"] }, run && { run });

let pages = 0;
const commitNext = () => site.repository.commit({ "index.html": `page ${++pages}` });

/** `current` leads to a release whose steps all succeeded. */
function expectLiveWhole(): void {
  if (layout !== "releases" || !existsSync(at("current"))) return;
  expect(readlinkSync(at("current"))).toMatch(/^releases\/\d{8}T\d{6}Z-[0-9a-f]{12}$/);
  expect(readFileSync(at("current/built"), "utf8")).toBe("whole\n");
}

/** The tip is live, and nothing but whole releases is there. */
function expectInOrder(ending: Outcome, commit: string): void {
  expect(ending).toMatchObject({ state: "succeeded", reason: null, commit });
  expect(page()).toBe(git(site.repository.path, "show", `${commit}:index.html`));
  expect(git(site.live, "status", "--porcelain", "--", ":!uploads")).toBe("");
  expect(git(site.live, "rev-parse", "HEAD")).toBe(commit);
  if (layout === "releases") expectReleasesInOrder();
}

function expectReleasesInOrder(): void {
  expectLiveWhole();
  expect(readdirSync(site.directory).sort()).toEqual(["current", "releases", "repo", "shared"]);
  const names = readdirSync(at("releases"));
  expect(names.length).toBeLessThanOrEqual(2);
  for (const name of names) expect(readFileSync(at("releases", name, "built"), "utf8")).toBe("whole\n");
  expect(readFileSync(at("current/uploads/a"), "utf8")).toBe("seed");
}

const real = createRunProcess({ killAfter: 100 });

/**
 * Runs processes until the `last`, and then nothing any more: neither it returns, nor what was to come after it
 * happens. For the disk that is what `kill -9` is.
 */
function dieAt(last: number, moment: "before" | "after") {
  const death = Promise.withResolvers<"died">();
  let count = 0;
  const run: RunProcess = async (argv, options) => {
    count += 1;
    if (count === last) {
      if (moment === "after") await real(argv, options);
      death.resolve("died");
      return new Promise(() => {});
    }
    return real(argv, options);
  };
  return { run, death: death.promise };
}

describe.each(["releases", "worktree"])("layout %s: the next deployment succeeds", (name) => {
  beforeEach(() => open(name));

  test.each(["before", "after"] as const)(
    "wherever the first and later ones died, %s any of their processes",
    async (moment) => {
      // What is after one process is before the next: the short form takes every other of both.
      for (let last = isLong || moment === "before" ? 1 : 2; ; last += times({ short: 2, long: 1 })) {
        for (const isFirst of moment === "before" ? [true, false] : [false]) {
          if (isFirst) rmSync(site.directory, { recursive: true, force: true });
          commitNext();
          const { run, death } = dieAt(last, moment);
          const outcome = await Promise.race([build(run), death]);
          if (outcome !== "died") {
            expectInOrder(outcome, site.repository.tip);
            if (!isFirst) return;
            continue;
          }
          expectLiveWhole();
          const commit = commitNext();
          expectInOrder(await build(), commit);
        }
      }
    },
  );

  const own = (...path: readonly string[]) => at(name === "releases" ? "repo" : ".git", ...path);
  const LOCKS = ["index.lock", "HEAD.lock", "config.lock", "packed-refs.lock", "shallow.lock", "gc.pid.lock"];

  /** What a git that was killed, or a power failure, may leave. */
  const leftovers: Readonly<Record<string, () => void>> = {
    "lock files": () => {
      for (const lock of LOCKS) writeFileSync(own(lock), "");
    },
    "an empty HEAD": () => truncateSync(own("HEAD")),
    "a HEAD of zeros": () => writeFileSync(own("HEAD"), "\0".repeat(21)),
    "an empty configuration": () => truncateSync(own("config")),
    "empty refs": () => {
      for (const ref of ["refs/hooklatch/tip", "refs/remotes/origin/main", "refs/heads/main"]) {
        if (existsSync(own(ref))) truncateSync(own(ref));
      }
    },
    "an empty index": () => writeFileSync(own("index"), ""),
    "no refs and no objects, as from an init that was killed": () => {
      for (const directory of ["refs", "objects"]) rmSync(own(directory), { recursive: true });
      rmSync(own("index"), { force: true });
    },
    "half of a pack": () => writeFileSync(own("objects/pack/tmp_pack_1"), "PACK"),
  };

  test.each(Object.entries(leftovers))("after %s", async (_, leave) => {
    await build();
    leave();
    const commit = commitNext();
    expectInOrder(await build(), commit);
  });
});

describe("layout releases: what had begun is taken back", () => {
  beforeEach(() => open("releases"));

  /** Deploys and dies before the last step, when `current` already leads to the release. Resolves with its name. */
  async function dieLive(): Promise<string> {
    const death = Promise.withResolvers<void>();
    const run: RunProcess = async (argv, options) => {
      if (!argv.includes("grep whole built")) return real(argv, options);
      death.resolve();
      return new Promise(() => {});
    };
    commitNext();
    await Promise.race([build(run), death.promise]);
    return basename(readlinkSync(at("current")));
  }

  test("also what was live already, once another is: nobody knows that it was well", async () => {
    const first = await build();
    await dieLive();
    const ending = await build();
    expectInOrder(ending, site.repository.tip);
    expect(readdirSync(at("releases")).sort()).toEqual([String(first.release), String(ending.release)]);
  });

  test("and what it had made live is not put back: nobody knows that it was well", async () => {
    const first = await build();
    await dieLive();
    commitNext();
    const after = [`test $HOOKLATCH_COMMIT = ${first.commit}`];
    const failed = await site.deploy({ ...BUILD, after }, { deployment: { previousCommit: first.commit } });
    expect(failed.reason).toEndWith(`; release ${first.release} is live again`);
    expect(readlinkSync(at("current"))).toBe(`releases/${first.release}`);
  });

  test("after the putting back was cut short too", async () => {
    const first = await build();
    const failed = await dieLive();
    rmSync(at("current"));
    symlinkSync(`releases/${first.release}`, at("current"));
    commitNext();
    const ending = await build();
    expectInOrder(ending, site.repository.tip);
    expect(readdirSync(at("releases"))).not.toContain(failed);
  });

  test("and a repository that was just being made anew is made", async () => {
    await build();
    mkdirSync(at("releases/.coming/repo/repo/objects"), { recursive: true });
    mkdirSync(at("releases/.going/gone-abcdef"), { recursive: true });
    renameSync(at("repo"), at("releases/.going/gone-abcdef/it"));
    expectInOrder(await build(), site.repository.tip);
    mkdirSync(at("releases/.coming/repo/repo/objects"), { recursive: true });
    writeFileSync(at("repo/HEAD"), "ref: ");
    expectInOrder(await build(), site.repository.tip);
  });

  test("and files that cannot be removed are told of, and hinder nothing", async () => {
    const { release } = await build();
    const bin = join(site.root, "bin");
    mkdirSync(bin);
    writeFileSync(join(bin, "rm"), "#!/bin/sh\necho rm: no permission\nexit 1\n", { mode: 0o755 });
    mkdirSync(at("releases/.going/gone-abcdef/it"), { recursive: true });
    const env = { ...site.target().env, PATH: `${bin}:${process.env.PATH}` };
    const trouble = `could not remove ${at("releases/.going")}: rm: no permission`;
    const ending = await site.deploy({ ...BUILD, env });
    expect(ending).toMatchObject({ state: "succeeded", reason: `tidying up failed: ${trouble}` });
    expect(ending.lines[0]).toBe(trouble);
    expectInOrder(await build(), site.repository.tip);
    expect(readdirSync(at("releases"))).not.toContain(release);
  });

  test("but the repository is not given up where it is git that does not work", async () => {
    await build();
    const env = { ...site.target().env, GIT_CONFIG_GLOBAL: join(site.root, "broken") };
    writeFileSync(env.GIT_CONFIG_GLOBAL, "[core\n");
    const kept = readdirSync(at("repo/objects/pack"));
    const ending = await site.deploy({ ...BUILD, env });
    const reason = `git init failed: bad config line 1 in file ${env.GIT_CONFIG_GLOBAL}`;
    expect(ending).toMatchObject({ state: "failed", reason });
    expect(readdirSync(at("repo/objects/pack"))).toEqual(kept);
  });
});

describe("layout releases: a repository beyond repair is made anew, and that is told,", () => {
  beforeEach(() => open("releases"));

  const damages: Readonly<Record<string, () => void>> = {
    "when its HEAD was cut short": () => writeFileSync(at("repo/HEAD"), "ref: "),
    "when its configuration was cut short": () => writeFileSync(at("repo/config"), "[core\n"),
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
    const ending = await build();
    expectInOrder(ending, commit);
    expect(ending.lines.filter((line) => line.startsWith(`${at("repo")} is beyond repair (`)).length).toBe(1);
    expectInOrder(await build(), commit);
  });
});

describe.each(["releases", "worktree"])(
  "layout %s: what a deployment that was killed had made live",
  (name) => {
    beforeEach(() => open(name));

    /** Deploys the next page and dies in the step after it went live. */
    async function dieLive(): Promise<void> {
      const death = Promise.withResolvers<void>();
      const run: RunProcess = async (argv, options) => {
        if (!argv.includes("echo live")) return real(argv, options);
        death.resolve();
        return new Promise(() => {});
      };
      commitNext();
      await Promise.race([site.deploy({ after: ["echo live"] }, { run }), death.promise]);
      expect(page()).toBe(`page ${pages}`);
    }

    const nameOf = ({ release, commit }: Outcome) =>
      release === null ? `commit ${commit?.slice(0, 12)}` : `release ${release}`;

    /** Nothing but what that deployment brought is there. */
    function expectLive({ release, commit }: Outcome): void {
      expect(page()).toBe("one");
      expect(git(site.live, "rev-parse", "HEAD")).toBe(String(commit));
      if (name === "releases") expect(readdirSync(at("releases"))).toEqual([String(release)]);
    }

    test("gives way to what was live before it when the next one fails before it is live", async () => {
      const first = await site.deploy();
      await dieLive();
      const failed = await site.deploy({ run: ["false"] }, { deployment: { previousCommit: first.commit } });
      expect(failed.reason).toBe(`step "false" exited with 1; ${nameOf(first)} is live again`);
      expectLive(first);
    });

    test("gives way also after two that were killed", async () => {
      const first = await site.deploy();
      await dieLive();
      await dieLive();
      const failed = await site.deploy(
        { after: ["false"] },
        { deployment: { previousCommit: first.commit } },
      );
      expect(failed.reason).toEndWith(`; ${nameOf(first)} is live again, but step "false" exited with 1`);
      expectLive(first);
    });

    test("is taken down when nothing was live before it and the next one fails", async () => {
      await dieLive();
      const failed = await site.deploy({ run: ["false"] });
      expect(failed.reason).toEndWith("; nothing was live before, so it was taken down again");
      expect(existsSync(join(site.live, "index.html"))).toBe(false);
      expect(await site.deploy()).toMatchObject({ state: "succeeded" });
    });

    test("is taken back by restoring, for what was live before it, and only once", async () => {
      const first = await site.deploy();
      await dieLive();
      expect(await site.restore(first.commit)).toBe(`${nameOf(first)} is live again`);
      expectLive(first);
      expect(await site.restore(first.commit)).toBeNull();
    });

    test("is taken down by restoring where nothing was live before it", async () => {
      await dieLive();
      expect(await site.restore(null)).toBe("nothing was live before, so it was taken down again");
      expect(existsSync(join(site.live, "index.html"))).toBe(false);
    });

    test("stays where no deployment was killed, or none ever was", async () => {
      expect(await site.restore(null)).toBeNull();
      const first = await site.deploy();
      expect(await site.restore(null)).toBeNull();
      expectLive(first);
    });

    test("is taken back with the after steps left out, which is told", async () => {
      const first = await site.deploy();
      await dieLive();
      const told = await site.restore(first.commit, { after: ["touch ran"] });
      expect(told).toBe(`${nameOf(first)} is live again, but its after steps did not run`);
      expect(existsSync(join(site.live, "ran"))).toBe(false);
    });
  },
);
