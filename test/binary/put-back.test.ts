import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import { freePort } from "../support/free-port.ts";
import { until } from "../support/until.ts";
import { Blog } from "./blog.ts";

setDefaultTimeout(120_000);

let blog: Blog;
beforeEach(() => {
  blog = new Blog();
});
afterEach(() => blog[Symbol.asyncDispose]());

/** What a test's `after` wrote down of each time that it ran: what it was told, and where it was. */
interface AfterRun {
  readonly commit: string;
  readonly previous: string;
  readonly release: string;
  readonly content: string;
}

const AFTER = `echo "$HOOKLATCH_COMMIT,$HOOKLATCH_PREVIOUS_COMMIT,$HOOKLATCH_RELEASE,$(cat index.html)" >> "$TOLD"`;

function afterRuns(): readonly AfterRun[] {
  return readFileSync(blog.at("told"), "utf8")
    .trim()
    .split("\n")
    .map((line) => {
      const [commit = "", previous = "", release = "", content = ""] = line.split(",");
      return { commit, previous, release, content };
    });
}

/** A site whose health is what the live release says it is. */
class Patient {
  readonly server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    idleTimeout: 0,
    fetch: () => {
      const health = existsSync(blog.live("health")) ? blog.read("health") : "200";
      if (health === "hangs") return new Promise<Response>(() => {});
      const headers = { location: "/well" };
      return new Response("", { status: Number(health), headers });
    },
  });
  readonly url = new URL("/health", this.server.url).href;
}

let patient: Patient;
beforeEach(() => {
  patient = new Patient();
});
afterEach(() => patient.server.stop(true));

/** How a commit is made that fails at one place, and what people are told then, before and after the putting back. */
interface Place {
  readonly files: Readonly<Record<string, string>>;
  readonly reason: (url: string) => string;
  readonly wentLive: boolean;
}

const PLACES: Readonly<Record<string, Place>> = {
  "a run step": {
    files: { "fail-run": "" },
    reason: () => 'step "test ! -e fail-run" exited with 1',
    wentLive: false,
  },
  "a run step that is killed": {
    files: { "kill-run": "" },
    reason: () => 'step "test ! -e kill-run || kill -9 $$" was ended by SIGKILL',
    wentLive: false,
  },
  "an after step": {
    files: { "fail-after": "" },
    reason: () => 'step "test ! -e fail-after" exited with 1',
    wentLive: true,
  },
  "health with HTTP 500": {
    files: { health: "500" },
    reason: (url) => `${url} answered 500 for 1s`,
    wentLive: true,
  },
  "health with a redirect": {
    files: { health: "302" },
    reason: (url) => `${url} answered 302 for 1s`,
    wentLive: true,
  },
  "health without an answer": {
    files: { health: "hangs" },
    reason: (url) => `${url} gave no answer for 1s (it took too long)`,
    wentLive: true,
  },
};

const RUN = ["test ! -e fail-run", "test ! -e kill-run || kill -9 $$", "echo built > built"];

function describeKeys(after: readonly string[] = [AFTER, "test ! -e fail-after"], url = patient.url): string {
  return `run = ${JSON.stringify(RUN)}
after = ${JSON.stringify(after)}
env = { TOLD = ${JSON.stringify(blog.at("told"))}, BROKEN = ${JSON.stringify(blog.at("broken"))} }
health = { url = ${JSON.stringify(url)}, within = "1s" }`;
}

describe.each(["releases", "worktree"] as const)("layout %s", (layout) => {
  /** What tells releases apart in a reason. */
  const nameOf = ({ release, commit }: { release: string | null; commit: string | null }) =>
    layout === "releases" ? `release ${release}` : `commit ${commit?.slice(0, 12)}`;

  test.each(Object.entries(PLACES))("puts back what was live when %s fails", async (_, place) => {
    await blog.serve({ layout, keys: describeKeys() });
    const first = await blog.deploy({ "index.html": "one" });
    expect(first).toMatchObject({ state: "succeeded", reason: null });
    const link = layout === "releases" ? readlinkSync(blog.site("current")) : null;

    const second = await blog.deploy({ "index.html": "two", ...place.files });
    const told = place.wentLive ? `; ${nameOf(first)} is live again` : "";
    expect(second).toMatchObject({
      state: "failed",
      reason: `${place.reason(patient.url)}${told}`,
      release: null,
    });
    expect(blog.read("index.html")).toBe("one");
    expect(link === null ? null : readlinkSync(blog.site("current"))).toBe(link);
    expect(blog.releases).toEqual(first.release === null ? [] : [first.release]);
    const before = { commit: first.commit, release: first.release ?? "", content: "one" };
    expect(afterRuns()).toMatchObject([
      before,
      ...(place.wentLive ? [{ commit: second.commit, previous: first.commit, content: "two" }] : []),
      ...(place.wentLive ? [{ ...before, previous: second.commit }] : []),
    ]);

    const third = await blog.deploy({
      "index.html": "three",
      "fail-run": null,
      "kill-run": null,
      "fail-after": null,
      health: null,
    });
    expect(third).toMatchObject({ state: "succeeded", reason: null, previous_commit: first.commit });
    expect(blog.read("index.html")).toBe("three");
  });

  test.each(Object.entries(PLACES))(
    "leaves nothing live when %s fails in the very first",
    async (_, place) => {
      await blog.serve({ layout, keys: describeKeys() });
      const first = await blog.deploy({ "index.html": "one", ...place.files });
      const told = place.wentLive ? "; nothing was live before, so it was taken down again" : "";
      expect(first).toMatchObject({
        state: "failed",
        reason: `${place.reason(patient.url)}${told}`,
        release: null,
      });
      expect(existsSync(blog.live("index.html"))).toBe(false);
      expect(blog.releases).toEqual([]);
    },
  );

  test("says so when the after step of what is put back fails too", async () => {
    await blog.serve({ layout, keys: describeKeys(['test ! -e "$BROKEN"']) });
    const first = await blog.deploy({ "index.html": "one" });
    blog.workshop.write("broken", "");
    const step = 'step "test ! -e \\"$BROKEN\\"" exited with 1';
    expect(await blog.deploy({ "index.html": "two" })).toMatchObject({
      state: "failed",
      reason: `${step}; ${nameOf(first)} is live again, but ${step}`,
    });
    expect(blog.read("index.html")).toBe("one");
    expect(blog.releases).toEqual(first.release === null ? [] : [first.release]);
  });

  test("fails when nobody listens where health is asked", async () => {
    const url = `http://127.0.0.1:${freePort()}/health`;
    await blog.serve({ layout, keys: describeKeys([], url) });
    expect(await blog.deploy({ "index.html": "one" })).toMatchObject({
      state: "failed",
      reason: `${url} gave no answer for 1s (connection refused); nothing was live before, so it was taken down again`,
    });
  });

  test("succeeds when what was started late becomes healthy in time", async () => {
    const port = freePort();
    const url = `http://127.0.0.1:${port}/health`;
    await blog.serve({ layout, keys: describeKeys([], url).replace('"1s"', '"60s"') });
    const id = await blog.push({ "index.html": "one" });
    let output: readonly string[] = [];
    await until(() => blog.server.stderr.includes("deployment started"));
    while (!output.some((line) => line.includes("connection refused"))) output = await blog.output(id);
    const late = Bun.serve({ hostname: "127.0.0.1", port, fetch: () => new Response("well") });
    expect(await blog.ended(id)).toMatchObject({ state: "succeeded", reason: null });
    await late.stop(true);
    expect((await blog.output(id)).slice(-2)).toEqual([
      `${url} gave no answer (connection refused)`,
      `${url} answered 200`,
    ]);
  });

  test.skipIf(!existsSync("/proc/self/environ"))(
    "leaves no process when it is cancelled while it puts back (needs /proc)",
    async () => {
      await blog.serve({ layout, keys: describeKeys(['if test -e "$BROKEN"; then sh after.sh; fi']) });
      const first = await blog.deploy({
        "index.html": "one",
        "after.sh": 'setsid sleep 3600 & touch "$TOLD"; sleep 3600',
      });
      blog.workshop.write("broken", "");
      const id = await blog.push({ "index.html": "two", "after.sh": "false" });
      await until(() => existsSync(blog.at("told")));
      await blog.run("deployment", "cancel", String(id), "--by", "Ada");
      const second = await blog.ended(id);
      expect(second).toMatchObject({
        state: "failed",
        reason: expect.stringContaining(`${nameOf(first)} is live again, but`),
      });
      expect(blog.processesOf(id)).toEqual([]);
    },
  );
});

describe("a server that was killed once a deployment was live, and that does not begin another", () => {
  /** The step of a slow commit says that it has begun. */
  const slow = () => `after = ["test ! -e slow || { touch ${blog.at("begun")}; sleep 600; }"]`;
  const untilBegun = () => until(() => existsSync(blog.at("begun")));

  /** Deploys a page, pushes the next, and kills the server when that is live and not known to be well. */
  async function killWhileLive(layout: "releases" | "worktree", beforeKilling: () => Promise<unknown>) {
    await blog.serve({ layout, keys: slow() });
    const first = await blog.deploy({ "index.html": "one" });
    const id = await blog.push({ "index.html": "two", slow: "" });
    await untilBegun();
    await beforeKilling();
    await blog.server.end("SIGKILL");
    return { first, id };
  }

  /** What was live before is live, for whoever looks at the site or asks. */
  async function expectBack(
    { commit, release }: { commit: string | null; release: string | null },
    id: number,
  ) {
    await blog.server.until(() => blog.server.stderr.includes("took back what an interrupted"));
    expect(blog.read("index.html")).toBe("one");
    const { stdout } = await blog.run("target", "show", "blog", "--json");
    expect(JSON.parse(stdout).live).toMatchObject({ commit, release });
    expect((await blog.output(id)).at(-1)).toBe(
      `putting back ${release === null ? `commit ${commit?.slice(0, 12)}` : `release ${release}`}`,
    );
  }

  test.each(["releases", "worktree"] as const)(
    "puts back what was live before it where the target is locked, layout %s",
    async (layout) => {
      const lock = () => blog.run("target", "lock", "blog", "--reason", "freeze");
      const { first, id } = await killWhileLive(layout, lock);
      await blog.restart();
      await expectBack(first, id);
    },
  );

  test("puts back what was live before it after the second crash", async () => {
    const { first, id } = await killWhileLive("releases", async () => {});
    rmSync(blog.at("begun"));
    await blog.restart();
    await untilBegun();
    await blog.server.end("SIGKILL");
    await blog.restart();
    await expectBack(first, id + 1);
    expect(blog.releases).toEqual([String(first.release)]);
  });
});
