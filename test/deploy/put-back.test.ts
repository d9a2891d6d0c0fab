import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Interruption } from "../../src/domain/deployment.ts";
import type { Target } from "../../src/domain/target.ts";
import { until } from "../support/until.ts";
import { FakeClock } from "./fake-clock.ts";
import { type Outcome, Site } from "./site.ts";

setDefaultTimeout(120_000);

let site: Site;
let server: ReturnType<typeof Bun.serve>;
/** A page that is well says so in its text. */
const serveLive = () =>
  Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: () => new Response("", { status: page() === "sick" ? 503 : 200 }),
  });
afterEach(async () => {
  await server.stop(true);
  site.remove();
});

const page = () => {
  const path = join(site.live, "index.html");
  return existsSync(path) ? readFileSync(path, "utf8") : null;
};
const url = () => `http://127.0.0.1:${server.port}/`;
const health = (): Pick<Target, "health"> => ({ health: { url: url(), within: 30_000 } });
const TELL = "echo live: $(cat index.html) $HOOKLATCH_COMMIT after $HOOKLATCH_PREVIOUS_COMMIT";
const nameOf = ({ release, commit }: Outcome) =>
  release === null ? `commit ${commit?.slice(0, 12)}` : `release ${release}`;

/** Ends the deployment at a line of its output. */
function endAt(text: string, kind: Interruption["kind"]) {
  const controller = new AbortController();
  const onLine = (line: string) => {
    if (line.endsWith(text)) controller.abort({ kind, reason: "Ada said so" } satisfies Interruption);
  };
  return { onLine, signal: controller.signal };
}

/** A command that goes on for ever, and whose grandchild does not heed TERM. */
const STUBBORN = `sh -c 'trap "" TERM; echo grandchild $$; while :; do sleep 0.05; done' & wait`;

/** Resolves when the grandchildren that the output names are gone. */
async function expectNoneLeft({ lines }: Outcome): Promise<void> {
  const pids = lines.flatMap((line) => /^grandchild (\d+)$/.exec(line)?.[1] ?? []);
  expect(pids.length).toBeGreaterThan(0);
  for (const pid of pids) await until(() => !isRunning(pid));
}

function isRunning(pid: string): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

describe.each(["releases", "worktree"])("layout %s", (layout) => {
  beforeEach(() => {
    site = new Site(layout);
    server = serveLive();
    site.repository.commit({ "index.html": "one" });
  });

  test("succeeds once it is healthy, after the steps", async () => {
    const ending = await site.deploy({ ...health(), after: ["echo after"] });
    expect(ending).toMatchObject({ state: "succeeded", reason: null });
    expect(ending.lines.slice(-2)).toEqual(["after", `${url()} answered 200`]);
  });

  test("puts back what was live when it is not healthy, and runs the steps for that", async () => {
    const first = await site.deploy({ ...health(), after: [TELL] });
    const commit = site.repository.commit({ "index.html": "sick" });
    const ending = await site.deploy(
      { ...health(), after: [TELL] },
      { deployment: { previousCommit: first.commit } },
    );
    expect(ending).toMatchObject({ state: "failed", commit, release: null });
    expect(ending.reason).toBe(`${url()} answered 503 for 30s; ${nameOf(first)} is live again`);
    expect(ending.steps.map(({ command, exitCode }) => [command, exitCode])).toEqual([
      [TELL, 0],
      [TELL, 0],
    ]);
    expect(ending.lines.filter((line) => /^(live|putting)/.test(line))).toEqual([
      `live: sick ${commit} after ${first.commit}`,
      `putting back ${nameOf(first)}`,
      `live: one ${first.commit} after ${commit}`,
    ]);
    expect(page()).toBe("one");
  });

  test("takes the first one down again, and deploys the next", async () => {
    site.repository.commit({ "index.html": "sick", "deep/file": "" });
    const ending = await site.deploy({ ...health(), after: ["echo after"] });
    const reason = `${url()} answered 503 for 30s; nothing was live before, so it was taken down again`;
    expect(ending).toMatchObject({ state: "failed", reason, release: null });
    expect(ending.steps.length).toBe(1);
    expect(page()).toBeNull();
    expect(existsSync(join(site.live, "deep"))).toBe(false);
    site.repository.commit({ "index.html": "two" });
    expect((await site.deploy(health())).state).toBe("succeeded");
    expect(page()).toBe("two");
  });

  test("leaves nothing of a first one whose step fails before it is live", async () => {
    const ending = await site.deploy({ run: ["false"], after: ["echo never"] });
    expect(ending).toMatchObject({ state: "failed", reason: 'step "false" exited with 1' });
    expect(page()).toBeNull();
    expect(ending.lines).not.toContain("never");
  });

  test("tells it too when a step fails for what was put back", async () => {
    const first = await site.deploy();
    site.repository.commit({ "index.html": "two" });
    const ending = await site.deploy({ after: ["false"] });
    const failed = 'step "false" exited with 1';
    expect(ending.reason).toBe(`${failed}; ${nameOf(first)} is live again, but ${failed}`);
    expect(page()).toBe("one");
  });

  test("gives the steps of what was put back a minute of their own", async () => {
    const first = await site.deploy();
    site.repository.commit({ "index.html": "two" });
    const clock = new FakeClock();
    const onLine = (line: string) => line.startsWith("grandchild") && clock.ring();
    const ending = await site.deploy({ after: [STUBBORN] }, { clock, onLine });
    const doing = `while running ${JSON.stringify(STUBBORN)}`;
    expect(ending.reason).toBe(
      `timed out after 10m ${doing}; ${nameOf(first)} is live again, but timed out after 1m ${doing}`,
    );
    expect(clock.sleeping).toBe(0);
    expect(page()).toBe("one");
    await expectNoneLeft(ending);
  });

  test.each(["cancelled", "interrupted"] as const)("ends all of a step that is %s", async (kind) => {
    await site.deploy();
    site.repository.commit({ "index.html": "two" });
    const running = { run: [STUBBORN, "echo never"], after: ["echo never"] };
    const controller = new AbortController();
    const onLine = (line: string) =>
      line.startsWith("grandchild") && controller.abort({ kind, reason: "Ada said so" });
    const ending = await site.deploy(running, { onLine, signal: controller.signal });
    expect(ending).toMatchObject({ state: kind, reason: "Ada said so" });
    expect(ending.lines).not.toContain("never");
    expect(page()).toBe("one");
    await expectNoneLeft(ending);
  });

  test("runs the steps for what is put back when it is cancelled", async () => {
    const first = await site.deploy();
    site.repository.commit({ "index.html": "sick" });
    const ending = await site.deploy({ ...health(), after: [TELL] }, endAt("answered 503", "cancelled"));
    expect(ending).toMatchObject({
      state: "cancelled",
      reason: `Ada said so; ${nameOf(first)} is live again`,
      commit: site.repository.tip,
    });
    expect(ending.steps.map(({ exitCode }) => exitCode)).toEqual([0, 0]);
    expect(page()).toBe("one");
  });

  test("does not run them when the server is stopping", async () => {
    const first = await site.deploy();
    site.repository.commit({ "index.html": "sick" });
    const ending = await site.deploy({ ...health(), after: [TELL] }, endAt("answered 503", "interrupted"));
    const reason = `Ada said so; ${nameOf(first)} is live again, but its after steps did not run`;
    expect(ending).toMatchObject({ state: "interrupted", reason });
    expect(ending.steps.length).toBe(1);
    expect(page()).toBe("one");
  });

  test("ends them when the server is to stop meanwhile", async () => {
    const first = await site.deploy();
    site.repository.commit({ "index.html": "two" });
    const after = ["test $(cat index.html) = one && echo back && sleep 60"];
    const ending = await site.deploy({ after }, endAt("back", "interrupted"));
    expect(ending.state).toBe("failed");
    expect(ending.reason).toEndWith(`; ${nameOf(first)} is live again, but Ada said so`);
  });

  test("says what it was at when the time runs out before it is healthy", async () => {
    const first = await site.deploy();
    site.repository.commit({ "index.html": "sick" });
    const clock = new FakeClock((nap) => nap === 500 && clock.ring());
    const ending = await site.deploy(health(), { clock });
    const reason = `timed out after 10m while waiting for it to be healthy; ${nameOf(first)} is live again`;
    expect(ending).toMatchObject({ state: "failed", reason });
    expect(page()).toBe("one");
  });
});

describe("a target without a repository", () => {
  beforeEach(() => {
    site = new Site("releases");
    server = serveLive();
    mkdirSync(site.directory);
  });

  test("fails when it is not healthy, and nothing is put back", async () => {
    const settings = health();
    const reason = `${url()} gave no answer for 30s (connection refused)`;
    await server.stop(true);
    const ending = await site.deploy({ ...settings, watch: null, after: ["echo after"] });
    expect(ending).toMatchObject({ state: "failed", reason });
    expect(ending.steps.length).toBe(1);
    expect(readdirSync(site.directory)).toEqual([]);
  });

  test("has nothing to choose from", async () => {
    const ending = await site.deploy(
      { watch: null, run: ["echo never"] },
      { deployment: { trigger: "rollback", choice: { kind: "release", release: null } } },
    );
    const reason = "target blog has no repository to choose a commit or release from";
    expect(ending).toMatchObject({ state: "failed", reason, steps: [] });
  });
});
