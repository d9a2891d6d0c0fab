import { afterEach, beforeEach, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { SECRET, writeConfiguration } from "../support/configuration.ts";
import { type Server, Workshop } from "../support/executable.ts";
import { deliver } from "../support/github.ts";
import { measureHealth } from "../support/health.ts";
import { pushBody } from "../support/payloads.ts";
import { digest, Kept } from "../support/stored-data.ts";
import { until } from "../support/until.ts";
import { times } from "./length.ts";
import { type Pace, Stranger } from "./strangers.ts";

setDefaultTimeout(120_000);

const STRANGERS = 200;
const PACES: readonly Pace[] = ["fast", "slow", "stalled", "dust"];
const PUSHES = times({ short: 20, long: 200 });
const MIB = 1024 * 1024;
const DUST_SENDERS = 20;
const DUST_MILLISECONDS = times({ short: 8_000, long: 20_000 });
const SEND_DUST = fileURLToPath(new URL("./send-dust.ts", import.meta.url));
/** The limit for the median response time of /healthz, in milliseconds. */
const HEALTH_LIMIT = 250;
/** The limit for what remains of large names: a few bodies that are not collected yet. */
const NAMES_LIMIT = 200 * MIB;
/** The limit for the resident memory of the server, whatever strangers send. */
const MEMORY_LIMIT = 512 * MIB;

let workshop: Workshop;

beforeEach(() => {
  workshop = new Workshop();
  writeConfiguration(workshop);
});

afterEach(() => workshop.dispose());

/** Returns a value of proc_pid_status(5) in bytes: `VmHWM` is the peak resident memory, `VmRSS` the current one. */
function memory(server: Server, line: "VmHWM" | "VmRSS"): number {
  const status = readFileSync(`/proc/${server.pid}/status`, "utf8");
  return Number(new RegExp(`^${line}:\\s+(\\d+) kB$`, "m").exec(status)?.[1]) * 1024;
}

/** Sends a new push and repeats it after each 503. Returns the number of 503 responses. */
async function sendUntilAccepted(server: Server, number: number): Promise<number> {
  const body = pushBody({ number });
  const id = crypto.randomUUID();
  for (let rejections = 0; ; rejections++) {
    const response = await deliver(webhook(server), "push", body, {
      secret: SECRET,
      id,
    });
    const answer = (await response.json()) as { status: string; delivery: number };
    if (response.status === 503) continue;
    expect(response.status).toBe(200);
    const stored = Kept.read(join(workshop.path, "data"), (store) => store.digestOf(answer.delivery));
    expect(stored).toBe(digest(body));
    return rejections;
  }
}

function webhook({ url }: Server): URL {
  return new URL("/github-webhook", url);
}

function countResponses(strangers: readonly Stranger[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { responses } of strangers) {
    for (const [code, count] of responses) counts[code] = (counts[code] ?? 0) + count;
  }
  return counts;
}

const hasProc = existsSync("/proc/self/status");

test.skipIf(!hasProc)(
  `uses less than 512 MiB and accepts every push while ${STRANGERS} strangers send bodies of 25 MiB${hasProc ? "" : " (skipped: /proc does not exist)"}`,
  async () => {
    const server = await workshop.serve([], { SECRET });
    const idle = memory(server, "VmRSS");
    const strangers = Array.from({ length: STRANGERS }, (_, index) => {
      const pace = PACES[index % PACES.length] ?? "fast";
      return new Stranger(webhook(server), pace, pace === "dust" || index % 2 === 0);
    });
    let rejections = 0;
    let most = 0;
    try {
      // The strangers have sent more than the limit.
      await until(() => strangers.reduce((sum, { sent }) => sum + sent, 0) > 2 * MEMORY_LIMIT);
      for (let number = 1; number <= PUSHES; number++) {
        const retries = await sendUntilAccepted(server, number);
        rejections += retries;
        most = Math.max(most, retries);
      }
    } finally {
      for (const stranger of strangers) stranger.disconnect();
    }
    const sent = strangers.reduce((sum, stranger) => sum + stranger.sent, 0);
    const peak = memory(server, "VmHWM");
    for (let number = PUSHES + 1; number <= PUSHES + 20; number++) {
      expect(await sendUntilAccepted(server, number)).toBe(0);
    }
    const megabytes = (bytes: number) => `${Math.round(bytes / MIB)} MiB`;
    console.log(
      `memory: ${STRANGERS} strangers sent ${megabytes(sent)} and received ${JSON.stringify(countResponses(strangers))}; ` +
        `idle ${megabytes(idle)}, peak ${megabytes(peak)}, afterwards ${megabytes(memory(server, "VmRSS"))}; ` +
        `${PUSHES} pushes accepted after ${rejections} responses 503, at most ${most} for one push`,
    );
    expect(peak).toBeLessThan(MEMORY_LIMIT);
    expect(await server.end("SIGTERM")).toBe(0);
    const data = join(workshop.path, "data");
    expect(Kept.read(data, (store) => store.deliveries)).toBe(PUSHES + 20);
  },
  times({ short: 120_000, long: 900_000 }),
);

test.skipIf(!hasProc)(
  `buffers no body over max_body, with or without Content-Length, for sources and other paths${hasProc ? "" : " (skipped: /proc does not exist)"}`,
  async () => {
    writeConfiguration(workshop, { server: 'max_body = "64KiB"' });
    const server = await workshop.serve([], { SECRET });
    const idle = memory(server, "VmRSS");
    const strangers = ["/github-webhook", "/nowhere", "/healthz"].flatMap((path) =>
      [true, false].map((chunked) => new Stranger(new URL(path, server.url), "fast", chunked)),
    );
    await until(() => strangers.reduce((sum, { sent }) => sum + sent, 0) > MEMORY_LIMIT);
    for (const stranger of strangers) stranger.disconnect();
    expect(memory(server, "VmHWM") - idle).toBeLessThan(MEMORY_LIMIT / 4);
    expect(Object.keys(countResponses(strangers)).sort()).toEqual(["404", "405", "413"]);
  },
);

test.skipIf(!hasProc)(
  `remembers nothing of 60 signed pushes with 10 MiB in a name${hasProc ? "" : " (skipped: /proc does not exist)"}`,
  async () => {
    const server = await workshop.serve([], { SECRET });
    const idle = memory(server, "VmRSS");
    for (let number = 0; number < 60; number++) {
      const name = `octocat/${number}${"x".repeat(10 * MIB)}`;
      const fields = number % 2 === 0 ? { repository: { full_name: name } } : { ref: `refs/heads/${name}` };
      const body = pushBody({ number, ...fields });
      const response = await deliver(webhook(server), "push", body, { secret: SECRET });
      expect(response.status).toBe(422);
    }
    const kept = memory(server, "VmRSS") - idle;
    console.log(`names: ${Math.round(kept / MIB)} MiB more than before`);
    expect(kept).toBeLessThan(NAMES_LIMIT);
  },
);

test.skipIf(!hasProc).each(["/github-webhook", "/nowhere"])(
  `responds in time and uses less than 512 MiB while ${DUST_SENDERS} strangers send chunks of one byte to %p${hasProc ? "" : " (skipped: /proc does not exist)"}`,
  async (path) => {
    const server = await workshop.serve([], { SECRET });
    const senders = Bun.spawn(
      [process.execPath, SEND_DUST, new URL(path, server.url).href, String(DUST_SENDERS)],
      { stdin: "ignore" },
    );
    const times = await measureHealth(server, DUST_MILLISECONDS);
    senders.kill();
    await senders.exited;
    const median = times[times.length >> 1] ?? Number.POSITIVE_INFINITY;
    const peak = memory(server, "VmHWM");
    console.log(
      `dust: ${times.length} requests to /healthz, median ${Math.round(median)} ms, longest ${Math.round(times.at(-1) ?? 0)} ms; ` +
        `peak ${Math.round(peak / MIB)} MiB`,
    );
    expect(median).toBeLessThan(HEALTH_LIMIT);
    expect(peak).toBeLessThan(MEMORY_LIMIT);
    expect(await sendUntilAccepted(server, 1)).toBe(0);
  },
);
