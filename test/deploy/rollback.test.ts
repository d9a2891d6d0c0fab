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
import { layouts } from "../../src/deploy/index.ts";
import type { Choice, Deployment, Interruption } from "../../src/domain/deployment.ts";
import type { Target } from "../../src/domain/target.ts";
import { type Outcome, Site } from "./site.ts";

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

/** Deploys a commit for each page, the first one first. */
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

const back = (release: string | null = null): Pick<Deployment, "trigger" | "choice"> => ({
  trigger: "rollback",
  choice: { kind: "release", release } satisfies Choice,
});

const NEVER: Partial<Target> = { run: ["echo never"] };

/** Goes back; nothing of the repository is needed for it. */
function goBack(
  release: string | null = null,
  target: Partial<Target> = {},
  tools: Parameters<Site["deploy"]>[1] = {},
) {
  return site.deploy(
    { ...NEVER, ...target },
    { ...tools, deployment: { ...back(release), ...tools.deployment } },
  );
}

test("goes to the release before, and the one before that, without a fetch or a build", async () => {
  const [one, two] = await deployAll(["one", "two", "three"]);
  rmSync(site.repository.path, { recursive: true });
  const after = ["echo $HOOKLATCH_RELEASE $HOOKLATCH_COMMIT $HOOKLATCH_BRANCH; pwd"];
  const ending = await goBack(null, { after });
  expect(ending).toMatchObject({
    state: "succeeded",
    reason: null,
    branch: "main",
    commit: two?.commit,
    release: two?.release,
  });
  expect(ending.lines).toEqual([
    `$ ${after[0]}`,
    `${two?.release} ${two?.commit} main`,
    at("releases", String(two?.release)),
  ]);
  expect(page()).toBe("two");
  expect(await goBack()).toMatchObject({ state: "succeeded", commit: one?.commit, release: one?.release });
  expect(page()).toBe("one");
});

test("goes to a named release, forwards too", async () => {
  const [one, , three] = await deployAll(["one", "two", "three"]);
  expect(await goBack(one?.release)).toMatchObject({ state: "succeeded", release: one?.release });
  expect(page()).toBe("one");
  expect(await goBack(three?.release)).toMatchObject({ state: "succeeded", commit: three?.commit });
  expect(page()).toBe("three");
});

test("fails, and changes and runs nothing, when there is no release before", async () => {
  const [one] = await deployAll(["one"]);
  const ending = await goBack(null, { after: ["echo never"] });
  expect(ending).toMatchObject({ state: "failed", reason: `there is no release before ${one?.release}` });
  expect(ending).toMatchObject({ commit: null, release: null, lines: [] });
  expect(live()).toBe(String(one?.release));
});

test("names the releases that there are when there is none of the name", async () => {
  const [one, two] = await deployAll(["one", "two"]);
  for (const name of ["20200101T000000Z-aaaaaaaaaaaa", "../shared", ".coming", ""]) {
    const reason = `there is no release ${name}; there are: ${two?.release}, ${one?.release}`;
    expect(await goBack(name)).toMatchObject({ state: "failed", reason, lines: [] });
  }
  expect(live()).toBe(String(two?.release));
});

test("fails where nothing was ever deployed, and makes nothing there", async () => {
  expect((await goBack()).reason).toBe("nothing is live to go back from; there are none");
  expect(existsSync(site.directory)).toBe(false);
});

test("never takes a release that is not whole", async () => {
  const [one] = await deployAll(["one", "two", "three"]);
  const [, two = ""] = names();
  mkdirSync(at("releases/.coming", two), { recursive: true });
  expect(await layouts.releases.releasesOf?.(site.directory)).not.toContain(two);
  expect(await goBack(null)).toMatchObject({ state: "succeeded", release: one?.release });
  expect(await goBack(two)).toMatchObject({ state: "failed" });
  expect(page()).toBe("one");
});

test("puts back what was live when it is not healthy, and keeps the release", async () => {
  const [one, two] = await deployAll(["one", "two"]);
  const ending = await goBack(null, { after: ["cat index.html; test $(cat index.html) = two"] });
  expect(ending).toMatchObject({ state: "failed", commit: one?.commit, release: one?.release });
  expect(ending.reason).toEndWith(` exited with 1; release ${two?.release} is live again`);
  expect(ending.lines).toContain(`putting back release ${two?.release}`);
  expect(page()).toBe("two");
  expect(names()).toEqual([String(one?.release), String(two?.release)]);
});

test("keeps the release when it is cancelled", async () => {
  const [one, two] = await deployAll(["one", "two"]);
  const controller = new AbortController();
  const onLine = (line: string) =>
    line === "ready" && controller.abort({ kind: "cancelled", reason: "no" } satisfies Interruption);
  const after = ["test $(cat index.html) = two || { echo ready; sleep 60; }"];
  const ending = await goBack(null, { after }, { onLine, signal: controller.signal });
  expect(ending).toMatchObject({ state: "cancelled", reason: `no; release ${two?.release} is live again` });
  expect(names()).toEqual([String(one?.release), String(two?.release)]);
  expect(page()).toBe("two");
});

test("the next push is deployed, and goes back to what was live when it fails", async () => {
  const [one] = await deployAll(["one", "two"]);
  await goBack();
  site.repository.commit({ "index.html": "three" });
  const failed = await site.deploy({ after: ["test $(cat index.html) != three"] });
  expect(failed.reason).toEndWith(`; release ${one?.release} is live again`);
  expect(page()).toBe("one");
  expect((await site.deploy()).state).toBe("succeeded");
  expect(page()).toBe("three");
});

test("keeps the live release and the one before it, however few are kept", async () => {
  const [one, two] = await deployAll(["one", "two", "three"]);
  await goBack(one?.release, { keepReleases: 1 });
  expect(names().length).toBe(3);
  site.repository.commit({ "index.html": "four" });
  const four = await site.deploy({ keepReleases: 1 });
  expect(names()).toEqual([String(one?.release), String(four.release)]);
  expect(names()).not.toContain(two?.release);
  expect(await goBack(null, { keepReleases: 1 })).toMatchObject({
    state: "succeeded",
    release: one?.release,
  });
  expect(names()).toEqual([String(one?.release), String(four.release)]);
});

test("is taken up again, and not one further back, when an attempt was killed after going live", async () => {
  const [one, two, three] = await deployAll(["one", "two", "three"]);
  rmSync(at("current"));
  symlinkSync(`releases/${two?.release}`, at("current"));
  const again = { deployment: { attempt: 2, previousCommit: three?.commit ?? null } };
  const failed = await goBack(null, { after: ["test $(cat index.html) = three"] }, again);
  expect(failed.reason).toEndWith(`; release ${three?.release} is live again`);
  expect(live()).toBe(String(three?.release));
  rmSync(at("current"));
  symlinkSync(`releases/${two?.release}`, at("current"));
  expect(await goBack(null, {}, again)).toMatchObject({ state: "succeeded", release: two?.release });
  expect(names()).toContain(String(one?.release));
});

test("goes back from what a person made current by hand, where no attempt was killed", async () => {
  const [one, two, three] = await deployAll(["one", "two", "three"]);
  rmSync(at("current"));
  symlinkSync(`releases/${two?.release}`, at("current"));
  const ending = await goBack(null, {}, { deployment: { previousCommit: three?.commit ?? null } });
  expect(ending).toMatchObject({ state: "succeeded", release: one?.release });
});

test("runs the steps for the live release when that is named", async () => {
  const [, two] = await deployAll(["one", "two"]);
  const ending = await goBack(two?.release, { after: ["cat index.html; exit 1"] });
  expect(ending).toMatchObject({ state: "failed", reason: 'step "cat index.html; exit 1" exited with 1' });
  expect(live()).toBe(String(two?.release));
});

test("tells the commit that was deployed, whatever the build did to the repository in it", async () => {
  const [one, two] = await deployAll(["one", "two", "three"], {
    run: ["git commit --quiet --allow-empty --message Built && rm .git"],
  });
  site.repository.git("tag", String(two?.commit?.slice(0, 12)), String(one?.commit));
  expect(await goBack()).toMatchObject({ state: "succeeded", commit: two?.commit });
});

test("works without the repository, of which only the commit's full name is missed", async () => {
  const [one] = await deployAll(["one", "two"]);
  rmSync(at("repo"), { recursive: true });
  const ending = await goBack();
  expect(ending).toMatchObject({ state: "succeeded", commit: null, release: one?.release });
  expect(page()).toBe("one");
});

test("says what to do when current is not a link", async () => {
  await deployAll(["one", "two"]);
  rmSync(at("current"));
  mkdirSync(at("current"));
  const reason = `${at("current")} is not a symbolic link; move it away, or choose another directory`;
  expect(await goBack()).toMatchObject({ state: "failed", reason });
});

test("removes no old release: the next deployment of a commit does", async () => {
  await deployAll(["one", "two", "three"]);
  await goBack(null, { keepReleases: 1 });
  expect(names().length).toBe(3);
});

describe("the releases of a directory", () => {
  test("are told newest first", async () => {
    const made = await deployAll(["one", "two"]);
    writeFileSync(at("releases/notes"), "");
    const releases = made.map(({ release }) => String(release));
    expect(await layouts.releases.releasesOf?.(site.directory)).toEqual(releases.reverse());
  });

  test("are none where there is no directory", async () => {
    expect(await layouts.releases.releasesOf?.(site.directory)).toEqual([]);
  });
});

test("is refused by the layout worktree, with what to do instead", async () => {
  site.remove();
  site = new Site("worktree");
  site.repository.commit({ "index.html": "one" });
  await site.deploy();
  const ending = await goBack();
  expect(ending).toMatchObject({ state: "failed", lines: [] });
  expect(ending.reason).toBe(
    "the layout worktree keeps no releases; deploy a commit instead: hooklatch target deploy blog --commit <commit>",
  );
  expect(readFileSync(at("index.html"), "utf8")).toBe("one");
  expect(layouts.worktree.releasesOf).toBeNull();
});
