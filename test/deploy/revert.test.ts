import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Interruption } from "../../src/domain/deployment.ts";
import type { Target } from "../../src/domain/target.ts";
import { until } from "../support/until.ts";
import { createClock, idOf, type Outcome, Site, snapshotText } from "./site.ts";

setDefaultTimeout(120_000);

let site: Site;
let server: ReturnType<typeof Bun.serve>;
/** A server that is unhealthy when the live page contains `sick`. */
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
const PRINT_LIVE = "echo live: $(cat index.html) $HOOKLATCH_COMMIT after $HOOKLATCH_PREVIOUS_COMMIT";

const text = (message: string | null | undefined) => snapshotText(message);

const CANCELLED: Interruption = { kind: "cancelled", reason: "Ada said so" };
const INTERRUPTED: Interruption = { kind: "interrupted" };

/** Aborts the deployment at the first output line that ends like this. */
function abortAt(lineEnd: string, interruption: Interruption) {
  const controller = new AbortController();
  const onLine = (line: string) => {
    if (line.endsWith(lineEnd)) controller.abort(interruption);
  };
  return { onLine, signal: controller.signal };
}

/** A command that never ends and whose grandchild ignores SIGTERM. */
const STUBBORN = `sh -c 'trap "" TERM; echo grandchild $$; while :; do sleep 0.05; done' & wait`;

/** Resolves when the grandchildren in the output have ended. */
async function expectGrandchildrenGone({ lines }: Outcome): Promise<void> {
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

  test("succeeds when the health check succeeds after the steps", async () => {
    const result = await site.deploy({ ...health(), after: ["echo after"] });
    expect(result).toMatchObject({ state: "succeeded", reason: null });
    expect(result.lines.slice(-2)).toEqual(["after", expect.stringContaining("200")]);
    expect(text(result.lines.at(-1))).toMatchSnapshot();
  });

  test("reverts an unhealthy release and runs the after steps for the previous one", async () => {
    const first = await site.deploy({ ...health(), after: [PRINT_LIVE] });
    const commit = site.repository.commit({ "index.html": "sick" });
    const result = await site.deploy(
      { ...health(), after: [PRINT_LIVE] },
      { deployment: { previousCommit: first.commit } },
    );
    expect(result).toMatchObject({ state: "failed", code: "health_check_failed", commit, release: null });
    for (const fact of [url(), "503", idOf(first)]) expect(result.reason).toContain(fact);
    expect(result.steps.map(({ command, exitCode }) => [command, exitCode])).toEqual([
      [PRINT_LIVE, 0],
      [PRINT_LIVE, 0],
    ]);
    const from = result.lines.findIndex((line) => line.startsWith("live: sick"));
    const output = result.lines.slice(from).filter((line) => !line.startsWith("$") && !line.includes(url()));
    expect(output).toEqual([
      `live: sick ${commit} after ${first.commit}`,
      expect.stringContaining(idOf(first)),
      `live: one ${first.commit} after ${commit}`,
    ]);
    expect([result.reason, output[1]].map(text)).toMatchSnapshot();
    expect(page()).toBe("one");
  });

  test("removes an unhealthy first release and deploys the next one", async () => {
    site.repository.commit({ "index.html": "sick", "deep/file": "" });
    const result = await site.deploy({ ...health(), after: ["echo after"] });
    expect(result).toMatchObject({ state: "failed", code: "health_check_failed", release: null });
    for (const fact of [url(), "503"]) expect(result.reason).toContain(fact);
    expect(text(result.reason)).toMatchSnapshot();
    expect(result.steps.length).toBe(1);
    expect(page()).toBeNull();
    expect(existsSync(join(site.live, "deep"))).toBe(false);
    site.repository.commit({ "index.html": "two" });
    expect((await site.deploy(health())).state).toBe("succeeded");
    expect(page()).toBe("two");
  });

  test("removes a first release whose step fails before it is live", async () => {
    const result = await site.deploy({ run: ["false"], after: ["echo never"] });
    expect(result).toMatchObject({ state: "failed", code: "step_failed" });
    expect(text(result.reason)).toMatchSnapshot();
    expect(page()).toBeNull();
    expect(result.lines).not.toContain("never");
  });

  test("reports a step that fails for the previous release too", async () => {
    const first = await site.deploy();
    site.repository.commit({ "index.html": "two" });
    const result = await site.deploy({ after: ["false"] });
    expect(result.reason).toContain(idOf(first));
    expect(text(result.reason)).toMatchSnapshot();
    expect(page()).toBe("one");
  });

  test("limits the after steps of the previous release to one minute", async () => {
    const first = await site.deploy();
    site.repository.commit({ "index.html": "two" });
    const clock = createClock();
    const onLine = (line: string) => line.startsWith("grandchild") && clock.advanceToNext();
    const result = await site.deploy({ after: [STUBBORN] }, { clock, onLine });
    for (const fact of ["10m", "1m", idOf(first), JSON.stringify(STUBBORN)]) {
      expect(result.reason).toContain(fact);
    }
    expect(text(result.reason)).toMatchSnapshot();
    expect(clock.sleeping).toBe(0);
    expect(page()).toBe("one");
    await expectGrandchildrenGone(result);
  });

  test.each([
    ["cancelled", CANCELLED, "cancelled", "Ada said so"],
    ["interrupted", INTERRUPTED, "shutdown", null],
  ] as const)("ends all processes of a step that is %s", async (state, interruption, code, reason) => {
    await site.deploy();
    site.repository.commit({ "index.html": "two" });
    const running = { run: [STUBBORN, "echo never"], after: ["echo never"] };
    const controller = new AbortController();
    const onLine = (line: string) => line.startsWith("grandchild") && controller.abort(interruption);
    const result = await site.deploy(running, { onLine, signal: controller.signal });
    expect(result).toMatchObject({ state, code, reason });
    expect(result.lines).not.toContain("never");
    expect(page()).toBe("one");
    await expectGrandchildrenGone(result);
  });

  test("runs the after steps for the previous release after a cancellation", async () => {
    const first = await site.deploy();
    site.repository.commit({ "index.html": "sick" });
    const result = await site.deploy({ ...health(), after: [PRINT_LIVE] }, abortAt("503", CANCELLED));
    const { tip: commit } = site.repository;
    expect(result).toMatchObject({ state: "cancelled", code: "cancelled", commit });
    for (const fact of ["Ada said so", idOf(first)]) expect(result.reason).toContain(fact);
    expect(text(result.reason)).toMatchSnapshot();
    expect(result.steps.map(({ exitCode }) => exitCode)).toEqual([0, 0]);
    expect(page()).toBe("one");
  });

  test("skips the after steps of the previous release when the server stops", async () => {
    const first = await site.deploy();
    site.repository.commit({ "index.html": "sick" });
    const result = await site.deploy({ ...health(), after: [PRINT_LIVE] }, abortAt("503", INTERRUPTED));
    expect(result).toMatchObject({ state: "interrupted", code: "shutdown" });
    expect(result.reason).toContain(idOf(first));
    expect(text(result.reason)).toMatchSnapshot();
    expect(result.steps.length).toBe(1);
    expect(page()).toBe("one");
  });

  test("ends the after steps of the previous release when the server stops", async () => {
    const first = await site.deploy();
    site.repository.commit({ "index.html": "two" });
    const after = ["test $(cat index.html) = one && echo back && sleep 60"];
    const result = await site.deploy({ after }, abortAt("back", INTERRUPTED));
    expect(result).toMatchObject({ state: "failed", code: "step_failed" });
    expect(result.reason).toContain(idOf(first));
    expect(text(result.reason)).toMatchSnapshot();
  });

  test("reports a timeout while it waits for the health check", async () => {
    const first = await site.deploy();
    site.repository.commit({ "index.html": "sick" });
    const clock = createClock((milliseconds) => milliseconds === 500 && clock.advance(600_000));
    const result = await site.deploy(health(), { clock });
    expect(result).toMatchObject({ state: "failed", code: "timeout" });
    for (const fact of ["10m", idOf(first)]) expect(result.reason).toContain(fact);
    expect(text(result.reason)).toMatchSnapshot();
    expect(page()).toBe("one");
  });
});

describe("a target without a repository", () => {
  beforeEach(() => {
    site = new Site("releases");
    server = serveLive();
    mkdirSync(site.directory);
  });

  test("fails when it is unhealthy and reverts nothing", async () => {
    const settings = health();
    const address = url();
    await server.stop(true);
    const result = await site.deploy({ ...settings, repository: null, after: ["echo after"] });
    expect(result).toMatchObject({ state: "failed", code: "health_check_failed" });
    expect(result.reason).toContain(address);
    expect(text(result.reason)).toMatchSnapshot();
    expect(result.steps.length).toBe(1);
    expect(readdirSync(site.directory)).toEqual([]);
  });

  test("cannot deploy a chosen release", async () => {
    const result = await site.deploy(
      { repository: null, run: ["echo never"] },
      { deployment: { trigger: "rollback", choice: { kind: "release", release: null } } },
    );
    expect(result).toMatchObject({ state: "failed", code: "release_missing", steps: [] });
    expect(result.reason).toContain("blog");
    expect(text(result.reason)).toMatchSnapshot();
  });
});
