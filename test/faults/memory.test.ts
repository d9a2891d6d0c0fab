import { afterEach, beforeEach, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { SECRET, writeConfiguration } from "../support/configuration.ts";
import { type Server, Workshop } from "../support/executable.ts";
import { deliver } from "../support/github.ts";
import { digest, Kept } from "../support/kept.ts";
import { pushBody } from "../support/payloads.ts";
import { until } from "../support/until.ts";
import { times } from "./length.ts";
import { type Manner, Stranger } from "./strangers.ts";

setDefaultTimeout(120_000);

const STRANGERS = 200;
const MANNERS: readonly Manner[] = ["fast", "trickling", "holding"];
const PUSHES = times({ short: 20, long: 200 });
const MIB = 1024 * 1024;
/** Of the issue: what the server may hold whatever strangers send. */
const MOST_MEMORY = 512 * MIB;

let workshop: Workshop;

beforeEach(() => {
  workshop = new Workshop();
  writeConfiguration(workshop);
});

afterEach(() => workshop.dispose());

/** A line of proc_pid_status(5), in bytes: `VmHWM` is the most that ever was resident, `VmRSS` what is now. */
function memory(server: Server, line: "VmHWM" | "VmRSS"): number {
  const status = readFileSync(`/proc/${server.pid}/status`, "utf8");
  return Number(new RegExp(`^${line}:\\s+(\\d+) kB$`, "m").exec(status)?.[1]) * 1024;
}

/** Sends a new push until it is answered 2xx, as somebody who heeds 503 does; gives how many answers were 503. */
async function sendUntilTaken(server: Server, number: number): Promise<number> {
  const body = pushBody({ number });
  const id = crypto.randomUUID();
  for (let refusals = 0; ; refusals++) {
    const response = await deliver(webhook(server), "push", body, {
      secret: SECRET,
      id,
    });
    const answer = (await response.json()) as { status: string; delivery: number };
    if (response.status === 503) continue;
    expect(response.status).toBe(200);
    const kept = Kept.read(join(workshop.path, "data"), (store) => store.digestOf(answer.delivery));
    expect(kept).toBe(digest(body));
    return refusals;
  }
}

function webhook({ url }: Server): URL {
  return new URL("/github-webhook", url);
}

function countAnswers(strangers: readonly Stranger[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { answers } of strangers) {
    for (const [code, count] of answers) counts[code] = (counts[code] ?? 0) + count;
  }
  return counts;
}

const hasProc = existsSync("/proc/self/status");

test.skipIf(!hasProc)(
  `stays under 512 MB and takes every push while ${STRANGERS} strangers send bodies of 25 MiB${hasProc ? "" : " (skipped: there is no /proc here)"}`,
  async () => {
    const server = await workshop.serve([], { SECRET });
    const idle = memory(server, "VmRSS");
    const strangers = Array.from({ length: STRANGERS }, (_, index) => {
      const manner = MANNERS[index % MANNERS.length] ?? "fast";
      return new Stranger(webhook(server), manner, index % 2 === 0);
    });
    let refusals = 0;
    let most = 0;
    try {
      // More is on its way than may be held.
      await until(() => strangers.reduce((sum, { sent }) => sum + sent, 0) > 2 * MOST_MEMORY);
      for (let number = 1; number <= PUSHES; number++) {
        const again = await sendUntilTaken(server, number);
        refusals += again;
        most = Math.max(most, again);
      }
    } finally {
      for (const stranger of strangers) stranger.leave();
    }
    const sent = strangers.reduce((sum, stranger) => sum + stranger.sent, 0);
    const peak = memory(server, "VmHWM");
    for (let number = PUSHES + 1; number <= PUSHES + 20; number++) {
      expect(await sendUntilTaken(server, number)).toBe(0);
    }
    const megabytes = (bytes: number) => `${Math.round(bytes / MIB)} MiB`;
    console.log(
      `memory: ${STRANGERS} strangers sent ${megabytes(sent)} and were answered ${JSON.stringify(countAnswers(strangers))}; ` +
        `idle ${megabytes(idle)}, peak ${megabytes(peak)}, afterwards ${megabytes(memory(server, "VmRSS"))}; ` +
        `${PUSHES} pushes taken, ${refusals} answers 503 before that, at most ${most} for one push`,
    );
    expect(peak).toBeLessThan(MOST_MEMORY);
    expect(await server.end("SIGTERM")).toBe(0);
    const data = join(workshop.path, "data");
    expect(Kept.read(data, (kept) => kept.deliveries)).toBe(PUSHES + 20);
  },
  times({ short: 120_000, long: 900_000 }),
);

test.skipIf(!hasProc)(
  `holds nothing of bodies over max_body, whose length is told or not, on its sources and elsewhere${hasProc ? "" : " (skipped: there is no /proc here)"}`,
  async () => {
    writeConfiguration(workshop, { server: 'max_body = "64KiB"' });
    const server = await workshop.serve([], { SECRET });
    const idle = memory(server, "VmRSS");
    const strangers = ["/github-webhook", "/nowhere", "/healthz"].flatMap((path) =>
      [true, false].map((chunked) => new Stranger(new URL(path, server.url), "fast", chunked)),
    );
    await until(() => strangers.reduce((sum, { sent }) => sum + sent, 0) > MOST_MEMORY);
    for (const stranger of strangers) stranger.leave();
    expect(memory(server, "VmHWM") - idle).toBeLessThan(MOST_MEMORY / 4);
    expect(Object.keys(countAnswers(strangers)).sort()).toEqual(["404", "405", "413"]);
  },
);
