import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { basename, join } from "node:path";
import { layouts } from "../../src/deploy/layouts/index.ts";
import type { Choice, Deployment, Interruption } from "../../src/domain/deployment.ts";
import type { Target } from "../../src/domain/target.ts";
import { type Outcome, Site, snapshotText } from "./site.ts";

setDefaultTimeout(120_000);

let site: Site;
beforeEach(() => {
  site = new Site("releases");
});
afterEach(() => site.remove());

const at = (...path: readonly string[]) => join(site.directory, ...path);
const names = () =>
  readdirSync(at("releases"))
    .filter((name) => !name.startsWith("."))
    .sort();
const live = () => basename(readlinkSync(at("current")));
const page = () => readFileSync(at("current/index.html"), "utf8");

/** Deploys one commit for each page, in this order. */
async function deployAll(
  pages: readonly string[],
  target: Partial<Target> = {},
): Promise<readonly Outcome[]> {
  const made: Outcome[] = [];
  for (const text of pages) {
    site.repository.commit({ "index.html": text });
    made.push(await site.deploy(target));
  }
  return made;
}

const toRelease = (release: string | null = null): Pick<Deployment, "trigger" | "choice"> => ({
  trigger: "rollback",
  choice: { kind: "release", release } satisfies Choice,
});

const NEVER: Partial<Target> = { run: ["echo never"] };

/** Rolls back, which needs nothing from the repository. */
function rollBack(
  release: string | null = null,
  target: Partial<Target> = {},
  options: Parameters<Site["deploy"]>[1] = {},
) {
  return site.deploy(
    { ...NEVER, ...target },
    { ...options, deployment: { ...toRelease(release), ...options.deployment } },
  );
}

test("rolls back to the previous release, twice, without a fetch or a build", async () => {
  const [one, two] = await deployAll(["one", "two", "three"]);
  rmSync(site.repository.path, { recursive: true });
  const after = ["echo $HOOKLATCH_RELEASE $HOOKLATCH_COMMIT $HOOKLATCH_BRANCH; pwd"];
  const result = await rollBack(null, { after });
  expect(result).toMatchObject({
    state: "succeeded",
    reason: null,
    branch: "main",
    commit: two?.commit,
    release: two?.release,
  });
  expect(result.lines).toEqual([
    `$ ${after[0]}`,
    `${two?.release} ${two?.commit} main`,
    at("releases", String(two?.release)),
  ]);
  expect(page()).toBe("two");
  expect(await rollBack()).toMatchObject({ state: "succeeded", commit: one?.commit, release: one?.release });
  expect(page()).toBe("one");
});

test("rolls back or forward to a named release", async () => {
  const [one, , three] = await deployAll(["one", "two", "three"]);
  expect(await rollBack(one?.release)).toMatchObject({ state: "succeeded", release: one?.release });
  expect(page()).toBe("one");
  expect(await rollBack(three?.release)).toMatchObject({ state: "succeeded", commit: three?.commit });
  expect(page()).toBe("three");
});

test("fails and changes nothing when there is no previous release", async () => {
  const [one] = await deployAll(["one"]);
  const result = await rollBack(null, { after: ["echo never"] });
  expect(result).toMatchObject({
    state: "failed",
    code: "release_missing",
    commit: null,
    release: null,
    lines: [],
  });
  expect(result.reason).toContain(String(one?.release));
  expect(snapshotText(result.reason)).toMatchSnapshot();
  expect(live()).toBe(String(one?.release));
});

test("lists the existing releases when the named release does not exist", async () => {
  const [one, two] = await deployAll(["one", "two"]);
  const releases = { [String(one?.release)]: "<release one>", [String(two?.release)]: "<release two>" };
  const reasons: string[] = [];
  for (const name of ["20200101T000000Z-aaaaaaaaaaaa", "../shared", ".coming", ""]) {
    const result = await rollBack(name);
    expect(result).toMatchObject({ state: "failed", code: "release_missing", lines: [] });
    expect(result.reason).toContain(name);
    expect(result.reason).toMatch(new RegExp(`${two?.release}.*${one?.release}`));
    reasons.push(snapshotText(result.reason, releases));
  }
  expect(reasons).toMatchSnapshot();
  expect(live()).toBe(String(two?.release));
});

test("fails and creates nothing when nothing was ever deployed", async () => {
  const result = await rollBack();
  expect(result).toMatchObject({ state: "failed", code: "release_missing" });
  expect(snapshotText(result.reason)).toMatchSnapshot();
  expect(existsSync(site.directory)).toBe(false);
});

test("never selects an incomplete release", async () => {
  const [one] = await deployAll(["one", "two", "three"]);
  const [, two = ""] = names();
  mkdirSync(at("releases/.coming", two), { recursive: true });
  expect(await layouts.releases.releasesOf?.(site.directory)).not.toContain(two);
  expect(await rollBack(null)).toMatchObject({ state: "succeeded", release: one?.release });
  expect(await rollBack(two)).toMatchObject({ state: "failed", code: "release_missing" });
  expect(page()).toBe("one");
});

test("reverts an unhealthy rollback and keeps the release", async () => {
  const [one, two] = await deployAll(["one", "two"]);
  const result = await rollBack(null, { after: ["cat index.html; test $(cat index.html) = two"] });
  expect(result).toMatchObject({
    state: "failed",
    code: "step_failed",
    commit: one?.commit,
    release: one?.release,
  });
  const outputLines = result.lines.filter((line) => line.includes(String(two?.release)));
  expect(outputLines).toHaveLength(1);
  expect(result.reason).toContain(String(two?.release));
  expect([result.reason, ...outputLines].map((text) => snapshotText(text))).toMatchSnapshot();
  expect(page()).toBe("two");
  expect(names()).toEqual([String(one?.release), String(two?.release)]);
});

test("keeps the release after a cancelled rollback", async () => {
  const [one, two] = await deployAll(["one", "two"]);
  const controller = new AbortController();
  const onLine = (line: string) =>
    line === "ready" && controller.abort({ kind: "cancelled", reason: "no" } satisfies Interruption);
  const after = ["test $(cat index.html) = two || { echo ready; sleep 60; }"];
  const result = await rollBack(null, { after }, { onLine, signal: controller.signal });
  expect(result.state).toBe("cancelled");
  expect(result.reason).toContain(String(two?.release));
  expect(snapshotText(result.reason)).toMatchSnapshot();
  expect(names()).toEqual([String(one?.release), String(two?.release)]);
  expect(page()).toBe("two");
});

test("deploys the next push, and reverts to the live release when it fails", async () => {
  const [one] = await deployAll(["one", "two"]);
  await rollBack();
  site.repository.commit({ "index.html": "three" });
  const failed = await site.deploy({ after: ["test $(cat index.html) != three"] });
  expect(failed.reason).toContain(String(one?.release));
  expect(page()).toBe("one");
  expect((await site.deploy()).state).toBe("succeeded");
  expect(page()).toBe("three");
});

test("keeps the live release and the previous one for any keep_releases", async () => {
  const [one, two] = await deployAll(["one", "two", "three"]);
  await rollBack(one?.release, { keepReleases: 1 });
  expect(names().length).toBe(3);
  site.repository.commit({ "index.html": "four" });
  const four = await site.deploy({ keepReleases: 1 });
  expect(names()).toEqual([String(one?.release), String(four.release)]);
  expect(names()).not.toContain(two?.release);
  expect(await rollBack(null, { keepReleases: 1 })).toMatchObject({
    state: "succeeded",
    release: one?.release,
  });
  expect(names()).toEqual([String(one?.release), String(four.release)]);
});

test("repeats a rollback to the same release after an attempt that was killed when live", async () => {
  const [one, two, three] = await deployAll(["one", "two", "three"]);
  rmSync(at("current"));
  symlinkSync(`releases/${two?.release}`, at("current"));
  const again = { deployment: { attempt: 2, previousCommit: three?.commit ?? null } };
  const failed = await rollBack(null, { after: ["test $(cat index.html) = three"] }, again);
  expect(failed.reason).toContain(String(three?.release));
  expect(live()).toBe(String(three?.release));
  rmSync(at("current"));
  symlinkSync(`releases/${two?.release}`, at("current"));
  expect(await rollBack(null, {}, again)).toMatchObject({ state: "succeeded", release: two?.release });
  expect(names()).toContain(String(one?.release));
});

test("rolls back from a release that a person made current by hand", async () => {
  const [one, two, three] = await deployAll(["one", "two", "three"]);
  rmSync(at("current"));
  symlinkSync(`releases/${two?.release}`, at("current"));
  const result = await rollBack(null, {}, { deployment: { previousCommit: three?.commit ?? null } });
  expect(result).toMatchObject({ state: "succeeded", release: one?.release });
});

test("runs the after steps when the live release is named", async () => {
  const [, two] = await deployAll(["one", "two"]);
  const result = await rollBack(two?.release, { after: ["cat index.html; exit 1"] });
  expect(result).toMatchObject({ state: "failed", code: "step_failed", steps: [{ exitCode: 1 }] });
  expect(snapshotText(result.reason)).toMatchSnapshot();
  expect(live()).toBe(String(two?.release));
});

test("returns the deployed commit even if the build changed the checkout", async () => {
  const [one, two] = await deployAll(["one", "two", "three"], {
    run: ["git commit --quiet --allow-empty --message Built && rm -r .git"],
  });
  site.repository.git("tag", String(two?.commit?.slice(0, 12)), String(one?.commit));
  expect(await rollBack()).toMatchObject({ state: "succeeded", commit: two?.commit });
});

test("works without the repository but then returns no commit", async () => {
  const [one] = await deployAll(["one", "two"]);
  rmSync(at("repo"), { recursive: true });
  const result = await rollBack();
  expect(result).toMatchObject({ state: "succeeded", commit: null, release: one?.release });
  expect(page()).toBe("one");
});

test("fails with advice when current is not a link", async () => {
  await deployAll(["one", "two"]);
  rmSync(at("current"));
  mkdirSync(at("current"));
  const result = await rollBack();
  expect(result).toMatchObject({ state: "failed", code: "directory_unusable" });
  expect(result.reason).toContain(at("current"));
  expect(snapshotText(result.reason)).toMatchSnapshot();
});

test("removes no old release, which the next deployment of a commit does", async () => {
  await deployAll(["one", "two", "three"]);
  await rollBack(null, { keepReleases: 1 });
  expect(names().length).toBe(3);
});

describe("the list of releases of a directory", () => {
  test("is sorted newest first", async () => {
    const made = await deployAll(["one", "two"]);
    writeFileSync(at("releases/notes"), "");
    const releases = made.map(({ release }) => String(release));
    expect(await layouts.releases.releasesOf?.(site.directory)).toEqual(releases.reverse());
  });

  test("is empty when the directory does not exist", async () => {
    expect(await layouts.releases.releasesOf?.(site.directory)).toEqual([]);
  });
});

test("fails for the layout worktree and recommends an alternative", async () => {
  site.remove();
  site = new Site("worktree");
  site.repository.commit({ "index.html": "one" });
  await site.deploy();
  const result = await rollBack();
  expect(result).toMatchObject({ state: "failed", code: "release_missing", lines: [] });
  for (const fact of ["worktree", "hooklatch target deploy blog --commit <commit>"]) {
    expect(result.reason).toContain(fact);
  }
  expect(snapshotText(result.reason)).toMatchSnapshot();
  expect(readFileSync(at("index.html"), "utf8")).toBe("one");
  expect(layouts.worktree.releasesOf).toBeNull();
});
