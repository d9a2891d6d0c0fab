import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readdirSync } from "node:fs";
import type { ApiDeployment } from "../../src/api/deployment.ts";
import { chooseSeed, Random } from "../support/random.ts";
import { ServedSite } from "../support/served-site.ts";
import { words } from "../support/words.ts";

setDefaultTimeout(120_000);

let site: ServedSite;

beforeEach(() => {
  site = new ServedSite();
});

afterEach(() => site.dispose());

const waitFor = (file: string) => `while test ! -e ${site.path(file)}; do sleep 0.02; done`;

/**
 * Expects the live release to hold both the pushed file and the file that the step builds from it. Reads both through the
 * release's own path: another deployment may replace the link, and remove the release, between the two reads.
 */
function expectCompleteRelease(): void {
  const release = site.current;
  try {
    const page = site.read("releases", release, "index.html");
    expect(site.read("releases", release, "built.html")).toBe(page);
  } catch (error) {
    if (site.current === release) throw error;
    expectCompleteRelease();
  }
}

describe("hooklatch deployment cancel", () => {
  test("cancels queued and running deployments, keeps the live release, and rejects a deployment that has ended", async () => {
    await site.start({
      target: `run = ["cp index.html built.html", "echo started; test ! -e slow || ${waitFor("never")}"]`,
    });
    await site.deploy({ "index.html": "first\n" });
    const live = site.current;
    site.repository.commit({ slow: "" });
    await site.push();
    await site.untilPrinted(2, "started");
    site.repository.commit({ "index.html": "third\n" });
    await site.push();
    const { stdout, ...result } = await site.run("deployment", "cancel", "3", "--by", "ada");
    expect(result).toEqual({ exitCode: 0, stderr: "" });
    expect(stdout).toMatch(/^.*\b3\b.*\n$/);
    const queued = await site.readDeployment(3);
    expect(queued).toMatchObject({ state: "cancelled", started_at: null });
    expect(queued.reason).toContain("ada");
    const answer = await site.ask<{ status: string; deployment: ApiDeployment }>(
      "POST",
      "/api/deployments/2/cancel",
      { by: "bob" },
    );
    expect([answer.code, answer.body.status, answer.body.deployment.id]).toEqual([202, "cancelling", 2]);
    const running = await site.untilEnded(2);
    expect(running).toMatchObject({ state: "cancelled", steps: [{}, { signal: "SIGTERM" }] });
    expect(running.reason).toContain("bob");
    const errors: string[] = [];
    for (const id of ["1", "2", "3", "99"]) {
      const { stderr, ...rejected } = await site.run("deployment", "cancel", id);
      expect(rejected).toEqual({ exitCode: 1, stdout: "" });
      expect(stderr).toMatch(new RegExp(`^hooklatch: .*\\b${id}\\b.*\\n$`));
      errors.push(stderr.trimEnd());
    }
    const ended = await site.ask<{ status: string; reason: string }>("POST", "/api/deployments/1/cancel");
    expect(ended).toEqual({
      code: 409,
      body: { status: "ended", reason: expect.stringContaining("succeeded") },
    });
    expect([site.current, readdirSync(site.path("releases"))]).toEqual([live, [live]]);
    const delivery = (await site.run("delivery", "show", "3")).stdout.split("\n");
    const line = delivery.find((each) => each.includes("by ada"));
    expect([
      stdout.trimEnd(),
      queued.reason,
      running.reason,
      line,
      ended.body.reason,
      ...errors,
    ]).toMatchSnapshot();
  });

  test("puts the previous release back when the cancelled deployment was already live", async () => {
    await site.start({
      target: `run = ["cp index.html built.html"]\nafter = ["echo after; test ! -e slow || ${waitFor("never")}"]`,
    });
    await site.deploy({ "index.html": "first\n" });
    const live = site.current;
    site.repository.commit({ "index.html": "second\n", slow: "" });
    await site.push();
    await site.untilPrinted(2, "after");
    expect(site.current).not.toBe(live);
    await site.run("deployment", "cancel", "2", "--by", "ada");
    const { state, reason } = await site.untilEnded(2);
    expect(state).toBe("cancelled");
    expect(reason).toMatch(new RegExp(`\\bada\\b.*\\b${live}\\b`));
    expect(words(reason ?? "")).toMatchSnapshot();
    expect(site.current).toBe(live);
  });
});

describe("hooklatch target deploy", () => {
  test("reports an unknown target or commit and deploys nothing", async () => {
    await site.start({});
    const unknown = await site.run("target", "deploy", "unknown-target");
    expect([unknown.exitCode, unknown.stdout]).toEqual([1, ""]);
    expect(unknown.stderr).toMatch(/^hooklatch: .*\bunknown-target\b.*\bblog\b.*\n$/);
    for (const name of [
      "",
      "..",
      "blog/../blog",
      "blog/deploy",
      "%2e",
      "\u001b[31m",
      "\u202e",
      "x".repeat(3000),
    ]) {
      const { exitCode, stdout, stderr } = await site.run("target", "deploy", "--", name);
      expect([name, exitCode, stdout]).toEqual([name, 1, ""]);
      expect(stderr.split("\n")).toHaveLength(2);
      for (const control of ["\u001b", "\u202e"]) expect(stderr).not.toContain(control);
    }
    expect(await site.listDeployments()).toEqual([]);
    expect(await site.run("target", "deploy", "blog", "--commit", "nonsense")).toMatchObject({
      exitCode: 2,
      stdout: "",
    });
    site.repository.commit({ "index.html": "first\n" });
    const absent = await site.run("target", "deploy", "blog", "--commit", "f".repeat(40), "--follow");
    expect(absent.exitCode).toBe(1);
    expect(absent.stderr).toContain("f".repeat(40));
    expect(words(unknown.stderr + absent.stderr)).toMatchSnapshot();
  });
});

describe("concurrent pushes, deployments and rollbacks", () => {
  test("run one at a time and keep a complete release live", async () => {
    // flock(1) fails when another deployment runs its step, and a killed step releases the lock.
    const lock = site.path("../step.lock");
    await site.start({
      target: `run = ["flock --nonblock ${lock} cp index.html built.html"]\nafter = ["cmp index.html built.html"]\nkeep_releases = 3`,
    });
    await site.deploy({ "index.html": "first\n" });
    await site.deploy({ "index.html": "second\n" });
    let isOver = false;
    let checks = 0;
    const checking = (async () => {
      while (!isOver) {
        expectCompleteRelease();
        checks++;
        await Bun.sleep(1);
      }
    })();
    const requests: Promise<unknown>[] = [];
    for (let round = 0; round < 25; round++) {
      site.repository.commit({ "index.html": `${round}\n` });
      requests.push(site.push());
      requests.push(site.ask("POST", "/api/targets/blog/rollback"));
      requests.push(site.ask("POST", "/api/targets/blog/deploy"));
      requests.push(site.ask("POST", `/api/deployments/${3 + round * 2}/cancel`));
      if (round % 5 === 0)
        requests.push(site.ask("POST", "/api/targets/blog/lock", { reason: "storm", for: "1s" }));
      if (round % 5 === 2) requests.push(site.ask("POST", "/api/targets/blog/unlock"));
      await Bun.sleep(10);
    }
    await Promise.all(requests);
    await site.ask("POST", "/api/targets/blog/unlock");
    const last = await site.ask<{ deployment: number }>("POST", "/api/targets/blog/deploy");
    expect(await site.untilEnded(last.body.deployment)).toMatchObject({
      state: "succeeded",
      commit: site.repository.tip,
    });
    isOver = true;
    await checking;
    expect(checks).toBeGreaterThan(10);
    const ended = await site.listDeployments();
    expect(ended.filter(({ state }) => state === "queued" || state === "running")).toEqual([]);
    // A rollback fails before its first step when there is no release to go back to. Nothing else may fail.
    const failed = ended.filter(({ state }) => state === "failed");
    const isExpected = ({ trigger, steps }: ApiDeployment) => trigger === "rollback" && steps.length === 0;
    expect(failed.filter((deployment) => !isExpected(deployment))).toEqual([]);
    expect(site.server.log.filter(({ level }) => level === "error")).toEqual([]);
    const ran = ended
      .filter(({ started_at }) => started_at !== null)
      .map(({ started_at, ended_at }) => [Date.parse(started_at ?? ""), Date.parse(ended_at ?? "")] as const)
      .sort(([a], [b]) => a - b);
    for (const [index, [start]] of ran.entries())
      expect(start).toBeGreaterThanOrEqual(ran[index - 1]?.[1] ?? 0);
    expect(site.read("current/index.html")).toBe("24\n");
    const { live } = await site.readTarget();
    expect(live?.release).toBe(site.current);
  });
});

describe("a server that is killed", () => {
  test("runs an interrupted rollback again after the restart, to the same release", async () => {
    await site.start({
      target: `after = ["echo after; test ! -e ${site.path("slow")} || ${waitFor("go")}"]`,
    });
    await site.deploy({ "index.html": "first\n" });
    await site.deploy({ "index.html": "second\n" });
    const second = site.current;
    await site.deploy({ "index.html": "third\n" });
    site.workshop.write("site/slow", "");
    const { body } = await site.ask<{ deployment: number }>("POST", "/api/targets/blog/rollback");
    await site.untilPrinted(body.deployment, "after");
    expect(site.current).toBe(second);
    await site.restart("SIGKILL");
    expect(await site.readDeployment(body.deployment)).toMatchObject({ state: "interrupted" });
    site.workshop.write("site/go", "");
    expect(await site.untilEnded(body.deployment + 1)).toMatchObject({
      state: "succeeded",
      trigger: "rollback",
      attempt: 2,
      release: second,
    });
    expect(site.current).toBe(second);
    expect((await site.readTarget()).live?.release).toBe(second);
  });

  test("keeps each lock, unlock and cancel that it confirmed", async () => {
    await site.start({ target: `run = ["echo started; ${waitFor("go")}"]` });
    site.repository.commit({ "index.html": "first\n" });
    await site.push();
    await site.untilPrinted(1, "started");
    site.repository.commit({ "index.html": "second\n" });
    await site.push();
    expect((await site.ask("POST", "/api/deployments/2/cancel")).code).toBe(200);
    await site.server.end("SIGKILL");
    await site.start();
    expect(await site.readDeployment(2)).toMatchObject({ state: "cancelled" });
    await site.ask("POST", "/api/targets/blog/lock", { reason: "x" });
    await site.restart("SIGKILL");
    expect((await site.readTarget()).locked).toMatchObject({ reason: "x", by: "admin" });
    site.repository.commit({ "index.html": "third\n" });
    const held = await site.push();
    expect(held.body.status).toBe("held");
    expect((await site.ask("POST", "/api/targets/blog/unlock")).code).toBe(200);
    await site.restart("SIGKILL");
    expect((await site.readTarget()).locked).toBeNull();
    site.workshop.write("site/go", "");
    const waiting = (await site.readTarget()).queued ?? (await site.readTarget()).running;
    if (waiting !== null) await site.untilEnded(waiting);
    expect(site.read("current/index.html")).toBe("third\n");
  });

  test("runs a deployment again when it was killed while cancelling it", async () => {
    await site.start({
      target: `run = ["trap '' TERM; echo started; test -e ${site.path("go")} || sleep 600"]`,
    });
    const commit = site.repository.commit({ "index.html": "first\n" });
    await site.push();
    await site.untilPrinted(1, "started");
    expect((await site.ask("POST", "/api/deployments/1/cancel")).code).toBe(202);
    await site.server.end("SIGKILL");
    site.workshop.write("site/go", "");
    await site.start();
    expect(await site.untilEnded(2)).toMatchObject({ state: "succeeded", commit });
    expect(site.read("current/index.html")).toBe("first\n");
  });

  test("keeps confirmed requests and a complete live release when killed repeatedly during requests of all kinds", async () => {
    const random = new Random(chooseSeed());
    const seed = `(FAULTS_SEED=${random.seed})`;
    await site.start({
      target: `run = ["cp index.html built.html"]\nafter = ["cmp index.html built.html"]\nkeep_releases = 3`,
    });
    for (const page of ["first", "second", "third"]) await site.deploy({ "index.html": `${page}\n` });
    for (let round = 0; round < 12; round++) {
      site.repository.commit({ "index.html": `${round}\n` });
      const newest = (await site.listDeployments())[0]?.id ?? 0;
      const requests = [
        site.push(),
        site.ask("POST", "/api/targets/blog/rollback"),
        site.ask("POST", "/api/targets/blog/deploy", { force: true }),
        site.ask("POST", `/api/deployments/${newest + 1}/cancel`),
      ].map((each) => each.catch(() => null));
      const locking = round % 2 === 0 ? "lock" : "unlock";
      const body = locking === "lock" ? { reason: "storm" } : {};
      const locked = site.ask("POST", `/api/targets/blog/${locking}`, body).catch(() => null);
      await Bun.sleep(random.below(120));
      await site.server.end("SIGKILL");
      const answers = await Promise.all(requests);
      expectCompleteRelease();
      await site.start();
      const { locked: lock } = await site.readTarget();
      if ((await locked)?.code === 200) expect(lock !== null, seed).toBe(locking === "lock");
      for (const answer of answers) {
        const { deployment, delivery } = (answer?.body ?? {}) as { deployment?: unknown; delivery?: number };
        if (typeof deployment === "number")
          expect((await site.readDeployment(deployment)).id).toBe(deployment);
        if (typeof delivery === "number") expect((await site.readDelivery(delivery)).id).toBe(delivery);
      }
    }
    await site.ask("POST", "/api/targets/blog/unlock");
    const last = await site.ask<{ deployment: number }>("POST", "/api/targets/blog/deploy");
    expect(await site.untilEnded(last.body.deployment)).toMatchObject({ state: "succeeded" });
    expectCompleteRelease();
    expect(site.read("current/index.html")).toBe("11\n");
    const { live, running, queued } = await site.readTarget();
    expect([live?.release, running, queued]).toEqual([site.current, null, null]);
  });
});
