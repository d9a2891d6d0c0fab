import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { SECRET } from "../support/configuration.ts";
import { type Member, TestFleet } from "../support/fleet.ts";
import { type Cluster, HAS_POSTGRES, startCluster } from "../support/postgres.ts";
import { chooseSeed, Random } from "../support/random.ts";
import { openSlowNetwork, type SlowNetwork } from "../support/slow-network.ts";
import { DatabaseWatch } from "./database-watch.ts";
import { times } from "./length.ts";
import { type Acknowledged, Load } from "./load.ts";

setDefaultTimeout(120_000);

const ROUNDS = times({ short: 12, long: 500 });
const SENDERS = 2;
const RECEIVERS = ["gate-1", "gate-2", "gate-3"];
const DEPLOYERS = ["web-1", "web-2", "web-3"];
/** Short, so that some faults last longer. */
const LEASE_SECONDS = 3;
const LONGER_THAN_LEASE = 4_500;
const TARGETS = ["count", "chain"];

/** Writes down each start and end, and a start while another run of the target holds the lock on this host. */
const RUN = `run = ["echo $HOOKLATCH_DEPLOYMENT >> started; exec 9>>lock; flock -n 9 || echo $HOOKLATCH_DEPLOYMENT >> doubles; sleep 0.1; echo $HOOKLATCH_DEPLOYMENT >> finished"]`;

let cluster: Cluster;
let network: SlowNetwork;
let fleet: TestFleet;
let watch: DatabaseWatch;
let random: Random;

const tablesOf = () =>
  [`name = "count"`, `name = "chain"\nrollout = "one-by-one"`]
    .map((keys, at) => {
      const directory = `directory = "${TARGETS[at]}"`;
      return `[[target]]\n${keys}\n${directory}\nqueue = "latest"\nhosts = ${JSON.stringify(DEPLOYERS)}\n${RUN}\n`;
    })
    .join("");

describe.skipIf(!HAS_POSTGRES)("three receivers and three hosts on one database", () => {
  beforeAll(async () => {
    random = new Random(chooseSeed());
    cluster = await startCluster();
    network = await openSlowNetwork(cluster.port, 4, random);
    const url = await cluster.createDatabase(LEASE_SECONDS);
    fleet = new TestFleet(url);
    watch = new DatabaseWatch(url);
    for (const name of [...RECEIVERS, ...DEPLOYERS]) {
      for (const target of TARGETS) fleet.workshop.write(join(name, target, "README"), "");
      // One of each kind is far away.
      const isFar = name.endsWith("-3");
      const member = fleet.add(
        name,
        tablesOf(),
        isFar ? url.replace(String(cluster.port), String(network.port)) : url,
      );
      await member.start();
    }
  });

  afterAll(async () => {
    await fleet?.dispose();
    await watch?.close();
    await network?.close();
    await cluster?.stop();
  });

  const memberOf = (name: string): Member => {
    const member = fleet.members.get(name);
    if (member === undefined) throw new Error(`there is no host ${name}`);
    return member;
  };

  const linesOf = (host: string, target: string, file: string): readonly string[] => {
    const path = join(fleet.workshop.path, host, target, file);
    return existsSync(path) ? readFileSync(path, "utf8").split("\n").filter(Boolean) : [];
  };

  /** Does one kind of harm. Resolves when everything runs again. */
  async function harm(round: number, load: Load, sending: Promise<void>[]): Promise<string> {
    const dice = random.below(20);
    if (dice === 0) {
      const how = random.below(2) === 0 ? "fast" : "immediate";
      await cluster.restart(how);
      return `database stopped (${how})`;
    }
    if (dice < 4) {
      await watch.query(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE application_name LIKE 'hooklatch%' ORDER BY random() LIMIT $1`,
        1 + random.below(12),
      );
      return "connections ended";
    }
    if (dice === 4) {
      network.cut();
      return "network cut";
    }
    if (dice === 5 && round % 2 === 0) {
      network.block(true);
      await Bun.sleep(LONGER_THAN_LEASE);
      network.block(false);
      return "network away";
    }
    if (dice === 5) {
      const { pid } = memberOf(random.pick(DEPLOYERS) ?? "web-1").server;
      process.kill(pid, "SIGSTOP");
      await Bun.sleep(LONGER_THAN_LEASE);
      process.kill(pid, "SIGCONT");
      return "suspended";
    }
    const name = random.pick([...RECEIVERS, ...DEPLOYERS]) ?? "gate-1";
    const member = memberOf(name);
    await member.server.end("SIGKILL");
    await member.start();
    if (RECEIVERS.includes(name)) sending.push(load.run(member.server.url, SENDERS));
    return "killed";
  }

  /** The acknowledged requests that the database does not hold as acknowledged. */
  async function findLost(acknowledged: readonly Acknowledged[]): Promise<readonly Acknowledged[]> {
    const ids = acknowledged.map(({ delivery }) => delivery);
    const bodies = await watch.query<{ id: string; digest: string }>(
      "SELECT id, encode(body_sha256, 'hex') AS digest FROM hooklatch.delivery WHERE id = ANY($1)",
      ids,
    );
    const digests = new Map(bodies.map(({ id, digest }) => [Number(id), digest]));
    const queued = await watch.query<{ id: string; delivery: string; target: string }>(
      "SELECT id, delivery, target FROM hooklatch.deployment WHERE delivery = ANY($1)",
      ids,
    );
    const found = new Set(queued.map(({ id, delivery, target }) => `${delivery} ${id} ${target}`));
    return acknowledged.filter(
      ({ delivery, deployments, bodyDigest }) =>
        digests.get(delivery) !== bodyDigest ||
        deployments.some(({ id, target }) => !found.has(`${delivery} ${id} ${target}`)),
    );
  }

  test(
    `lose no acknowledged delivery and run nothing twice over ${ROUNDS} faults under load`,
    async () => {
      const seed = `(FAULTS_SEED=${random.seed})`;
      const load = new Load(random, SECRET, "a".repeat(40), [
        { path: "/github-webhook", branch: "main", weight: 1 },
      ]);
      const watching = new AbortController();
      // Over a second connection.
      const observer = new DatabaseWatch(fleet.url);
      const order = observer.watchOrder(watching.signal);
      const sending = RECEIVERS.map((name) => load.run(memberOf(name).server.url, SENDERS));
      const harms = new Map<string, number>();
      for (let round = 1; round <= ROUNDS; round++) {
        await Bun.sleep(random.below(300));
        const before = load.acknowledged.length;
        const kind = await harm(round, load, sending);
        harms.set(kind, (harms.get(kind) ?? 0) + 1);
        expect(await findLost(load.acknowledged.slice(before)), `round ${round}, ${kind} ${seed}`).toEqual(
          [],
        );
      }
      for (const name of RECEIVERS) await memberOf(name).server.end("SIGKILL");
      await Promise.all(sending);
      await memberOf("gate-1").start();
      await load.sendToEach(memberOf("gate-1").server.url);
      for (;;) {
        const [row] = await watch.query<{ left: string }>(
          "SELECT count(*) AS left FROM hooklatch.deployment WHERE state IN ('queued', 'running')",
        );
        if (row?.left === "0") break;
        await Bun.sleep(100);
      }
      watching.abort();
      const { late, seen } = await order;
      await observer.close();

      const lost = await findLost(load.acknowledged);
      const own = load.acknowledged.filter(({ status }) => status !== "duplicate");
      const reused = own.length - new Set(own.map(({ delivery }) => delivery)).size;
      const [twice] = await watch.query<{ count: string }>(
        `SELECT count(*) FROM (SELECT 1 FROM hooklatch.delivery WHERE redelivery_of IS NULL AND replay_of IS NULL
         GROUP BY source, body_sha256 HAVING count(*) > 1) AS twice`,
      );
      const doubles: string[] = [];
      let runs = 0;
      for (const host of DEPLOYERS) {
        for (const target of TARGETS) {
          const started = linesOf(host, target, "started");
          runs += started.length;
          doubles.push(...linesOf(host, target, "doubles"));
          doubles.push(...started.filter((id, at) => started.indexOf(id) !== at));
        }
      }
      console.log(
        `fleet: ${ROUNDS} faults (${[...harms].map(([kind, count]) => `${kind} ${count}`).join(", ")}), ` +
          `${load.acknowledged.length} acknowledged, ${lost.length} lost, ${reused + Number(twice?.count)} duplicated, ` +
          `${runs} runs, ${doubles.length} twice, ${seen} ids, ${late.length} out of order, ` +
          `${load.rejections.length} refused ${seed}`,
      );
      expect({ lost, reused, twice: twice?.count, doubles, late }, seed).toEqual({
        lost: [],
        reused: 0,
        twice: "0",
        doubles: [],
        late: [],
      });
      // Without acknowledged deliveries and runs, nothing would have been proved.
      expect(load.acknowledged.length).toBeGreaterThan(ROUNDS);
      expect(runs).toBeGreaterThan(DEPLOYERS.length);
      expect(
        load.rejections.filter((code) => code !== 503),
        seed,
      ).toEqual([]);
      for (const target of TARGETS) {
        for (const host of DEPLOYERS) {
          const [newest] = await watch.query<{ state: string }>(
            `SELECT state FROM hooklatch.deployment WHERE target = $1 AND host = $2 AND state <> 'superseded'
             ORDER BY id DESC LIMIT 1`,
            target,
            host,
          );
          expect(newest?.state, `${target} on ${host} ${seed}`).toBe("succeeded");
        }
      }
    },
    times({ short: 120_000, long: 3_600_000 }),
  );
});
