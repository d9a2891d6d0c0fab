import { expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { Blog } from "../binary/blog.ts";
import { times } from "./length.ts";

setDefaultTimeout(240_000);

const ROUNDS = times({ short: 3, long: 20 });
/** The limit for the processor time of the server during a flood, as a part of the time that passed. */
const PROCESSOR_LIMIT = 0.5;

/** Clock ticks a second of proc_pid_stat(5), as Linux reports them to programs. */
const TICKS = 100;

/** Opens connections that send nothing, and opens each one again that the server closes. */
class Flood {
  readonly #sockets = new Set<Socket>();
  #isEnding = false;
  opened = 0;

  constructor(
    readonly port: number,
    size: number,
  ) {
    for (let number = 0; number < size; number++) this.#open();
  }

  #open(): void {
    const socket = connect({ host: "127.0.0.1", port: this.port });
    this.#sockets.add(socket);
    socket.once("connect", () => this.opened++);
    socket.on("error", () => {});
    socket.once("close", () => {
      this.#sockets.delete(socket);
      if (!this.#isEnding) setTimeout(() => this.#open(), 20);
    });
  }

  end(): void {
    this.#isEnding = true;
    for (const socket of this.#sockets) socket.destroy();
  }
}

/** Seconds of processor time that a process has used. */
function readProcessorTime(pid: number): number {
  const [user, system] = readFileSync(`/proc/${pid}/stat`, "latin1")
    .replace(/^.*\) /s, "")
    .split(" ")
    .slice(11, 13);
  return (Number(user) + Number(system)) / TICKS;
}

test.skipIf(process.platform !== "linux").each([64, 128, 1024])(
  "out of %p file descriptors: deploys, does not spin, and accepts pushes when connections have closed",
  async (limit) => {
    await using blog = new Blog();
    await blog.serve({
      keys: 'run = ["cp index.html built.html"]',
      wrapper: ["/bin/sh", "-c", 'ulimit -n "$1"; shift; exec "$@"', "sh", String(limit)],
    });
    expect(await blog.deploy({ "index.html": "0" })).toMatchObject({ state: "succeeded" });
    const flood = new Flood(Number(blog.server.url.port), limit * 4);
    const [start, before] = [performance.now(), readProcessorTime(blog.server.pid)];
    const slowest = { deployment: 0 };
    try {
      for (let round = 1; round <= ROUNDS; round++) {
        const began = performance.now();
        blog.repository.commit({ "index.html": String(round) });
        const { exitCode, stdout, stderr } = await blog.run("target", "deploy", "blog", "--follow");
        slowest.deployment = Math.max(slowest.deployment, performance.now() - began);
        expect({ exitCode, output: exitCode === 0 ? "" : stdout + stderr }).toEqual({
          exitCode: 0,
          output: "",
        });
        expect(blog.read("built.html")).toBe(String(round));
        await Bun.sleep(2_000);
      }
    } finally {
      flood.end();
    }
    const seconds = (performance.now() - start) / 1000;
    const processor = (readProcessorTime(blog.server.pid) - before) / seconds;
    const shortages = blog.server.log.filter(({ limit: logged }) => logged === limit).length;
    const afterwards = performance.now();
    expect(await blog.deploy({ "index.html": "after" })).toMatchObject({ state: "succeeded" });
    console.log(
      `descriptors: limit ${limit}, ${flood.opened} connections, processor ${Math.round(processor * 100)} %, ` +
        `${ROUNDS} deployments, the slowest ${Math.round(slowest.deployment)} ms; ` +
        `accepted and deployed ${Math.round(performance.now() - afterwards)} ms after the flood`,
    );
    expect(processor).toBeLessThan(PROCESSOR_LIMIT);
    expect(shortages).toBeGreaterThan(0);
    expect(shortages).toBeLessThanOrEqual(1 + seconds / 60);
  },
);
