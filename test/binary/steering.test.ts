import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readdirSync } from "node:fs";
import type { DeploymentAnswer } from "../../src/cli/admin-answers.ts";
import { chooseSeed, Random } from "../support/random.ts";
import { ServedSite } from "../support/served-site.ts";

setDefaultTimeout(120_000);

let site: ServedSite;

beforeEach(() => {
  site = new ServedSite();
});

afterEach(() => site.dispose());

const waitFor = (file: string) => `while test ! -e ${site.path(file)}; do sleep 0.02; done`;

/**
 * What is live is a whole release: what the push brought, and what the step made of it. Both are read below the name that
 * the link had, since it may be replaced, and that release be removed, between the one and the other.
 */
function expectWhole(): void {
  const release = site.current;
  try {
    const page = site.read("releases", release, "index.html");
    expect(site.read("releases", release, "built.html")).toBe(page);
  } catch (error) {
    if (site.current === release) throw error;
    expectWhole();
  }
}

describe("hooklatch deployment cancel", () => {
  test("of one that waits ends it before it begins, of one that runs leaves what is live, and neither twice", async () => {
    await site.start({
      target: `run = ["cp index.html built.html", "echo begun; test ! -e slow || ${waitFor("never")}"]`,
    });
    await site.deploy({ "index.html": "first\n" });
    const live = site.current;
    site.repository.commit({ slow: "" });
    await site.push();
    await site.untilPrinted(2, "begun");
    site.repository.commit({ "index.html": "third\n" });
    await site.push();
    expect(await site.run("deployment", "cancel", "3", "--by", "ada")).toEqual({
      exitCode: 0,
      stdout: "deployment 3 is cancelled; it had not begun\n",
      stderr: "",
    });
    expect(await site.readDeployment(3)).toMatchObject({
      state: "cancelled",
      reason: "cancelled by ada",
      started_at: null,
    });
    const answer = await site.ask<{ status: string; deployment: DeploymentAnswer }>(
      "POST",
      "/api/deployments/2/cancel",
      { by: "bob" },
    );
    expect([answer.code, answer.body.status, answer.body.deployment.id]).toEqual([202, "cancelling", 2]);
    expect(await site.untilEnded(2)).toMatchObject({
      state: "cancelled",
      reason: "cancelled by bob",
      steps: [{}, { signal: "SIGTERM" }],
    });
    for (const id of ["1", "2", "3"]) {
      expect(await site.run("deployment", "cancel", id)).toEqual({
        exitCode: 1,
        stdout: "",
        stderr: `hooklatch: deployment ${id} has ended already: hooklatch deployment show ${id} tells how\n`,
      });
    }
    expect(await site.run("deployment", "cancel", "99")).toMatchObject({
      exitCode: 1,
      stderr: "hooklatch: there is no deployment 99: hooklatch deployment list shows those there are\n",
    });
    expect(await site.ask("POST", "/api/deployments/1/cancel")).toEqual({
      code: 409,
      body: { status: "ended", reason: "the deployment has ended: succeeded" },
    });
    expect([site.current, readdirSync(site.path("releases"))]).toEqual([live, [live]]);
    expect((await site.run("delivery", "show", "3")).stdout).toContain("deployment 3 was cancelled by ada");
  });

  test("once it went live puts the release before back", async () => {
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
    expect([state, reason]).toEqual(["cancelled", `cancelled by ada; release ${live} is live again`]);
    expect(site.current).toBe(live);
  });
});

describe("hooklatch target deploy", () => {
  test("of a target or commit that is none says which there are, and deploys nothing", async () => {
    await site.start({});
    expect(await site.run("target", "deploy", "nobody-knows-it")).toEqual({
      exitCode: 1,
      stdout: "",
      stderr: "hooklatch: there is no target nobody-knows-it; there are blog\n",
    });
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
      for (const obeyed of ["\u001b", "\u202e"]) expect(stderr).not.toContain(obeyed);
    }
    expect(await site.listDeployments()).toEqual([]);
    expect(await site.run("target", "deploy", "blog", "--commit", "nonsense")).toMatchObject({
      exitCode: 2,
      stdout: "",
    });
    site.repository.commit({ "index.html": "first\n" });
    const absent = await site.run("target", "deploy", "blog", "--commit", "f".repeat(40), "--follow");
    expect(absent.exitCode).toBe(1);
    expect(absent.stderr).toContain(`commit ${"f".repeat(40)} is not in`);
  });
});

describe("pushes, deployments and rollbacks at the same time", () => {
  test("never run two at once, and what is live is always whole", async () => {
    const only = site.path("../only-one");
    await site.start({
      target: `run = ["mkdir ${only}", "cp index.html built.html", "rmdir ${only}"]\nafter = ["cmp index.html built.html"]\nkeep_releases = 3`,
    });
    await site.deploy({ "index.html": "first\n" });
    await site.deploy({ "index.html": "second\n" });
    let isOver = false;
    let looks = 0;
    const watching = (async () => {
      while (!isOver) {
        expectWhole();
        looks++;
        await Bun.sleep(1);
      }
    })();
    const asked: Promise<unknown>[] = [];
    for (let round = 0; round < 25; round++) {
      site.repository.commit({ "index.html": `${round}\n` });
      asked.push(site.push());
      asked.push(site.ask("POST", "/api/targets/blog/rollback"));
      asked.push(site.ask("POST", "/api/targets/blog/deploy"));
      asked.push(site.ask("POST", `/api/deployments/${3 + round * 2}/cancel`));
      if (round % 5 === 0)
        asked.push(site.ask("POST", "/api/targets/blog/lock", { reason: "storm", for: "1s" }));
      if (round % 5 === 2) asked.push(site.ask("POST", "/api/targets/blog/unlock"));
      await Bun.sleep(10);
    }
    await Promise.all(asked);
    await site.ask("POST", "/api/targets/blog/unlock");
    const last = await site.ask<{ deployment: number }>("POST", "/api/targets/blog/deploy");
    expect(await site.untilEnded(last.body.deployment)).toMatchObject({
      state: "succeeded",
      commit: site.repository.tip,
    });
    isOver = true;
    await watching;
    expect(looks).toBeGreaterThan(10);
    const ended = await site.listDeployments();
    expect(ended.filter(({ state }) => state === "queued" || state === "running")).toEqual([]);
    // One that was cancelled amid its steps leaves the directory behind, which fails the next: no other reason counts.
    const reasons = ended.filter(({ state }) => state === "failed").map(({ reason }) => reason ?? "");
    expect(reasons.filter((reason) => !/mkdir|no release|nothing is live/.test(reason))).toEqual([]);
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
  test("while a rollback runs its after steps goes back after the restart, to the same release", async () => {
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

  test("when it had answered a lock, an unlock or a cancel has done it", async () => {
    await site.start({ target: `run = ["echo begun; ${waitFor("go")}"]` });
    site.repository.commit({ "index.html": "first\n" });
    await site.push();
    await site.untilPrinted(1, "begun");
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
    expect(held.body.status).toBe("skipped");
    expect((await site.ask("POST", "/api/targets/blog/unlock")).code).toBe(200);
    await site.restart("SIGKILL");
    expect((await site.readTarget()).locked).toBeNull();
    site.workshop.write("site/go", "");
    const waiting = (await site.readTarget()).queued ?? (await site.readTarget()).running;
    if (waiting !== null) await site.untilEnded(waiting);
    expect(site.read("current/index.html")).toBe("third\n");
  });

  test("while a cancelled deployment is being ended says that it was interrupted, and runs it again", async () => {
    await site.start({
      target: `run = ["trap '' TERM; echo begun; test -e ${site.path("go")} || sleep 600"]`,
    });
    const commit = site.repository.commit({ "index.html": "first\n" });
    await site.push();
    await site.untilPrinted(1, "begun");
    expect((await site.ask("POST", "/api/deployments/1/cancel")).code).toBe(202);
    await site.server.end("SIGKILL");
    site.workshop.write("site/go", "");
    await site.start();
    expect(await site.untilEnded(2)).toMatchObject({ state: "succeeded", commit });
    expect(site.read("current/index.html")).toBe("first\n");
  });

  test("again and again amid rollbacks, locks, unlocks, cancels and pushes keeps what it answered, and what is live whole", async () => {
    const random = new Random(chooseSeed());
    const seed = `(FAULTS_SEED=${random.seed})`;
    await site.start({
      target: `run = ["cp index.html built.html"]\nafter = ["cmp index.html built.html"]\nkeep_releases = 3`,
    });
    for (const page of ["first", "second", "third"]) await site.deploy({ "index.html": `${page}\n` });
    for (let round = 0; round < 12; round++) {
      site.repository.commit({ "index.html": `${round}\n` });
      const newest = (await site.listDeployments())[0]?.id ?? 0;
      const asked = [
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
      const answers = await Promise.all(asked);
      expectWhole();
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
    expectWhole();
    expect(site.read("current/index.html")).toBe("11\n");
    const { live, running, queued } = await site.readTarget();
    expect([live?.release, running, queued]).toEqual([site.current, null, null]);
  });
});
