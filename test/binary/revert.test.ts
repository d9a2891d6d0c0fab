import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import type { ApiDeployment } from "../../src/api/deployment.ts";
import { freePort } from "../support/free-port.ts";
import { until } from "../support/until.ts";
import { words } from "../support/words.ts";
import { Blog } from "./blog.ts";

setDefaultTimeout(120_000);

let blog: Blog;
beforeEach(() => {
  blog = new Blog();
});
afterEach(() => blog[Symbol.asyncDispose]());

/** One run of the `after` step: its environment variables and the content that was live. */
interface AfterRun {
  readonly commit: string;
  readonly previous: string;
  readonly release: string;
  readonly content: string;
}

const AFTER = `echo "$HOOKLATCH_COMMIT,$HOOKLATCH_PREVIOUS_COMMIT,$HOOKLATCH_RELEASE,$(cat index.html)" >> "$RUNS"`;

function afterRuns(): readonly AfterRun[] {
  return readFileSync(blog.at("runs"), "utf8")
    .trim()
    .split("\n")
    .map((line) => {
      const [commit = "", previous = "", release = "", content = ""] = line.split(",");
      return { commit, previous, release, content };
    });
}

/** A site with a health check whose response the live file `health` chooses. */
class HealthSite {
  readonly server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    idleTimeout: 0,
    fetch: () => {
      const health = existsSync(blog.live("health")) ? blog.read("health") : "200";
      if (health === "hangs") return new Promise<Response>(() => {});
      const headers = { location: "/healthy" };
      return new Response("", { status: Number(health), headers });
    },
  });
  readonly url = new URL("/health", this.server.url).href;
}

let healthSite: HealthSite;
beforeEach(() => {
  healthSite = new HealthSite();
});
afterEach(() => healthSite.server.stop(true));

/** A commit that fails at one point of its deployment. */
interface Failure {
  readonly files: Readonly<Record<string, string>>;
  readonly code: string;
  /** Matches the facts that the reason must name. */
  readonly facts: RegExp;
  readonly wentLive: boolean;
}

const FAILURES: Readonly<Record<string, Failure>> = {
  "a run step fails": {
    files: { "fail-run": "" },
    code: "step_failed",
    facts: /"test ! -e fail-run".*\b1\b/,
    wentLive: false,
  },
  "a run step is killed": {
    files: { "kill-run": "" },
    code: "step_failed",
    facts: /"test ! -e kill-run \|\| kill -9 \$\$".*\bSIGKILL\b/,
    wentLive: false,
  },
  "an after step fails": {
    files: { "fail-after": "" },
    code: "step_failed",
    facts: /"test ! -e fail-after".*\b1\b/,
    wentLive: true,
  },
  "the health check gets HTTP 500": {
    files: { health: "500" },
    code: "health_check_failed",
    facts: /^http:\S+\/health .*\b500\b.*\b1s\b/,
    wentLive: true,
  },
  "the health check gets a redirect": {
    files: { health: "302" },
    code: "health_check_failed",
    facts: /^http:\S+\/health .*\b302\b.*\b1s\b/,
    wentLive: true,
  },
  "the health check gets no response": {
    files: { health: "hangs" },
    code: "health_check_failed",
    facts: /^http:\S+\/health .*\b1s\b/,
    wentLive: true,
  },
};

const RUN = ["test ! -e fail-run", "test ! -e kill-run || kill -9 $$", "echo built > built"];

function describeKeys(
  after: readonly string[] = [AFTER, "test ! -e fail-after"],
  url = healthSite.url,
): string {
  return `run = ${JSON.stringify(RUN)}
after = ${JSON.stringify(after)}
env = { RUNS = ${JSON.stringify(blog.at("runs"))}, BROKEN = ${JSON.stringify(blog.at("broken"))} }
health = { url = ${JSON.stringify(url)}, within = "1s" }`;
}

type Live = Pick<ApiDeployment, "release" | "commit">;

/** The name of a release, or the abbreviated commit with layout worktree, as reasons have it. */
const nameOf = ({ release, commit }: Live) => release ?? commit?.slice(0, 12) ?? "";

/** Prepares a text for a snapshot that names what is live. */
const wordsAbout = (live: Live, text: string | null | undefined) =>
  words(text ?? "", { [nameOf(live)]: live.release === null ? "<commit>" : "<release>" });

describe.each(["releases", "worktree"] as const)("layout %s", (layout) => {
  test.each(Object.entries(FAILURES))("reverts to the live files when %s", async (_, failure) => {
    await blog.serve({ layout, keys: describeKeys() });
    const first = await blog.deploy({ "index.html": "one" });
    expect(first).toMatchObject({ state: "succeeded", reason: null });
    const link = layout === "releases" ? readlinkSync(blog.site("current")) : null;

    const second = await blog.deploy({ "index.html": "two", ...failure.files });
    expect(second).toMatchObject({ state: "failed", code: failure.code, release: null });
    expect(second.reason).toMatch(failure.facts);
    expect(second.reason?.includes(nameOf(first))).toBe(failure.wentLive);
    expect(wordsAbout(first, second.reason)).toMatchSnapshot();
    expect(blog.read("index.html")).toBe("one");
    expect(link === null ? null : readlinkSync(blog.site("current"))).toBe(link);
    expect(blog.releases).toEqual(first.release === null ? [] : [first.release]);
    const before = { commit: first.commit, release: first.release ?? "", content: "one" };
    expect(afterRuns()).toMatchObject([
      before,
      ...(failure.wentLive ? [{ commit: second.commit, previous: first.commit, content: "two" }] : []),
      ...(failure.wentLive ? [{ ...before, previous: second.commit }] : []),
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

  test.each(Object.entries(FAILURES))(
    "leaves nothing live when %s in the first deployment",
    async (_, failure) => {
      await blog.serve({ layout, keys: describeKeys() });
      const first = await blog.deploy({ "index.html": "one", ...failure.files });
      expect(first).toMatchObject({ state: "failed", code: failure.code, release: null });
      expect(first.reason).toMatch(failure.facts);
      expect(words(first.reason ?? "")).toMatchSnapshot();
      expect(existsSync(blog.live("index.html"))).toBe(false);
      expect(blog.releases).toEqual([]);
    },
  );

  test("reports that the after step also fails for the files that it reverts to", async () => {
    await blog.serve({ layout, keys: describeKeys(['test ! -e "$BROKEN"']) });
    const first = await blog.deploy({ "index.html": "one" });
    blog.workshop.write("broken", "");
    const { state, code, reason } = await blog.deploy({ "index.html": "two" });
    expect([state, code]).toEqual(["failed", "step_failed"]);
    // The reason names the step for both runs.
    expect(reason?.split('test ! -e \\"$BROKEN\\"')).toHaveLength(3);
    expect(reason).toContain(nameOf(first));
    expect(wordsAbout(first, reason)).toMatchSnapshot();
    expect(blog.read("index.html")).toBe("one");
    expect(blog.releases).toEqual(first.release === null ? [] : [first.release]);
  });

  test("fails when the port of the health check is closed", async () => {
    const url = `http://127.0.0.1:${freePort()}/health`;
    await blog.serve({ layout, keys: describeKeys([], url) });
    const { state, code, reason } = await blog.deploy({ "index.html": "one" });
    expect([state, code]).toEqual(["failed", "health_check_failed"]);
    expect(reason).toContain(url);
    expect(words(reason ?? "")).toMatchSnapshot();
  });

  test("succeeds when a service that starts late passes the health check in time", async () => {
    const port = freePort();
    const url = `http://127.0.0.1:${port}/health`;
    await blog.serve({ layout, keys: describeKeys([], url).replace('"1s"', '"60s"') });
    const id = await blog.push({ "index.html": "one" });
    let output: readonly string[] = [];
    // The log line about the start of a deployment names its trigger.
    await until(() => blog.server.log.some(({ trigger }) => trigger !== undefined));
    while (!output.some((line) => line.includes(url))) output = await blog.output(id);
    const late = Bun.serve({ hostname: "127.0.0.1", port, fetch: () => new Response("healthy") });
    expect(await blog.untilEnded(id)).toMatchObject({ state: "succeeded", reason: null });
    await late.stop(true);
    const lines = (await blog.output(id)).slice(-2);
    expect(lines).toEqual([
      expect.stringContaining(url),
      expect.stringMatching(new RegExp(`${RegExp.escape(url)}.*\\b200\\b`)),
    ]);
    expect(lines.map((line) => words(line))).toMatchSnapshot();
  });

  test.skipIf(!existsSync("/proc/self/environ"))(
    "ends all processes when it is cancelled while it reverts (needs /proc)",
    async () => {
      await blog.serve({ layout, keys: describeKeys(['if test -e "$BROKEN"; then sh after.sh; fi']) });
      const first = await blog.deploy({
        "index.html": "one",
        "after.sh": 'setsid sleep 3600 & touch "$RUNS"; sleep 3600',
      });
      blog.workshop.write("broken", "");
      const id = await blog.push({ "index.html": "two", "after.sh": "false" });
      await until(() => existsSync(blog.at("runs")));
      await blog.run("deployment", "cancel", String(id), "--by", "Ada");
      const { state, code, reason } = await blog.untilEnded(id);
      expect([state, code]).toEqual(["failed", "step_failed"]);
      expect(reason).toContain(nameOf(first));
      expect(wordsAbout(first, reason)).toMatchSnapshot();
      expect(blog.processesOf(id)).toEqual([]);
    },
  );
});

describe("a server that was killed during an after step", () => {
  /** The step creates a file when it starts, and then runs for long if the commit has the file `slow`. */
  const slow = () => `after = ["test ! -e slow || { touch ${blog.at("started")}; sleep 600; }"]`;
  const untilStarted = () => until(() => existsSync(blog.at("started")));

  /** Deploys a page, pushes another one, and kills the server when the second is live but its after step still runs. */
  async function killWhileLive(layout: "releases" | "worktree", beforeKilling: () => Promise<unknown>) {
    await blog.serve({ layout, keys: slow() });
    const first = await blog.deploy({ "index.html": "one" });
    const id = await blog.push({ "index.html": "two", slow: "" });
    await untilStarted();
    await beforeKilling();
    await blog.server.end("SIGKILL");
    return { first, id };
  }

  /** Expects the files of the first deployment to be live again, on disk and in the API. */
  async function expectReverted(first: Live, id: number) {
    const findOutcome = () => blog.server.log.find(({ outcome }) => outcome !== undefined);
    await blog.server.until(() => findOutcome() !== undefined);
    expect(findOutcome()).toMatchObject({ level: "warn", deployment: id });
    expect(blog.read("index.html")).toBe("one");
    const { stdout } = await blog.run("target", "show", "blog", "--json");
    expect(JSON.parse(stdout).live).toMatchObject({ commit: first.commit, release: first.release });
    const line = (await blog.output(id)).at(-1);
    expect(line).toContain(nameOf(first));
    const { msg, outcome } = findOutcome() ?? {};
    expect([msg, outcome, line].map((text) => wordsAbout(first, String(text)))).toMatchSnapshot();
  }

  test.each(["releases", "worktree"] as const)(
    "reverts to the previous files when the target is locked, layout %s",
    async (layout) => {
      const lock = () => blog.run("target", "lock", "blog", "--reason", "freeze");
      const { first, id } = await killWhileLive(layout, lock);
      await blog.restart();
      await expectReverted(first, id);
    },
  );

  test("reverts to the previous files after the second crash", async () => {
    const { first, id } = await killWhileLive("releases", async () => {});
    rmSync(blog.at("started"));
    await blog.restart();
    await untilStarted();
    await blog.server.end("SIGKILL");
    await blog.restart();
    await expectReverted(first, id + 1);
    expect(blog.releases).toEqual([String(first.release)]);
  });
});
