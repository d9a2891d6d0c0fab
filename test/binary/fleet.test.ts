import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import pg from "pg";
import type { ApiDeployment } from "../../src/api/deployment.ts";
import { type Member, TestFleet } from "../support/fleet.ts";
import { type Cluster, HAS_POSTGRES, startCluster } from "../support/postgres.ts";
import { Random } from "../support/random.ts";
import { openSlowNetwork, type SlowNetwork } from "../support/slow-network.ts";

setDefaultTimeout(120_000);

const DEPLOYERS = ["web-1", "web-2", "web-3"] as const;
const HOSTS = `hosts = ${JSON.stringify(DEPLOYERS)}`;
/** Prints a line, then waits for a file in the directory of the host, and fails when there is a file `fail`. */
const RUN = `run = ["echo built by $PWD", "while [ ! -e ../../../go ]; do sleep 0.05; done", "[ ! -e ../../../fail ]"]`;

let cluster: Cluster;
let fleet: TestFleet;
let network: SlowNetwork;
let members: Readonly<Record<string, Member>>;

/** A host by its name. */
const on = (name: string): Member => {
  const member = members[name];
  if (member === undefined) throw new Error(`there is no host ${name}`);
  return member;
};

const fileOf = (host: string, name: string) => join(fleet.workshop.path, host, name);
const liveOn = (host: string, target = "blog") =>
  readFileSync(fileOf(host, `${target}/current/index.html`), "utf8");
const set = (host: string, name: "go" | "fail") => writeFileSync(fileOf(host, name), "");
const unset = (host: string, name: "go" | "fail") => rmSync(fileOf(host, name), { force: true });

/** Runs a statement in the database. */
async function sql(text: string): Promise<void> {
  const client = new pg.Client({ connectionString: fleet.url });
  await client.connect();
  await client.query(text);
  await client.end();
}

/** Kills the server of a host and makes its lease, and the patience of rollouts, end an hour ago. */
async function killLongAgo(member: Member): Promise<void> {
  await member.server.end("SIGKILL");
  await sql(`UPDATE hooklatch.host SET seen_at = seen_at - interval '1 hour' WHERE name = '${member.name}'`);
}

/** Commits a file and pushes it. Returns the ids of the deployments of a target, in the order of its hosts. */
async function push(text: string, { via = "gate-1", target = "blog" } = {}): Promise<readonly number[]> {
  fleet.repository.commit({ "index.html": text });
  const { code, body } = await on(via).push();
  expect(code).toBe(202);
  return (body.deployments ?? []).filter((each) => each.target === target).map(({ id }) => id);
}

const ended = (ids: readonly number[], via = "gate-2") =>
  Promise.all(ids.map((id) => on(via).untilState(id, "succeeded", "failed", "cancelled", "interrupted")));

const resultsOf = (deployments: readonly ApiDeployment[]) =>
  deployments.map(({ host, state, code }) => [host, state, code]);

describe.skipIf(!HAS_POSTGRES)("two receivers and three hosts on one database", () => {
  beforeAll(async () => {
    cluster = await startCluster();
    fleet = new TestFleet(await cluster.createDatabase());
    fleet.repository.commit({ "index.html": "first\n" });
    const names = ["gate-1", "gate-2", ...DEPLOYERS];
    members = Object.fromEntries(names.map((name) => [name, fleet.add(name, tablesOf(name))]));
    // The first creates the schema.
    await on("gate-1").start();
    await Promise.all(names.slice(1).map((name) => on(name).start()));
    for (const host of DEPLOYERS) set(host, "go");
  });

  afterAll(async () => {
    await fleet?.dispose();
    await cluster?.stop();
  });

  /** Two targets of the same pushes: on all hosts together, and one by one. */
  const tablesOf = (name: string) =>
    [
      fleet.describeTarget(name, `${HOSTS}\n${RUN}`),
      fleet.describeTarget(name, `${HOSTS}\n${RUN}\nrollout = "one-by-one"`, "shop"),
    ].join("\n");

  test("deploy a push to any receiver on every host of its targets", async () => {
    for (const via of ["gate-1", "gate-2"]) {
      const ids = await push(`through ${via}\n`, { via });
      const all = DEPLOYERS.map((host) => [host, "succeeded", null]);
      expect(resultsOf(await ended(ids))).toEqual(all);
      for (const host of DEPLOYERS) expect(liveOn(host)).toBe(`through ${via}\n`);
    }
    expect(existsSync(fileOf("gate-1", "blog"))).toBe(false);
    const { hosts } = await on("web-3").readTarget();
    const { tip } = fleet.repository;
    expect(hosts?.map(({ host, state, live }) => [host, state, live?.commit])).toEqual(
      DEPLOYERS.map((host) => [host, "up", tip]),
    );
    const listed = await on("gate-1").run("host", "list");
    expect(listed.stdout.match(/^\S+ +up /gm)).toHaveLength(5);
    const { stdout } = await on("gate-1").run("target", "list");
    for (const host of DEPLOYERS) expect(stdout).toMatch(new RegExp(`^blog +${host} `, "m"));
  });

  test("deploy one host after the other, and stop a rollout at the first failure", async () => {
    await settle();
    set("web-2", "fail");
    const ids = await push("a failure\n", { target: "shop" });
    const deployments = await ended(ids);
    expect(resultsOf(deployments)).toEqual([
      ["web-1", "succeeded", null],
      ["web-2", "failed", "step_failed"],
      ["web-3", "cancelled", "rollout_stopped"],
    ]);
    expect(deployments[2]?.waits_for).toBe(ids[1] ?? 0);
    expect([liveOn("web-1", "shop"), liveOn("web-3", "shop")]).toEqual(["a failure\n", "through gate-2\n"]);
    unset("web-2", "fail");
    const [first, second] = await ended(await push("a success\n", { target: "shop" }));
    expect(liveOn("web-3", "shop")).toBe("a success\n");
    const { startedAt, endedAt } = { startedAt: second?.started_at ?? "", endedAt: first?.ended_at ?? "" };
    expect(startedAt >= endedAt && endedAt !== "").toBe(true);
  });

  test("take orders about all hosts from the command line of any", async () => {
    await settle();
    const lock = await on("gate-2").run("target", "lock", "blog", "--reason", "freeze", "--by", "ada");
    expect(lock).toMatchObject({ exitCode: 0 });
    // The other receiver knows of the lock soon, and holds the push; before that, the hosts do not start it.
    expect(await on("web-1").run("target", "lock", "shop", "--reason", "freeze")).toMatchObject({
      exitCode: 0,
    });
    fleet.repository.commit({ "index.html": "held\n" });
    const held = await on("gate-1").push();
    expect(held.code).toBeOneOf([200, 202]);
    expect(liveOn("web-1")).not.toBe("held\n");
    for (const target of ["blog", "shop"]) {
      expect(await on("web-3").run("target", "unlock", target)).toMatchObject({ exitCode: 0 });
    }
    await until(async () => DEPLOYERS.every((host) => liveOn(host) === "held\n"));
    await settle();

    const deploy = await on("gate-1").run("target", "deploy", "blog", "--follow");
    expect(deploy.exitCode).toBe(0);
    const lines = DEPLOYERS.map((host) => `built by ${fileOf(host, "blog/releases/")}`);
    for (const line of lines) expect(deploy.stdout).toContain(line);
    for (const host of DEPLOYERS) expect(deploy.stderr).toContain(host);

    const rollback = await on("gate-1").run("target", "rollback", "blog");
    expect(rollback).toMatchObject({ exitCode: 0, stderr: "" });
    for (const host of DEPLOYERS) expect(rollback.stdout).toContain(`on host ${host}`);
  });

  test("cancel and follow a deployment that runs on another host", async () => {
    await settle();
    for (const host of DEPLOYERS) unset(host, "go");
    const ids = await push("cancelled\n");
    const [first = 0] = ids;
    await on("gate-1").untilState(first, "running");
    const following = on("gate-2").follow(first);
    const printed = async () => (await on("gate-2").open(`/api/deployments/${first}/log`)).text();
    await until(async () => (await printed()).includes("built by"));
    expect(await on("gate-1").run("deployment", "cancel", String(first))).toMatchObject({ exitCode: 0 });
    expect((await on("web-3").untilState(first, "cancelled")).host).toBe("web-1");
    const stream = await following;
    expect(stream).toContain(`built by ${fileOf("web-1", "blog/releases/")}`);
    expect(stream).toContain('"state":"cancelled"');
    for (const host of DEPLOYERS) set(host, "go");
    await settle();
  });

  test("start nothing on a drained host, and show what waits for it", async () => {
    await settle();
    expect(await on("gate-1").run("host", "drain", "web-2")).toMatchObject({ exitCode: 0 });
    const ids = await push("drained\n");
    const [, second = 0] = ids;
    await ended(ids.filter((id) => id !== second));
    const waiting = await on("gate-2").readDeployment(second);
    expect(waiting).toMatchObject({ host: "web-2", state: "queued", code: null });
    expect(waiting.reason).toContain("web-2");
    const { stdout } = await on("gate-2").run("deployment", "list", "--host", "web-2", "--state", "queued");
    expect(stdout).toContain("drained");
    expect(await on("web-1").run("host", "undrain", "web-2")).toMatchObject({ exitCode: 0 });
    expect(await on("web-1").untilState(second, "succeeded")).toMatchObject({ host: "web-2" });
    await settle();
  });

  test("report what a deployment waits for that a command follows", async () => {
    await settle();
    expect(await on("gate-1").run("host", "drain", "web-1")).toMatchObject({ exitCode: 0 });
    const newest = async () =>
      (await on("gate-1").get<{ items: readonly ApiDeployment[] }>("/api/deployments?host=web-3&limit=1"))
        .items[0];
    const before = (await newest())?.id ?? 0;
    const following = on("gate-2").run("deploy", "blog", "--follow", "--force");
    await until(async () => {
      const { id = 0, state } = (await newest()) ?? {};
      return id > before && state === "succeeded";
    });
    expect(await on("gate-1").run("host", "undrain", "web-1")).toMatchObject({ exitCode: 0 });
    const { exitCode, stderr } = await following;
    expect(exitCode).toBe(0);
    expect(stderr).toMatch(/on host web-1 is queued: .*drained/);
    await settle();
  });

  test("cancel what is queued for a host whose configuration drops the target, on a reload", async () => {
    await settle();
    expect(await on("gate-1").run("host", "drain", "web-3")).toMatchObject({ exitCode: 0 });
    const [, , third = 0] = await push("dropped\n");
    on("web-3").configure(
      tablesOf("web-3").replace(/\[\[target\]\]\nname = "blog"[^[]*(?:\[[^[]*)*?(?=\[\[target)/, ""),
    );
    expect(await on("web-3").run("reload")).toMatchObject({ exitCode: 0 });
    expect(await on("gate-1").untilState(third, "cancelled")).toMatchObject({ code: "not_configured" });
    on("web-3").configure(tablesOf("web-3"));
    expect(await on("web-3").run("reload")).toMatchObject({ exitCode: 0 });
    expect(await on("gate-1").run("host", "undrain", "web-3")).toMatchObject({ exitCode: 0 });
    await settle();
  });

  test("show a host that is away, deploy on the others, and skip it in a rollout after the patience", async () => {
    await settle();
    unset("web-1", "go");
    const running = await push("lost\n");
    const [lost = 0] = running;
    await on("gate-1").untilState(lost, "running");
    await killLongAgo(on("web-1"));
    expect(await on("gate-1").untilState(lost, "interrupted")).toMatchObject({ code: "lease_lost" });
    const retry = (await on("gate-1").readDeployment(lost)).retried_as ?? 0;
    expect(await on("gate-1").readDeployment(retry)).toMatchObject({
      host: "web-1",
      state: "queued",
      attempt: 2,
    });
    expect((await on("gate-1").readDeployment(retry)).reason).toContain("away");
    const list = await on("gate-2").run("target", "list");
    expect(list.stdout).toContain("web-1 (away)");

    const ids = await push("without web-1\n", { target: "shop" });
    const others = await ended(ids.slice(1));
    expect(resultsOf(others)).toEqual([
      ["web-2", "succeeded", null],
      ["web-3", "succeeded", null],
    ]);
    // It catches up when it is back.
    set("web-1", "go");
    await on("web-1").start();
    await until(
      async () =>
        existsSync(fileOf("web-1", "shop/current")) && liveOn("web-1", "shop") === "without web-1\n",
    );
    await settle();
  });

  test("forget a host that is away for good", async () => {
    await settle();
    expect((await on("gate-1").run("host", "forget", "web-2")).exitCode).toBe(1);
    await on("web-2").server.end("SIGTERM");
    const ids = await push("forgotten\n");
    const [, second = 0] = ids;
    expect(await on("gate-1").run("host", "forget", "web-2")).toMatchObject({ exitCode: 0 });
    expect(await on("gate-1").readDeployment(second)).toMatchObject({
      state: "cancelled",
      code: "host_forgotten",
    });
    expect((await on("gate-1").listHosts()).map(({ name }) => name)).not.toContain("web-2");
    await on("web-2").start();
    expect((await on("gate-1").listHosts()).map(({ name }) => name)).toContain("web-2");
  });

  test("are checked by hooklatch check: the database, and the targets of the own host", async () => {
    const { exitCode, stdout } = await on("web-1").run("check");
    expect([exitCode, stdout.match(/^fail .*/gm)]).toEqual([0, null]);
    expect(stdout).toMatch(/^ok +\[store\] url: PostgreSQL \d+.*web-1$/m);
    expect((await on("gate-1").run("check")).stdout).not.toContain("target blog");
    const misspelt = fleet.add("misspelt", fleet.describeTarget("misspelt", 'hosts = ["web-1", "web-7"]'));
    expect((await misspelt.run("check")).stdout).toMatch(/^warn +target blog: no host web-7 .*web-1/m);
    const wrong = fleet.add("wrong", tablesOf("wrong"), fleet.url.replace(/\w+$/, "missing"));
    const missing = await wrong.run("check");
    expect(missing.exitCode).toBe(1);
    expect(missing.stdout).toMatch(/^fail +cannot open the database of \[store\] url: .*missing.*fleet\.md/m);
  });

  test("refuse a second server with the name of a host", async () => {
    const { exitCode, stderr } = await on("web-3").serveAgain();
    expect(exitCode).toBe(1);
    expect(stderr).toContain("web-3");
  });
});

describe.skipIf(!HAS_POSTGRES)("a host that cannot reach the database", () => {
  beforeAll(async () => {
    cluster = await startCluster();
    network = await openSlowNetwork(cluster.port, 1, new Random(1));
    fleet = new TestFleet(await cluster.createDatabase(4));
    fleet.repository.commit({ "index.html": "first\n" });
    const far = fleet.url.replace(`:${cluster.port}/`, `:${network.port}/`);
    const tables = (name: string) => fleet.describeTarget(name, `hosts = ["web-1"]\n${RUN}`);
    members = {
      "gate-1": fleet.add("gate-1", tables("gate-1")),
      "web-1": fleet.add("web-1", tables("web-1"), far),
    };
    await on("gate-1").start();
    await on("web-1").start();
  });

  afterAll(async () => {
    await fleet?.dispose();
    await network?.close();
    await cluster?.stop();
  });

  test("ends its deployment, is shown as away, and runs the deployment again when it can", async () => {
    const [id = 0] = await push("far away\n");
    await on("gate-1").untilState(id, "running");
    network.block(true);
    expect(await on("gate-1").untilState(id, "interrupted")).toMatchObject({ code: "lease_lost" });
    const retry = (await on("gate-1").readDeployment(id)).retried_as ?? 0;
    const away = await on("gate-1").readDeployment(retry);
    expect(away).toMatchObject({ host: "web-1", state: "queued", retry_of: id });
    expect(away.reason).toContain("away");
    await until(async () => on("web-1").server.stderr.includes("could not be renewed"));
    network.block(false);
    await on("gate-1").untilState(retry, "running");
    set("web-1", "go");
    expect(await on("gate-1").untilState(retry, "succeeded")).toMatchObject({ host: "web-1" });
    expect(liveOn("web-1")).toBe("far away\n");
    expect(await on("gate-1").readDeployment(id)).toMatchObject({ state: "interrupted" });
    expect((await on("gate-1").listHosts()).map(({ state }) => state)).toEqual(["up", "up"]);
  });
});

/** Resolves when nothing is queued or running. */
async function settle(): Promise<void> {
  await until(async () => {
    const { queued, running } = await on("gate-1").get<{ queued: number; running: number }>("/api/status");
    return queued === 0 && running === 0;
  });
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await Bun.sleep(50);
}
