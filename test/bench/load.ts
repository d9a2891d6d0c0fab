import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { pushBody } from "../support/payloads.ts";
import type { Contestant } from "./contestants.ts";
import { cpuOf, cpuOfMachine } from "./cpu.ts";

/** More than any round sends, because a repeated push would be a duplicate. */
const PUSHES = 800_000;

/** Seconds of one round. */
export const SECONDS = 3;

/** The result of one round. */
export interface Round {
  /** Requests per second. */
  readonly rate: number;
  /** Microseconds of CPU time that the server took for a request. */
  readonly cpu: number;
  /** Milliseconds, the median. */
  readonly latency: number;
  /** Cores that other programs used meanwhile. */
  readonly interference: number;
}

/** Sends signed pushes with wrk, each only once to a server. */
export class Load {
  readonly #sent = new Map<Contestant, number>();

  /** Writes the input of load.lua: a push of about 6 KB in two halves, and signed commits to insert between them. */
  constructor(
    readonly directory: string,
    readonly secret: string,
  ) {
    const mark = "f".repeat(40);
    const commits = Array.from({ length: 12 }, (_, at) => ({
      id: randomBytes(20).toString("hex"),
      message: `Change number ${at}`,
      timestamp: "2026-11-21T12:00:00Z",
      url: `https://github.com/octocat/blog/commit/${at}`,
      author: { name: "Mona", email: "mona@example.com", username: "octocat" },
      committer: { name: "GitHub", email: "noreply@github.com", username: "web-flow" },
      added: [`posts/${at}.md`],
      removed: [],
      modified: ["index.html", "feed.xml"],
    }));
    const [head = "", tail = ""] = pushBody({ after: mark, commits }).split(mark);
    const lines: string[] = [];
    for (let count = 0; count < PUSHES; count++) {
      const commit = randomBytes(20).toString("hex");
      const signature = new Bun.CryptoHasher("sha256", secret).update(head + commit + tail).digest("hex");
      lines.push(`${commit} ${signature}\n`);
    }
    writeFileSync(join(directory, "head"), head);
    writeFileSync(join(directory, "tail"), tail);
    writeFileSync(join(directory, "signatures"), lines.join(""));
    console.log(`${PUSHES} distinct pushes of ${Buffer.byteLength(head + mark + tail)} bytes`);
  }

  /** Runs one round. Throws when a server gives another answer than expected. */
  async run(contestant: Contestant, connections: number, signatures: "right" | "wrong"): Promise<Round> {
    const script = join(import.meta.dir, "load.lua");
    const sent = this.#sent.get(contestant) ?? 0;
    const threads = Math.min(2, connections);
    const options = [`-t${threads}`, `-c${connections}`, `-d${SECONDS}s`, "--latency", "-s", script];
    const input = [this.directory, signatures, contestant.path, String(sent)];
    const before = { machine: cpuOfMachine(), server: cpuOf(contestant.pid), own: cpuOf(process.pid) };
    const began = performance.now();
    const wrk = Bun.spawn(["wrk", ...options, contestant.url.href, "--", ...input], { stdout: "pipe" });
    const report = await new Response(wrk.stdout).text();
    await wrk.exited;
    const seconds = (performance.now() - began) / 1000;
    const server = cpuOf(contestant.pid) - before.server;
    const senders = Number(wrk.resourceUsage()?.cpuTime.total ?? 0) / 1e6;
    const known = server + senders + cpuOf(process.pid) - before.own;
    const rate = Number(/Requests\/sec: +([\d.]+)/.exec(report)?.[1]);
    const failed = Number(/Non-2xx or 3xx responses: (\d+)/.exec(report)?.[1] ?? 0);
    const all = Number(/(\d+) requests in/.exec(report)?.[1]);
    if (Number.isNaN(rate) || /Socket errors/.test(report)) throw new Error(`wrk: ${report}`);
    if (signatures === "right" && failed > 0)
      throw new Error(`${failed} of ${all} pushes were refused by ${contestant.name}`);
    if (signatures === "right") this.#sent.set(contestant, sent + all);
    return {
      rate,
      cpu: (server / all) * 1e6,
      latency: parseMilliseconds(/50% +(\S+)/.exec(report)?.[1] ?? ""),
      interference: (cpuOfMachine() - before.machine - known) / seconds,
    };
  }
}

function parseMilliseconds(text: string): number {
  const factors: Readonly<Record<string, number>> = { us: 0.001, ms: 1, s: 1000 };
  const [, number = "NaN", unit = ""] = /^([\d.]+)(us|ms|s)$/.exec(text) ?? [];
  return Number(number) * (factors[unit] ?? Number.NaN);
}
