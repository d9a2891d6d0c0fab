import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { SECRET, writeConfiguration } from "../support/configuration.ts";
import { type Server, Workshop } from "../support/executable.ts";
import { deliver } from "../support/github.ts";
import { pushBody } from "../support/payloads.ts";
import { chooseSeed, Random } from "../support/random.ts";
import { FailingDisk, isPossible, SmallDisk } from "../support/small-disk.ts";
import { digest, Kept } from "../support/stored-data.ts";
import { times } from "./length.ts";
import { Load } from "./load.ts";

const ROUNDS = times({ short: 8, long: 100 });

setDefaultTimeout(times({ short: 120_000, long: 600_000 }));

let workshop: Workshop;
let disk: SmallDisk | FailingDisk | undefined;

afterEach(async () => {
  await workshop.dispose();
  if (disk instanceof SmallDisk) disk.unmount();
  else disk?.dispose();
  disk = undefined;
});

/** Writes a configuration with one source and one target whose command does nothing. */
function configure(dataDirectory: string): void {
  workshop = new Workshop();
  workshop.write("site/index.html", "hello\n");
  const targets = `[[target]]\nname = "site"\nsource = "github"\ndirectory = "site"\nrun = ["true"]`;
  writeConfiguration(workshop, { targets, dataDir: dataDirectory });
}

const serve = () => workshop.serve([], { SECRET });

/** A push with a large filler that cannot be compressed, so it does not fit into a gap of a full file. */
const largePush = () => ({
  id: crypto.randomUUID(),
  body: pushBody({ filler: randomBytes(100_000).toString("base64") }),
});

type Push = ReturnType<typeof largePush>;

function send(server: Server, { id, body }: Push): Promise<Response> {
  return deliver(new URL("/github-webhook", server.url), "push", body, { secret: SECRET, id });
}

/** Sends new pushes until the server rejects one. Returns the accepted ones. */
async function sendUntilRejected(server: Server): Promise<readonly { body: string; delivery: number }[]> {
  const accepted = [];
  for (let push = largePush(); ; push = largePush()) {
    const response = await send(server, push);
    if (response.status === 503) return accepted;
    expect(response.status).toBe(202);
    const { delivery } = (await response.json()) as { delivery: number };
    accepted.push({ body: push.body, delivery });
  }
}

async function expectUnavailable(response: Response): Promise<void> {
  expect(response.status).toBe(503);
  expect(Number(response.headers.get("retry-after"))).toBeGreaterThan(0);
  expect(await response.json()).toMatchObject({ status: "unavailable" });
}

/**
 * Expects that the server rejects every push while it cannot write and stores no part of it. Once `end` makes the disk
 * writable again, the server accepts the same pushes as new ones.
 */
async function expectRejectionsUntil(server: Server, dataDirectory: string, end: () => void): Promise<void> {
  const before = await sendUntilRejected(server);
  const rejected = Array.from({ length: 20 }, largePush);
  for (const push of rejected.slice(0, 10)) await expectUnavailable(await send(server, push));
  const together = await Promise.all(rejected.slice(10).map((push) => send(server, push)));
  for (const response of together) await expectUnavailable(response);
  expect((await fetch(new URL("/healthz", server.url))).status).toBe(200);
  end();

  const numbers: number[] = [];
  for (const push of rejected) {
    const response = await send(server, push);
    expect(response.status).toBe(202);
    const answer = (await response.json()) as { status: string; delivery: number };
    expect(answer.status).toBe("ok");
    numbers.push(answer.delivery);
  }
  await server.until(() => Kept.read(dataDirectory, (store) => store.unfinished === 0));
  expect(await server.end("SIGTERM")).toBe(0);
  Kept.read(dataDirectory, (store) => {
    expect(store.integrity).toBe("ok");
    expect(store.deliveries).toBe(before.length + rejected.length);
    for (const { body, delivery } of before) expect(store.digestOf(delivery)).toBe(digest(body));
    for (const [index, { body }] of rejected.entries()) {
      const number = numbers[index] ?? 0;
      expect(store.digestOf(number)).toBe(digest(body));
      expect(store.redeliveryOf(number)).toBeNull();
    }
    expect(store.deployments()).toHaveLength(before.length + rejected.length);
    expect(store.deployments().at(-1)).toMatchObject({ state: "succeeded" });
  });
}

const needsMount = isPossible.small ? "" : " (skipped: tmpfs cannot be mounted here)";

describe("a disk that is full", () => {
  test.skipIf(!isPossible.small)(
    `causes 503 for every push, and the same pushes are accepted once there is space, without a restart${needsMount}`,
    async () => {
      const full = new SmallDisk(8);
      disk = full;
      configure(full.path);
      const server = await serve();
      full.fill();
      await expectRejectionsUntil(server, full.path, () => full.free());
    },
  );

  test.skipIf(!isPossible.small)(
    `loses no acknowledged delivery over ${ROUNDS} kills while it fills up under load${needsMount}`,
    async () => {
      const filling = new SmallDisk(times({ short: 16, long: 64 }));
      disk = filling;
      configure(filling.path);
      const random = new Random(chooseSeed());
      const seed = `(FAULTS_SEED=${random.seed})`;
      const address = { path: "/github-webhook", branch: "main", weight: 1 };
      const load = new Load(random, SECRET, "6113728f27ae82c7b1a177c8d03f9e96e0adf246", [address]);
      for (let round = 1; round <= ROUNDS; round++) {
        const server = await serve();
        const sending = load.run(server.url, 4);
        await Bun.sleep(random.below(200));
        filling.fill();
        await Bun.sleep(random.below(200));
        // In half of the rounds, the kill happens while the disk is full.
        if (random.below(2) === 0) filling.free();
        await Bun.sleep(random.below(100));
        await server.end("SIGKILL");
        await sending;
        filling.free();
      }
      const server = await serve();
      await load.sendToEach(server.url);
      await server.until(() => Kept.read(filling.path, (store) => store.unfinished === 0));
      expect(await server.end("SIGTERM")).toBe(0);
      Kept.read(filling.path, (store) => {
        const lost = load.acknowledged.filter(
          ({ delivery, bodyDigest }) => store.digestOf(delivery) !== bodyDigest,
        );
        const { length: acknowledged } = load.acknowledged;
        console.log(
          `disk full: ${ROUNDS} rounds, ${acknowledged} acknowledged, ${acknowledged - lost.length} found, ` +
            `${lost.length} lost, ${store.bodiesKeptTwice} duplicated, ${load.rejections.length} answered 503 ${seed}`,
        );
        expect(new Set(load.rejections), seed).toEqual(new Set([503]));
        expect({ lost, duplicated: store.bodiesKeptTwice, integrity: store.integrity }, seed).toEqual({
          lost: [],
          duplicated: 0,
          integrity: "ok",
        });
        expect(store.deployments().at(-1), seed).toMatchObject({ state: "succeeded" });
      });
    },
  );
});

/** Makes every write of the process beyond the limit fail, without privileges (setrlimit(2), RLIMIT_FSIZE). */
function limitFiles(server: Server, bytes: string): void {
  const { exitCode, stderr } = Bun.spawnSync(["prlimit", `--pid=${server.pid}`, `--fsize=${bytes}:`]);
  if (exitCode !== 0) throw new Error(`prlimit: ${stderr.toString()}`);
}

const hasPrlimit = Bun.which("prlimit") !== null;

test.skipIf(!hasPrlimit)(
  `a disk that rejects every write causes 503, and the same pushes are accepted afterwards, without a restart${hasPrlimit ? "" : " (skipped: prlimit is not installed)"}`,
  async () => {
    configure("data");
    const server = await serve();
    limitFiles(server, "1");
    await expectRejectionsUntil(server, join(workshop.path, "data"), () => limitFiles(server, "unlimited"));
  },
);

test.skipIf(!isPossible.failing)(
  `a disk that becomes read-only causes 503 for every push, and no accepted push is lost after its repair${isPossible.failing ? "" : " (skipped: ext4 cannot be mounted here)"}`,
  async () => {
    const failing = new FailingDisk();
    disk = failing;
    const data = join(failing.path, "data");
    configure(data);
    const server = await serve();
    const push = largePush();
    expect((await send(server, push)).status).toBe(202);
    await server.untilDeployed(1);
    failing.fail();
    await sendUntilRejected(server);
    const rejected = largePush();
    for (let attempt = 0; attempt < 5; attempt++) await expectUnavailable(await send(server, rejected));
    await server.end("SIGKILL");

    const onReadOnly = await workshop.run(["serve"], { SECRET });
    expect(onReadOnly.exitCode).toBe(1);
    expect(onReadOnly.stderr).toContain(data);

    failing.repair();
    const again = await serve();
    expect(Kept.read(data, (store) => store.digestOf(1))).toBe(digest(push.body));
    expect(Kept.read(data, (store) => store.firstsWith(digest(rejected.body)))).toEqual([]);
    const response = await send(again, rejected);
    expect(response.status).toBe(202);
    expect(await response.json()).toMatchObject({ status: "ok" });
    await again.end("SIGTERM");
    expect(Kept.read(data, (store) => store.integrity)).toBe("ok");
  },
);
