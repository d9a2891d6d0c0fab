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
import { createRunProcess } from "../../src/deploy/process.ts";
import type { Interruption } from "../../src/domain/deployment.ts";
import type { RunProcess } from "../../src/domain/layout.ts";
import { FakeClock } from "./fake-clock.ts";
import { Site } from "./site.ts";

setDefaultTimeout(120_000);

let site: Site;
beforeEach(() => {
  site = new Site("releases");
  site.repository.commit({ "index.html": "one" });
});
afterEach(() => site.remove());

const page = () => readFileSync(join(site.live, "index.html"), "utf8");

/** A command that says it is there and would go on for a minute. */
const LONG = "echo ready; sleep 60";

test("tells each command before its output, line by line", async () => {
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

test("says that its outcome stands before it tidies up, and never where it fails", async () => {
  const done: string[] = [];
  const real = createRunProcess({ killAfter: 100 });
  const run: RunProcess = (argv, options) => {
    if (argv.includes("gc")) done.push("tidying up");
    return real(argv, options);
  };
  const onDecided = () => done.push("decided");
  await site.deploy({}, { run, onDecided });
  expect(done).toEqual(["decided", "tidying up"]);
  await site.deploy({ after: ["false"] }, { onDecided });
  expect(done).toHaveLength(2);
});

test("leaves nothing running of a step that failed", async () => {
  const { reason, lines } = await site.deploy({ run: ["setsid sleep 600 & echo $!; exit 3"] });
  expect(reason).toBe('step "setsid sleep 600 & echo $!; exit 3" exited with 3');
  const command = `/proc/${lines.at(-1)}/cmdline`;
  // Of a process that has ended, and nobody looked after, nothing is left to read.
  expect(existsSync(command) ? readFileSync(command, "utf8") : "").toBe("");
});

test("tells by which signal a shell's command was ended", async () => {
  const { reason } = await site.deploy({ run: ["sh -c 'kill -9 $$'; exit $?"] });
  expect(reason).toEndWith("exited with 137, as when SIGKILL ends a command");
});

describe("time-out", () => {
  test("ends the step, its children too, and leaves live what was", async () => {
    await site.deploy();
    site.repository.commit({ "index.html": "two" });
    const clock = new FakeClock();
    const onLine = (line: string) => line === "ready" && clock.ring();
    const ending = await site.deploy({ run: [LONG, "echo never"], timeout: 600_000 }, { clock, onLine });
    const reason = 'timed out after 10m while running "echo ready; sleep 60"';
    expect(ending).toMatchObject({ state: "failed", reason });
    expect(ending.steps).toMatchObject([{ command: LONG, exitCode: null, signal: "SIGTERM" }]);
    expect(page()).toBe("one");
    expect(readdirSync(join(site.directory, "releases")).length).toBe(1);
  });

  test("puts back what was live when it comes after going live", async () => {
    await site.deploy();
    site.repository.commit({ "index.html": "two" });
    const clock = new FakeClock();
    const onLine = (line: string) => line === "ready" && clock.ring();
    const ending = await site.deploy({ after: [LONG], timeout: 90_000 }, { clock, onLine });
    expect(ending.reason).toStartWith("timed out after 90s while running");
    expect(page()).toBe("one");
  });

  test("ends the fetch", async () => {
    const clock = new FakeClock();
    const onLine = (line: string) => line.startsWith("$ git fetch") && clock.ring();
    const deployment = { pushedCommit: "b".repeat(40) };
    const ending = await site.deploy({ run: ["echo never"] }, { clock, onLine, deployment });
    expect(ending).toMatchObject({ state: "failed", steps: [] });
    expect(ending.reason).toStartWith("timed out after 10m while ");
    expect(existsSync(site.live)).toBe(false);
  });
});

test("says that it waited for the pushed commit when the time ran out meanwhile", async () => {
  const clock = new FakeClock(() => clock.ring());
  const ending = await site.deploy({}, { clock, deployment: { pushedCommit: "b".repeat(40) } });
  const reason = "timed out after 10m while waiting for the pushed commit";
  expect(ending).toMatchObject({ state: "failed", reason });
});

test("fails, and leaves no time running, when there is no such layout", async () => {
  const clock = new FakeClock();
  const ending = await site.deploy({ layout: "containers" }, { clock });
  expect(ending).toMatchObject({ state: "failed", reason: "there is no layout containers" });
  expect(clock.sleeping).toBe(0);
});

describe("the release in the ending", () => {
  test("is none when it failed: nothing of that name is left", async () => {
    const before = await site.deploy({ run: ["false"] });
    const after = await site.deploy({ after: ["false"] });
    expect([before.release, after.release]).toEqual([null, null]);
    expect(readdirSync(join(site.directory, "releases"))).toEqual([]);
  });

  test("is named when it could not be taken back", async () => {
    const { release } = await site.deploy({ after: ["rm ../../current && mkdir ../../current && exit 1"] });
    expect(readdirSync(join(site.directory, "releases"))).toContain(String(release));
  });
});

describe("ended from outside", () => {
  const kinds: readonly Interruption["kind"][] = ["cancelled", "interrupted"];

  test.each(kinds)("is %s, with the reason given, and leaves live what was", async (kind) => {
    await site.deploy();
    site.repository.commit({ "index.html": "two" });
    const controller = new AbortController();
    const onLine = (line: string) =>
      line === "ready" && controller.abort({ kind, reason: "Ada said so" } satisfies Interruption);
    const ending = await site.deploy({ run: [LONG, "echo never"] }, { onLine, signal: controller.signal });
    expect(ending).toMatchObject({ state: kind, reason: "Ada said so" });
    expect(ending.lines).not.toContain("never");
    expect(page()).toBe("one");
  });

  test("does not count a step that ended well because of it", async () => {
    const controller = new AbortController();
    const onLine = (line: string) =>
      line === "ready" && controller.abort({ kind: "cancelled", reason: "stop" });
    const run = ["trap 'exit 0' TERM; echo ready; while :; do sleep 0.01; done"];
    const ending = await site.deploy({ run }, { onLine, signal: controller.signal });
    expect(ending).toMatchObject({ state: "cancelled", reason: "stop", release: null });
    expect(existsSync(site.live)).toBe(false);
  });

  test("starts nothing when it was ended before it began", async () => {
    const signal = AbortSignal.abort({ kind: "interrupted", reason: "stopping" } satisfies Interruption);
    const ending = await site.deploy({ run: ["touch ../../started"] }, { signal });
    expect(ending).toMatchObject({ state: "interrupted", reason: "stopping", steps: [] });
    expect(existsSync(join(site.directory, "started"))).toBe(false);
  });
});

test("tells both when putting back fails too", async () => {
  await site.deploy();
  const after = ["rm ../../current && mkdir ../../current && exit 1"];
  const ending = await site.deploy({ after });
  const where = join(site.directory, "current");
  expect(ending.reason).toBe(
    `step ${JSON.stringify(after[0])} exited with 1; putting back what was live failed: ` +
      `${where} is not a symbolic link; move it away, or choose another directory`,
  );
});

test("stays a success, and says so, when only the tidying up fails", async () => {
  const after = ["mv ../../repo ../../repo-moved"];
  const ending = await site.deploy({ after });
  expect(ending.state).toBe("succeeded");
  expect(ending.reason).toStartWith("tidying up failed: ");
  expect(readlinkSync(join(site.directory, "current"))).toBe(`releases/${ending.release}`);
});

describe("tidying up", () => {
  const all = () => readdirSync(join(site.directory, "releases")).sort();
  const releases = () => all().filter((name) => !name.startsWith("."));
  const reason = "tidying up was cut short; the next deployment goes on with it";
  const real = createRunProcess({ killAfter: 100 });

  /** Never ends by itself what git would do to tidy up. */
  const untilAborted =
    (abort: () => void): RunProcess =>
    (argv, options) =>
      argv.includes("gc")
        ? real(["/bin/sh", "-c", "echo ready; sleep 60"], { ...options, onLine: abort })
        : real(argv, options);

  test("ends with the deployment's signal, and stays a success", async () => {
    const controller = new AbortController();
    const ending = await site.deploy(
      {},
      { run: untilAborted(() => controller.abort()), signal: controller.signal },
    );
    expect(ending).toMatchObject({ state: "succeeded", reason, release: releases()[0] });
    expect(page()).toBe("one");
  });

  test("ends when its time is over, and stays a success", async () => {
    const clock = new FakeClock();
    const ending = await site.deploy({}, { run: untilAborted(() => clock.ring()), clock });
    expect(ending).toMatchObject({ state: "succeeded", reason });
  });

  test("takes old releases away even when it is cut short, and their files the next time", async () => {
    await site.deploy();
    const second = await site.deploy();
    const controller = new AbortController();
    const run: RunProcess = (argv, options) => {
      if (argv[0] === "rm") controller.abort();
      return real(argv, options);
    };
    const third = await site.deploy({ keepReleases: 1 }, { run, signal: controller.signal });
    expect(third).toMatchObject({ state: "succeeded", reason });
    expect(releases()).toEqual([String(second.release), String(third.release)]);
    const fourth = await site.deploy({ keepReleases: 1 });
    expect(fourth).toMatchObject({ state: "succeeded", reason: null });
    expect(all()).toEqual([String(third.release), String(fourth.release)]);
  });
});

test("fails with one line when the machine does not let it", async () => {
  writeFileSync(site.directory, "a file stands in the way");
  const ending = await site.deploy();
  expect(ending.state).toBe("failed");
  expect(ending.reason).toContain(site.directory);
  expect(ending.reason).not.toContain("\n");
});

describe("a target without a repository", () => {
  test("runs its commands in its directory", async () => {
    mkdirSync(site.directory);
    const ending = await site.deploy({ watch: null, run: ["pwd"], after: ["echo after"] });
    expect(ending).toMatchObject({ state: "succeeded", branch: null, commit: null, release: null });
    expect(ending.lines).toEqual(["$ pwd", site.directory, "$ echo after", "after"]);
    expect(readdirSync(site.directory)).toEqual([]);
  });

  test("fails when its directory is not there", async () => {
    rmSync(site.directory, { recursive: true, force: true });
    const ending = await site.deploy({ watch: null, run: ["pwd"] });
    expect(ending).toMatchObject({
      state: "failed",
      reason: `directory ${site.directory} does not exist`,
      steps: [],
    });
    expect(existsSync(site.directory)).toBe(false);
  });
});
