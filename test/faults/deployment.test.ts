import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, lstatSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { describeTarget, SECRET, writeConfiguration } from "../support/configuration.ts";
import { type Server, Workshop } from "../support/executable.ts";
import { git, Repository } from "../support/git.ts";
import { deliver } from "../support/github.ts";
import { pushBody } from "../support/payloads.ts";
import { type Moment, Saboteur } from "../support/saboteur.ts";
import { Kept } from "../support/stored-data.ts";
import { untilGone } from "../support/until.ts";
import { isLong } from "./length.ts";

setDefaultTimeout(120_000);

let workshop: Workshop;
let repository: Repository;
let saboteur: Saboteur;

beforeEach(() => {
  workshop = new Workshop();
  repository = new Repository(join(workshop.path, "origin"));
  saboteur = new Saboteur(workshop);
});

afterEach(() => workshop.dispose());

const data = () => join(workshop.path, "data");
const site = (...path: string[]) => join(workshop.path, "site", ...path);

function configure(layout: string, run = '[["step", "first"], ["step", "second"]]'): void {
  const steps = `layout = "${layout}"\nrun = ${run}\nafter = [["step", "finally"]]`;
  const blog = describeTarget("blog", "site", repository, steps);
  writeConfiguration(workshop, { targets: blog + describeTarget("docs", "docs", repository) });
}

const serve = () => workshop.serve([], { SECRET, PATH: saboteur.path });

/** Sends a push of the tip to the server. */
function send(server: Server, fullName = "octocat/blog"): Promise<Response> {
  const body = pushBody({ after: repository.tip, full_name: fullName, number: crypto.randomUUID() });
  return deliver(new URL("/github-webhook", server.url), "push", body, { secret: SECRET });
}

/** Commits a page and sends a push of it to the server. */
async function push(server: Server, page: string): Promise<void> {
  repository.commit({ "index.html": page });
  expect((await send(server)).status).toBe(202);
}

/** Resolves when no deployment is queued or running. */
function untilIdle(server: Server): Promise<void> {
  return server.until(() => Kept.read(data(), (store) => store.unfinished === 0));
}

const isComplete = (release: string) =>
  ["index.html", "first.done", "second.done"].every((name) => existsSync(join(release, name)));

/** Returns the visible incomplete releases, and `current` when it points to one or to nothing. */
function incompleteReleases(): readonly string[] {
  const current = isLink(site("current")) && !isComplete(site("current")) ? ["current"] : [];
  const releases = existsSync(site("releases")) ? readdirSync(site("releases")) : [];
  const visible = releases.filter((name) => !name.startsWith("."));
  return [...current, ...visible.filter((name) => !isComplete(site("releases", name)))];
}

function isLink(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() ?? false;
}

/** Returns the lock files of git, and unfinished links and releases. */
function leftovers(): readonly string[] {
  const all = readdirSync(site(), { recursive: true, encoding: "utf8" });
  return all.filter((path) => /(?:\.lock|tmp_pack_\w+|\.current-next|\.coming\/.*|\.going\/.*)$/.test(path));
}

/** A stage of a deployment at which the server can be killed. `command` is a part of its command line. */
interface Stage {
  readonly stage: string;
  readonly command: string;
  readonly moments: readonly Moment[];
}

const STEPS: readonly Stage[] = [
  { stage: "the first step", command: "first", moments: ["beside", "before", "after"] },
  { stage: "the last step before going live", command: "second", moments: ["after", "before", "amid"] },
  { stage: "the step after going live", command: "finally", moments: ["before", "after", "beside"] },
  { stage: "the cleanup", command: "gc --auto", moments: ["before", "after"] },
];

const OF_RELEASES: readonly Stage[] = [
  { stage: "the fetch", command: "fetch --no-auto-gc", moments: ["amid", "before", "after", "beside"] },
  { stage: "the checkout", command: "checkout --force", moments: ["amid", "before", "after", "beside"] },
  { stage: "the creation of the release", command: "init --quiet --template=", moments: ["after", "before"] },
  ...STEPS,
];

const OF_WORKTREE: readonly Stage[] = [
  ...STEPS.map((stage) => ({ ...stage, moments: stage.moments.filter((moment) => moment !== "amid") })),
  { stage: "the fetch", command: "fetch --no-auto-gc", moments: ["amid", "before"] },
  { stage: "the checkout", command: "checkout --force", moments: ["amid", "before", "beside"] },
  { stage: "the removal of untracked files", command: "clean -ffd", moments: ["before", "after"] },
];

/** Returns all moments of all stages in the long form, else the first moment of the last `count` stages. */
function momentsOf(stages: readonly Stage[], { count }: { count: number }) {
  const stubborn: Stage = { stage: "a step", command: "second", moments: ["stubbornly beside"] };
  const chosen = isLong ? [...stages, stubborn] : stages.slice(-count);
  return chosen.flatMap(({ moments, ...stage }) =>
    moments.slice(0, isLong ? undefined : 1).map((moment) => ({ ...stage, moment })),
  );
}

async function deployAndKill(server: Server, page: string, command: string, moment: Moment): Promise<void> {
  saboteur.arm(command, moment);
  await push(server, page);
  await untilGone(server);
  expect(saboteur.struck).toBe(true);
}

async function recover(): Promise<void> {
  const server = await serve();
  await untilIdle(server);
  saboteur.release();
  expect(await server.end("SIGTERM")).toBe(0);
}

describe("a kill of the server with a release live", () => {
  test.each(momentsOf(OF_RELEASES, { count: 7 }))(
    "$moment $stage leaves a complete release live, and the tip is live after the restart",
    async ({ command, moment }) => {
      configure("releases");
      const server = await serve();
      await push(server, "old\n");
      await untilIdle(server);
      await deployAndKill(server, "new\n", command, moment);
      expect(["old\n", "new\n"]).toContain(readFileSync(site("current/index.html"), "utf8"));
      expect(isComplete(site("current"))).toBe(true);

      await recover();
      expect(readFileSync(site("current/index.html"), "utf8")).toBe("new\n");
      expect(readlinkSync(site("current"))).toEndWith(repository.tip.slice(0, 12));
      expect(incompleteReleases()).toEqual([]);
      expect(leftovers()).toEqual([]);
      expect(Kept.read(data(), (store) => store.deployments())).toMatchObject([
        { state: "succeeded", trigger: "push" },
        { state: "interrupted", trigger: "push", delivery: 2 },
        { state: "succeeded", trigger: "push", delivery: 2, commit: repository.tip },
      ]);
    },
  );
});

describe("a kill of the server with nothing live", () => {
  test.each(momentsOf(OF_RELEASES, { count: 3 }))(
    "$moment $stage leaves nothing or a complete release live, and the tip is live after the restart",
    async ({ command, moment }) => {
      configure("releases");
      await deployAndKill(await serve(), "new\n", command, moment);
      if (isLink(site("current"))) expect(isComplete(site("current"))).toBe(true);

      await recover();
      expect(readFileSync(site("current/index.html"), "utf8")).toBe("new\n");
      expect(incompleteReleases()).toEqual([]);
      expect(leftovers()).toEqual([]);
      expect(Kept.read(data(), (store) => store.deployments())).toMatchObject([
        { state: "interrupted" },
        { state: "succeeded", commit: repository.tip },
      ]);
    },
  );
});

describe("a kill of the server with a worktree live", () => {
  test.each(momentsOf(OF_WORKTREE, { count: 3 }))(
    "$moment $stage is repaired, and the tip is live after the restart",
    async ({ command, moment }) => {
      configure("worktree");
      const server = await serve();
      await push(server, "old\n");
      await untilIdle(server);
      await deployAndKill(server, "new\n", command, moment);

      await recover();
      expect(readFileSync(site("index.html"), "utf8")).toBe("new\n");
      expect(isComplete(site())).toBe(true);
      expect(git(site(), "rev-parse", "HEAD")).toBe(repository.tip);
      expect(git(site(), "diff", "--name-only", "HEAD")).toBe("");
      expect(leftovers()).toEqual([]);
      expect(Kept.read(data(), (store) => store.deployments())).toMatchObject([
        { state: "succeeded" },
        { state: "interrupted" },
        { state: "succeeded", commit: repository.tip },
      ]);
    },
  );
});

describe("a deployment that is interrupted again", () => {
  test("is tried only twice if it kills the server each time, and the next push is deployed", async () => {
    configure(
      "releases",
      '[["sh", "-c", "test ! -e deadly || kill -9 $PPID"], ["step", "first"], ["step", "second"]]',
    );
    const first = await serve();
    repository.commit({ deadly: "" });
    await push(first, "deadly\n");
    await untilGone(first);
    await untilGone(await serve());
    for (let restart = 1; restart <= 3; restart++) {
      const again = await serve();
      // The deployment of another target gives this one enough time to start and to kill the server.
      await send(again, "octocat/docs").catch(() => null);
      await Promise.race([untilIdle(again).catch(() => null), untilGone(again)]);
      await again.end("SIGKILL");
    }
    const states = () => Kept.read(data(), (store) => store.deployments("blog").map(({ state }) => state));
    expect(states()).toEqual(["interrupted", "interrupted"]);
    expect(existsSync(site("current"))).toBe(false);

    const server = await serve();
    repository.commit({ deadly: null });
    await push(server, "harmless\n");
    await untilIdle(server);
    expect(readFileSync(site("current/index.html"), "utf8")).toBe("harmless\n");
    // The catch-up at the start may have deployed the new commit before its push arrived.
    const [one, two, ...others] = states();
    expect([one, two]).toEqual(["interrupted", "interrupted"]);
    expect(new Set(others)).toEqual(new Set(["succeeded"]));
    expect(incompleteReleases()).toEqual([]);
  });

  test("leaves the newest commit live when a newer push supersedes it", async () => {
    configure("releases");
    const first = await serve();
    await push(first, "old\n");
    await untilIdle(first);
    await deployAndKill(first, "new\n", "first", "after");
    saboteur.arm("finally", "before");
    await untilGone(await serve());
    expect(saboteur.struck).toBe(true);
    expect(isComplete(site("current"))).toBe(true);

    const server = await serve();
    await push(server, "newest\n");
    await untilIdle(server);
    expect(readFileSync(site("current/index.html"), "utf8")).toBe("newest\n");
    expect(incompleteReleases()).toEqual([]);
    expect(leftovers()).toEqual([]);
  });
});
