import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { createRunProcess } from "../../src/deploy/process/process.ts";
import type { Interruption } from "../../src/domain/deployment.ts";
import type { RunProcess } from "../../src/domain/layout.ts";
import { NO_HISTORY } from "../../src/domain/release.ts";
import { createClock, idOf, type Outcome, Site, snapshotText } from "./site.ts";

setDefaultTimeout(120_000);

let site: Site;
beforeEach(() => {
  site = new Site("releases");
  site.repository.commit({ "index.html": "one" });
});
afterEach(() => site.remove());

const page = () => readFileSync(join(site.live, "index.html"), "utf8");

/** A command that prints `ready` and then runs for a minute. */
const LONG = "echo ready; sleep 60";

const CANCELLED: Interruption = { kind: "cancelled", reason: "Ada said so" };

test("prints each command before its output, line by line", async () => {
  const { lines } = await site.deploy({ run: ["echo one\necho two", ["echo", "three four"]] });
  expect(lines.slice(-6)).toEqual([
    "$ echo one",
    "> echo two",
    "one",
    "two",
    "$ echo 'three four'",
    "three four",
  ]);
});

test("reports the subject and the author of the commit, and its page at the forge", async () => {
  const commit = site.repository.commit({ a: "1" }, "Fix <b>the</b> menu\u202e \u001b[31m\n\nand more");
  const { repository } = site.watch();
  const commitUrl = "https://github.com/octocat/blog/commit/";
  const result = await site.deploy({ repository: repository && { ...repository, commitUrl } });
  expect(result).toMatchObject({ state: "succeeded", author: "Ada", commitUrl: `${commitUrl}${commit}` });
  expect(result.subject).toBe("Fix <b>the</b> menu\\u202e  [31m");
  const long = site.repository.commit({ a: "2" }, "x".repeat(5000));
  const failed = await site.deploy({ run: ["false"] });
  expect(failed).toMatchObject({ state: "failed", author: "Ada", commitUrl: null });
  expect(failed.subject).toHaveLength(200);
  expect(long).not.toBe(commit);
});

test("calls onDecided before the cleanup, and never for a failed deployment", async () => {
  const done: string[] = [];
  const real = createRunProcess({ killAfter: 100 });
  const run: RunProcess = (argv, options) => {
    if (argv.includes("gc")) done.push("cleanup");
    return real(argv, options);
  };
  const onDecided = () => done.push("decided");
  await site.deploy({}, { run, onDecided });
  expect(done).toEqual(["decided", "cleanup"]);
  await site.deploy({ after: ["false"] }, { onDecided });
  expect(done).toHaveLength(2);
});

test("ends the background processes of a failed step", async () => {
  const { code, reason, lines, steps } = await site.deploy({ run: ["setsid sleep 600 & echo $!; exit 3"] });
  expect(code).toBe("step_failed");
  expect(steps).toMatchObject([{ exitCode: 3 }]);
  expect(snapshotText(reason)).toMatchSnapshot();
  const command = `/proc/${lines.at(-1)}/cmdline`;
  // The file is missing or, for a zombie, empty.
  expect(existsSync(command) ? readFileSync(command, "utf8") : "").toBe("");
});

test("reports the signal that ended a command of a shell", async () => {
  const { code, reason, steps } = await site.deploy({ run: ["sh -c 'kill -9 $$'; exit $?"] });
  expect(code).toBe("step_failed");
  expect(steps).toMatchObject([{ exitCode: 137 }]);
  expect(reason).toContain("SIGKILL");
  expect(snapshotText(reason)).toMatchSnapshot();
});

describe("the timeout", () => {
  test("ends the step and its children, and the live release stays", async () => {
    await site.deploy();
    site.repository.commit({ "index.html": "two" });
    const clock = createClock();
    const onLine = (line: string) => line === "ready" && clock.advance(600_000);
    const result = await site.deploy({ run: [LONG, "echo never"], timeout: 600_000 }, { clock, onLine });
    expect(result).toMatchObject({ state: "failed", code: "timeout" });
    expect(snapshotText(result.reason)).toMatchSnapshot();
    expect(result.steps).toMatchObject([{ command: LONG, exitCode: null, signal: "SIGTERM" }]);
    expect(page()).toBe("one");
    expect(readdirSync(join(site.directory, "releases")).length).toBe(1);
  });

  test("reverts to the previous release when it expires after going live", async () => {
    const first = await site.deploy();
    site.repository.commit({ "index.html": "two" });
    const clock = createClock();
    const onLine = (line: string) => line === "ready" && clock.advance(90_000);
    const result = await site.deploy({ after: [LONG], timeout: 90_000 }, { clock, onLine });
    expect(result.code).toBe("timeout");
    expect(result.reason).toContain("90s");
    expect(result.reason).toContain(idOf(first));
    expect(snapshotText(result.reason)).toMatchSnapshot();
    expect(page()).toBe("one");
  });

  test("ends the fetch", async () => {
    const clock = createClock();
    const onLine = (line: string) => line.startsWith("$ git fetch") && clock.advance(600_000);
    const deployment = { pushedCommit: "b".repeat(40) };
    const result = await site.deploy({ run: ["echo never"] }, { clock, onLine, deployment });
    expect(result).toMatchObject({ state: "failed", code: "timeout", steps: [] });
    expect(result.reason).toContain("10m");
    expect(existsSync(site.live)).toBe(false);
  });
});

test("reports a timeout while waiting for the pushed commit", async () => {
  const clock = createClock(() => clock.advance(600_000));
  const result = await site.deploy({}, { clock, deployment: { pushedCommit: "b".repeat(40) } });
  expect(result).toMatchObject({ state: "failed", code: "timeout" });
  expect(snapshotText(result.reason)).toMatchSnapshot();
});

test("fails and leaves no timer when the layout is unknown", async () => {
  const clock = createClock();
  const result = await site.deploy({ layout: "containers" }, { clock });
  expect(result).toMatchObject({ state: "failed", code: "configuration_invalid" });
  expect(result.reason).toContain("containers");
  expect(snapshotText(result.reason)).toMatchSnapshot();
  expect(clock.sleeping).toBe(0);
});

describe("the release in the result", () => {
  test("is null after a failure, and its directory is removed", async () => {
    const before = await site.deploy({ run: ["false"] });
    const after = await site.deploy({ after: ["false"] });
    expect([before.release, after.release]).toEqual([null, null]);
    expect(readdirSync(join(site.directory, "releases"))).toEqual([]);
  });

  test("is named when the revert fails", async () => {
    const { release } = await site.deploy({ after: ["rm ../../current && mkdir ../../current && exit 1"] });
    expect(readdirSync(join(site.directory, "releases"))).toContain(String(release));
  });
});

describe("a deployment that is ended from outside", () => {
  const ends: readonly (readonly [string, Interruption, Partial<Outcome>])[] = [
    ["cancelled", CANCELLED, { state: "cancelled", code: "cancelled", reason: "Ada said so" }],
    ["interrupted", { kind: "interrupted" }, { state: "interrupted", code: "shutdown", reason: null }],
  ];

  test.each(ends)("is %s with the given reason, and the live release stays", async (_, interruption, end) => {
    await site.deploy();
    site.repository.commit({ "index.html": "two" });
    const controller = new AbortController();
    const onLine = (line: string) => line === "ready" && controller.abort(interruption);
    const result = await site.deploy({ run: [LONG, "echo never"] }, { onLine, signal: controller.signal });
    expect(result).toMatchObject(end);
    expect(result.lines).not.toContain("never");
    expect(page()).toBe("one");
  });

  test("ignores the success of a step that ends because of the signal", async () => {
    const controller = new AbortController();
    const onLine = (line: string) => line === "ready" && controller.abort(CANCELLED);
    const run = ["trap 'exit 0' TERM; echo ready; while :; do sleep 0.01; done"];
    const result = await site.deploy({ run }, { onLine, signal: controller.signal });
    expect(result).toMatchObject({ state: "cancelled", code: "cancelled", release: null });
    expect(existsSync(site.live)).toBe(false);
  });

  test("starts nothing when the signal is already aborted", async () => {
    const signal = AbortSignal.abort({ kind: "interrupted" } satisfies Interruption);
    const result = await site.deploy({ run: ["touch ../../started"] }, { signal });
    expect(result).toMatchObject({ state: "interrupted", code: "shutdown", reason: null, steps: [] });
    expect(existsSync(join(site.directory, "started"))).toBe(false);
  });
});

test("reports both errors when the revert fails too", async () => {
  await site.deploy();
  const after = ["rm ../../current && mkdir ../../current && exit 1"];
  const result = await site.deploy({ after });
  expect(result).toMatchObject({ state: "failed", code: "step_failed" });
  expect(result.reason).toContain(JSON.stringify(after[0]));
  expect(result.reason).toContain(join(site.directory, "current"));
  expect(snapshotText(result.reason)).toMatchSnapshot();
});

test("succeeds and reports the error when only the cleanup fails", async () => {
  const after = ["mv ../../repo ../../repo-moved"];
  const result = await site.deploy({ after });
  expect(result).toMatchObject({ state: "succeeded", code: null });
  expect(result.reason).toContain(join(site.directory, "repo"));
  expect(snapshotText(result.reason)).toMatchSnapshot();
  expect(readlinkSync(join(site.directory, "current"))).toBe(`releases/${result.release}`);
});

describe("the cleanup", () => {
  const all = () => readdirSync(join(site.directory, "releases")).sort();
  const releases = () => all().filter((name) => !name.startsWith("."));
  const real = createRunProcess({ killAfter: 100 });

  /** Replaces the garbage collection of git with a process that ends only when it is aborted. */
  const untilAborted =
    (abort: () => void): RunProcess =>
    (argv, options) =>
      argv.includes("gc")
        ? real(["/bin/sh", "-c", "echo ready; sleep 60"], { ...options, onLine: abort })
        : real(argv, options);

  test("ends with the signal of the deployment, which still succeeds", async () => {
    const controller = new AbortController();
    const result = await site.deploy(
      {},
      { run: untilAborted(() => controller.abort()), signal: controller.signal },
    );
    expect(result).toMatchObject({ state: "succeeded", release: releases()[0] });
    expect(snapshotText(result.reason)).toMatchSnapshot();
    expect(page()).toBe("one");
  });

  test("ends at its timeout, and the deployment still succeeds", async () => {
    const clock = createClock();
    const result = await site.deploy({}, { run: untilAborted(() => clock.advanceToNext()), clock });
    expect(result.state).toBe("succeeded");
    expect(snapshotText(result.reason)).toMatchSnapshot();
  });

  test("hides old releases when it is interrupted, and the next deployment removes their files", async () => {
    await site.deploy();
    const second = await site.deploy();
    const controller = new AbortController();
    const run: RunProcess = (argv, options) => {
      if (argv[0] === "rm") controller.abort();
      return real(argv, options);
    };
    const third = await site.deploy({ keepReleases: 1 }, { run, signal: controller.signal });
    expect(third.state).toBe("succeeded");
    expect(snapshotText(third.reason)).toMatchSnapshot();
    expect(releases()).toEqual([String(second.release), String(third.release)]);
    const fourth = await site.deploy({ keepReleases: 1 });
    expect(fourth).toMatchObject({ state: "succeeded", reason: null });
    expect(all()).toEqual([String(third.release), String(fourth.release)]);
  });
});

test("reports an error of the file system in one line", async () => {
  writeFileSync(site.directory, "a file, not a directory");
  const result = await site.deploy();
  expect(result).toMatchObject({ state: "failed", code: "directory_unusable" });
  expect(result.reason).toContain(site.directory);
  expect(result.reason).not.toContain("\n");
});

describe("a target without a repository", () => {
  test("runs its commands in its directory", async () => {
    mkdirSync(site.directory);
    const result = await site.deploy({ repository: null, run: ["pwd"], after: ["echo after"] });
    expect(result).toMatchObject({ state: "succeeded", branch: null, commit: null, release: null });
    expect(result.lines).toEqual(["$ pwd", site.directory, "$ echo after", "after"]);
    expect(readdirSync(site.directory)).toEqual([]);
  });

  test("fails when its directory does not exist", async () => {
    rmSync(site.directory, { recursive: true, force: true });
    const result = await site.deploy({ repository: null, run: ["pwd"] });
    expect(result).toMatchObject({ state: "failed", code: "directory_unusable", steps: [] });
    expect(result.reason).toContain(site.directory);
    expect(snapshotText(result.reason)).toMatchSnapshot();
    expect(existsSync(site.directory)).toBe(false);
  });
});

test.each([
  ["push", "the tip", "succeeded"],
  ["push", "an older commit", "cancelled"],
  ["redelivery", "the tip", "cancelled"],
  ["redelivery", "an older commit", "cancelled"],
  ["replay", "the tip", "succeeded"],
  ["manual", "the tip", "succeeded"],
] as const)("a %s of %s that was rolled back is %s", async (trigger, commit, state) => {
  const older = site.repository.tip;
  const tip = site.repository.commit({ "index.html": "two" });
  const pushedCommit = commit === "the tip" ? tip : older;
  const history = async () => ({ ...NO_HISTORY, rolledBackCommits: [tip] });
  const deployment = { trigger, pushedCommit, previousCommit: older };
  const result = await site.deploy({}, { history, deployment });
  expect([result.state, result.code]).toEqual([state, state === "cancelled" ? "rolled_back" : null]);
});

test("records the tip that catch-up asked for, also when the deployment fails before the fetch", async () => {
  writeFileSync(site.directory, "a file");
  const tip = site.repository.tip;
  const result = await site.deploy({}, { deployment: { trigger: "catch-up", pushedCommit: tip } });
  expect(result).toMatchObject({ state: "failed", code: "directory_unusable", commit: tip });
  expect((await site.deploy({}, { deployment: { pushedCommit: tip } })).commit).toBeNull();
});
