import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { SECRET, writeConfiguration } from "../support/configuration.ts";
import { type Server, Workshop } from "../support/executable.ts";
import { deliver } from "../support/github.ts";
import { digest, Kept } from "../support/kept.ts";
import { pushBody } from "../support/payloads.ts";
import { chooseSeed, Random } from "../support/random.ts";
import { FailingDisk, isPossible, SmallDisk } from "../support/small-disk.ts";
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

/** Writes the configuration of one source and one target whose command does nothing. */
function configure(dataDirectory: string): void {
  workshop = new Workshop();
  workshop.write("site/index.html", "hello\n");
  const targets = `[[target]]\nname = "site"\nsource = "github"\ndirectory = "site"\nrun = ["true"]`;
  writeConfiguration(workshop, { targets, dataDir: dataDirectory });
}

const serve = () => workshop.serve([], { SECRET });

/** A push that takes some room: nothing makes its filler smaller, so no gap in a file that is full is enough. */
const largePush = () => ({
  id: crypto.randomUUID(),
  body: pushBody({ filler: randomBytes(100_000).toString("base64") }),
});

type Push = ReturnType<typeof largePush>;

function send(server: Server, { id, body }: Push): Promise<Response> {
  return deliver(new URL("/github-webhook", server.url), "push", body, { secret: SECRET, id });
}

/** Sends new pushes until one is not taken any more; gives the noted numbers of those that were. */
async function sendUntilRefused(server: Server): Promise<readonly { body: string; delivery: number }[]> {
  const taken = [];
  for (let push = largePush(); ; push = largePush()) {
    const response = await send(server, push);
    if (response.status === 503) return taken;
    expect(response.status).toBe(202);
    const { delivery } = (await response.json()) as { delivery: number };
    taken.push({ body: push.body, delivery });
  }
}

async function expectUnavailable(response: Response): Promise<void> {
  expect(response.status).toBe(503);
  expect(Number(response.headers.get("retry-after"))).toBeGreaterThan(0);
  expect(await response.json()).toMatchObject({ status: "unavailable" });
}

/**
 * What happens while nothing can be written and once it can be again: no answer is 2xx, nothing half-kept stays,
 * and what was refused is taken as if it came for the first time.
 */
async function expectRefusalsUntil(server: Server, dataDirectory: string, end: () => void): Promise<void> {
  const before = await sendUntilRefused(server);
  const refused = Array.from({ length: 20 }, largePush);
  for (const push of refused.slice(0, 10)) await expectUnavailable(await send(server, push));
  const together = await Promise.all(refused.slice(10).map((push) => send(server, push)));
  for (const response of together) await expectUnavailable(response);
  expect((await fetch(new URL("/healthz", server.url))).status).toBe(200);
  end();

  const numbers: number[] = [];
  for (const push of refused) {
    const response = await send(server, push);
    expect(response.status).toBe(202);
    const answer = (await response.json()) as { status: string; delivery: number };
    expect(answer.status).toBe("ok");
    numbers.push(answer.delivery);
  }
  await server.until(() => Kept.read(dataDirectory, (kept) => kept.unfinished === 0));
  expect(await server.end("SIGTERM")).toBe(0);
  Kept.read(dataDirectory, (kept) => {
    expect(kept.integrity).toBe("ok");
    expect(kept.deliveries).toBe(before.length + refused.length);
    for (const { body, delivery } of before) expect(kept.digestOf(delivery)).toBe(digest(body));
    for (const [index, { body }] of refused.entries()) {
      const number = numbers[index] ?? 0;
      expect(kept.digestOf(number)).toBe(digest(body));
      expect(kept.redeliveryOf(number)).toBeNull();
    }
    expect(kept.deployments()).toHaveLength(before.length + refused.length);
    expect(kept.deployments().at(-1)).toMatchObject({ state: "succeeded" });
  });
}

const needsMount = isPossible.small ? "" : " (skipped: a tmpfs cannot be mounted here)";

describe("a disk that is full", () => {
  test.skipIf(!isPossible.small)(
    `gets every push answered 503, and the same pushes taken once there is space, without a restart${needsMount}`,
    async () => {
      const full = new SmallDisk(8);
      disk = full;
      configure(full.path);
      const server = await serve();
      full.fill();
      await expectRefusalsUntil(server, full.path, () => full.free());
    },
  );

  test.skipIf(!isPossible.small)(
    `loses nothing that was answered 2xx, over ${ROUNDS} times filling up under load and kill -9${needsMount}`,
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
        const pressed = load.press(server.url, 4);
        await Bun.sleep(random.below(200));
        filling.fill();
        await Bun.sleep(random.below(200));
        // Half of the time it is killed while the disk is full.
        if (random.below(2) === 0) filling.free();
        await Bun.sleep(random.below(100));
        await server.end("SIGKILL");
        await pressed;
        filling.free();
      }
      const server = await serve();
      await load.sendToEach(server.url);
      await server.until(() => Kept.read(filling.path, (kept) => kept.unfinished === 0));
      expect(await server.end("SIGTERM")).toBe(0);
      Kept.read(filling.path, (kept) => {
        const lost = load.acknowledged.filter(
          ({ delivery, bodyDigest }) => kept.digestOf(delivery) !== bodyDigest,
        );
        const { length: acknowledged } = load.acknowledged;
        console.log(
          `disk full: ${ROUNDS} rounds, ${acknowledged} acknowledged, ${acknowledged - lost.length} found, ` +
            `${lost.length} lost, ${kept.bodiesKeptTwice} twice, ${load.refusals.length} answered 503 ${seed}`,
        );
        expect(new Set(load.refusals), seed).toEqual(new Set([503]));
        expect({ lost, twice: kept.bodiesKeptTwice, integrity: kept.integrity }, seed).toEqual({
          lost: [],
          twice: 0,
          integrity: "ok",
        });
        expect(kept.deployments().at(-1), seed).toMatchObject({ state: "succeeded" });
      });
    },
  );
});

/** Without any privilege: the system refuses each write of the process beyond its limit (setrlimit(2), RLIMIT_FSIZE). */
function limitFiles(server: Server, bytes: string): void {
  const { exitCode, stderr } = Bun.spawnSync(["prlimit", `--pid=${server.pid}`, `--fsize=${bytes}:`]);
  if (exitCode !== 0) throw new Error(`prlimit: ${stderr.toString()}`);
}

const hasPrlimit = Bun.which("prlimit") !== null;

test.skipIf(!hasPrlimit)(
  `a disk that refuses every write gets pushes answered 503, and taken once it does not, without a restart${hasPrlimit ? "" : " (skipped: there is no prlimit here)"}`,
  async () => {
    configure("data");
    const server = await serve();
    limitFiles(server, "1");
    await expectRefusalsUntil(server, join(workshop.path, "data"), () => limitFiles(server, "unlimited"));
  },
);

test.skipIf(!isPossible.failing)(
  `a disk that became read-only gets every push answered 503, and what was taken is there after its repair${isPossible.failing ? "" : " (skipped: no ext4 can be mounted here)"}`,
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
    await sendUntilRefused(server);
    const refused = largePush();
    for (let attempt = 0; attempt < 5; attempt++) await expectUnavailable(await send(server, refused));
    await server.end("SIGKILL");

    const onReadOnly = await workshop.run(["serve"], { SECRET });
    expect(onReadOnly.exitCode).toBe(1);
    expect(onReadOnly.stderr).toContain(data);

    failing.repair();
    const again = await serve();
    expect(Kept.read(data, (kept) => kept.digestOf(1))).toBe(digest(push.body));
    expect(Kept.read(data, (kept) => kept.firstsWith(digest(refused.body)))).toEqual([]);
    const response = await send(again, refused);
    expect(response.status).toBe(202);
    expect(await response.json()).toMatchObject({ status: "ok" });
    await again.end("SIGTERM");
    expect(Kept.read(data, (kept) => kept.integrity)).toBe("ok");
  },
);
