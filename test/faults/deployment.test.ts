import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, lstatSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { describeTarget, SECRET, writeConfiguration } from "../support/configuration.ts";
import { type Server, Workshop } from "../support/executable.ts";
import { git, Repository } from "../support/git.ts";
import { deliver } from "../support/github.ts";
import { Kept } from "../support/kept.ts";
import { pushBody } from "../support/payloads.ts";
import { type Moment, Saboteur } from "../support/saboteur.ts";
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

/** Tells the server of a push of the tip. */
function send(server: Server, fullName = "octocat/blog"): Promise<Response> {
  const body = pushBody({ after: repository.tip, full_name: fullName, number: crypto.randomUUID() });
  return deliver(new URL("/github-webhook", server.url), "push", body, { secret: SECRET });
}

/** Commits a page and tells the server of it. */
async function push(server: Server, page: string): Promise<void> {
  repository.commit({ "index.html": page });
  expect((await send(server)).status).toBe(202);
}

/** Resolves when nothing waits or runs any more. */
function untilQuiet(server: Server): Promise<void> {
  return server.until(() => Kept.read(data(), (kept) => kept.unfinished === 0));
}

const isComplete = (release: string) =>
  ["index.html", "first.done", "second.done"].every((name) => existsSync(join(release, name)));

/** What can be found half-made by somebody who looks: `current` to nowhere, or a release that lacks something. */
function halfMade(): readonly string[] {
  const current = isLink(site("current")) && !isComplete(site("current")) ? ["current"] : [];
  const releases = existsSync(site("releases")) ? readdirSync(site("releases")) : [];
  const visible = releases.filter((name) => !name.startsWith("."));
  return [...current, ...visible.filter((name) => !isComplete(site("releases", name)))];
}

function isLink(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() ?? false;
}

/** Lock files of git, and our own half-made link and releases. */
function leftovers(): readonly string[] {
  const all = readdirSync(site(), { recursive: true, encoding: "utf8" });
  return all.filter((path) => /(?:\.lock|tmp_pack_\w+|\.current-next|\.coming\/.*|\.going\/.*)$/.test(path));
}

/** A place in a deployment where its server can be killed. The words are those of the program that runs then. */
interface Stage {
  readonly stage: string;
  readonly words: string;
  readonly moments: readonly Moment[];
}

const STEPS: readonly Stage[] = [
  { stage: "the first step", words: "first", moments: ["beside", "before", "after"] },
  { stage: "the last step before it is live", words: "second", moments: ["after", "before", "amid"] },
  { stage: "the step once it is live", words: "finally", moments: ["before", "after", "beside"] },
  { stage: "the tidying up", words: "gc --auto", moments: ["before", "after"] },
];

const OF_RELEASES: readonly Stage[] = [
  { stage: "the fetch", words: "fetch --no-auto-gc", moments: ["amid", "before", "after", "beside"] },
  { stage: "the checkout", words: "worktree add", moments: ["amid", "before", "after", "beside"] },
  { stage: "the naming of the release", words: "worktree repair", moments: ["after", "before"] },
  ...STEPS,
];

const OF_WORKTREE: readonly Stage[] = [
  ...STEPS.map((stage) => ({ ...stage, moments: stage.moments.filter((moment) => moment !== "amid") })),
  { stage: "the fetch", words: "fetch --no-auto-gc", moments: ["amid", "before"] },
  { stage: "the checkout", words: "checkout --force", moments: ["amid", "before", "beside"] },
  { stage: "the cleaning", words: "clean -ffd", moments: ["before", "after"] },
];

/** In the long form every moment of every stage, in the short one the first of each, up to `most` stages. */
function momentsOf(stages: readonly Stage[], { most }: { most: number }) {
  const stubborn: Stage = { stage: "a step", words: "second", moments: ["stubbornly beside"] };
  const chosen = isLong ? [...stages, stubborn] : stages.slice(-most);
  return chosen.flatMap(({ moments, ...stage }) =>
    moments.slice(0, isLong ? undefined : 1).map((moment) => ({ ...stage, moment })),
  );
}

async function deployAndKill(server: Server, page: string, words: string, moment: Moment): Promise<void> {
  saboteur.arm(words, moment);
  await push(server, page);
  await untilGone(server);
  expect(saboteur.struck).toBe(true);
}

async function recover(): Promise<void> {
  const server = await serve();
  await untilQuiet(server);
  saboteur.release();
  expect(await server.end("SIGTERM")).toBe(0);
}

describe("kill -9 of the server with a release live", () => {
  test.each(momentsOf(OF_RELEASES, { most: 7 }))(
    "$moment $stage leaves that or another whole one live, and the tip is live after the restart",
    async ({ words, moment }) => {
      configure("releases");
      const server = await serve();
      await push(server, "old\n");
      await untilQuiet(server);
      await deployAndKill(server, "new\n", words, moment);
      expect(["old\n", "new\n"]).toContain(readFileSync(site("current/index.html"), "utf8"));
      expect(isComplete(site("current"))).toBe(true);

      await recover();
      expect(readFileSync(site("current/index.html"), "utf8")).toBe("new\n");
      expect(readlinkSync(site("current"))).toEndWith(repository.tip.slice(0, 12));
      expect(halfMade()).toEqual([]);
      expect(leftovers()).toEqual([]);
      expect(Kept.read(data(), (kept) => kept.deployments())).toMatchObject([
        { state: "succeeded", trigger: "push" },
        { state: "interrupted", trigger: "push", delivery: 2 },
        { state: "succeeded", trigger: "push", delivery: 2, commit: repository.tip },
      ]);
    },
  );
});

describe("kill -9 of the server with nothing live", () => {
  test.each(momentsOf(OF_RELEASES, { most: 3 }))(
    "$moment $stage leaves nothing or a whole release live, and the tip is live after the restart",
    async ({ words, moment }) => {
      configure("releases");
      await deployAndKill(await serve(), "new\n", words, moment);
      if (isLink(site("current"))) expect(isComplete(site("current"))).toBe(true);

      await recover();
      expect(readFileSync(site("current/index.html"), "utf8")).toBe("new\n");
      expect(halfMade()).toEqual([]);
      expect(leftovers()).toEqual([]);
      expect(Kept.read(data(), (kept) => kept.deployments())).toMatchObject([
        { state: "interrupted" },
        { state: "succeeded", commit: repository.tip },
      ]);
    },
  );
});

describe("kill -9 of the server with a worktree live", () => {
  test.each(momentsOf(OF_WORKTREE, { most: 3 }))(
    "$moment $stage is put in order, and the tip is live after the restart",
    async ({ words, moment }) => {
      configure("worktree");
      const server = await serve();
      await push(server, "old\n");
      await untilQuiet(server);
      await deployAndKill(server, "new\n", words, moment);

      await recover();
      expect(readFileSync(site("index.html"), "utf8")).toBe("new\n");
      expect(isComplete(site())).toBe(true);
      expect(git(site(), "rev-parse", "HEAD")).toBe(repository.tip);
      expect(git(site(), "diff", "--name-only", "HEAD")).toBe("");
      expect(leftovers()).toEqual([]);
      expect(Kept.read(data(), (kept) => kept.deployments())).toMatchObject([
        { state: "succeeded" },
        { state: "interrupted" },
        { state: "succeeded", commit: repository.tip },
      ]);
    },
  );
});

describe("a deployment that is interrupted again", () => {
  test("because it kills the server each time is tried twice and not for ever, and the next push is deployed", async () => {
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
      // With the deployment of another target there was time enough for this one to begin, and to kill it.
      await send(again, "octocat/docs").catch(() => null);
      await Promise.race([untilQuiet(again).catch(() => null), untilGone(again)]);
      await again.end("SIGKILL");
    }
    const states = () => Kept.read(data(), (kept) => kept.deployments("blog").map(({ state }) => state));
    expect(states()).toEqual(["interrupted", "interrupted"]);
    expect(existsSync(site("current"))).toBe(false);

    const server = await serve();
    repository.commit({ deadly: null });
    await push(server, "harmless\n");
    await untilQuiet(server);
    expect(readFileSync(site("current/index.html"), "utf8")).toBe("harmless\n");
    // Catching up at the start may have met the new commit before its push came.
    const [one, two, ...others] = states();
    expect([one, two]).toEqual(["interrupted", "interrupted"]);
    expect(new Set(others)).toEqual(new Set(["succeeded"]));
    expect(halfMade()).toEqual([]);
  });

  test("at another stage, and superseded by a newer push, leaves the newest commit live", async () => {
    configure("releases");
    const first = await serve();
    await push(first, "old\n");
    await untilQuiet(first);
    await deployAndKill(first, "new\n", "first", "after");
    saboteur.arm("finally", "before");
    await untilGone(await serve());
    expect(saboteur.struck).toBe(true);
    expect(isComplete(site("current"))).toBe(true);

    const server = await serve();
    await push(server, "newest\n");
    await untilQuiet(server);
    expect(readFileSync(site("current/index.html"), "utf8")).toBe("newest\n");
    expect(halfMade()).toEqual([]);
    expect(leftovers()).toEqual([]);
  });
});
