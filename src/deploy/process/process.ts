import { stat } from "node:fs/promises";
import { setImmediate, setTimeout } from "node:timers/promises";
import { DeploymentError } from "../../domain/deployment-error.ts";
import type { ProcessIo, RunProcess } from "../../domain/layout.ts";
import { spawnProcess } from "../../runtime/index.ts";
import { OutputLines } from "./output-lines.ts";

/** Milliseconds that an aborted process group has between TERM and KILL. */
export const KILL_AFTER = 5_000;

/**
 * Milliseconds of waiting for more output that an ended process is given, however long it takes to hand on what there
 * is. Only a process that it left behind can need them, and that one may hold the pipe for ever.
 */
const OUTPUT_GRACE = 500;

/** Bytes that may still come then: far more than a pipe holds, for a process that was left behind may never stop. */
const OUTPUT_LEFT = 16 * 1024 ** 2;

/** Milliseconds between two looks at whether an ended process's output is still being handed on. */
const OUTPUT_POLL = 10;

/** Milliseconds between two looks at whether a process group that got TERM still lives. */
export const GROUP_POLL = 25;

/** Bytes of output that are handed on in one go: of empty lines that many, each of which somebody keeps. */
const PORTION = 16 * 1024;

/** Milliseconds of handing lines on after which everything else in the program gets its turn. */
const TURN = 5;

/**
 * Puts both streams on one pipe, so that their lines come in true order, and then becomes the command. The
 * script is constant and the command are its arguments: the shell never reads them as code.
 */
const WITH_ONE_STREAM = ["/bin/sh", "-c", 'exec 2>&1; exec "$@"', "sh"] as const;

/** Runs one process in a group of its own, without standard input; see {@link RunProcess}. */
export const runProcess: RunProcess = createRunProcess({ killAfter: KILL_AFTER });

/** Makes a {@link RunProcess} with another time between TERM and KILL, in milliseconds. */
export function createRunProcess({ killAfter }: { readonly killAfter: number }): RunProcess {
  return async (argv, { cwd, env, onLine, signal }) => {
    await assertDirectory(cwd);
    if (signal.aborted) return { exitCode: null, signal: "SIGTERM", milliseconds: 0 };
    const start = performance.now();
    const child = spawnProcess([...WITH_ONE_STREAM, ...argv], { cwd, env });
    const group = new ProcessGroup(child.pid, killAfter);
    endWithUs(group);
    const end = () => group.end();
    signal.addEventListener("abort", end, { once: true });
    const output = readLines(child.stdout, onLine);
    try {
      await Promise.race([child.exited, output.failed]);
    } catch (error) {
      group.kill();
      throw error;
    } finally {
      signal.removeEventListener("abort", end);
      await group.ended;
      running.delete(group);
    }
    await output.finish();
    return { ...(await child.exited), milliseconds: Math.round(performance.now() - start) };
  };
}

async function assertDirectory(path: string): Promise<void> {
  const found = await stat(path).catch(() => null);
  if (!found?.isDirectory())
    throw new DeploymentError("directory_unusable", `directory ${path} does not exist`);
}

/** A process and what it started, as far as they did not leave its group. */
class ProcessGroup {
  /** Resolves when nothing of the group is left to wait for: at once, unless it was told to end. */
  ended: Promise<void> = Promise.resolve();

  constructor(
    readonly leader: number,
    readonly killAfter: number,
  ) {}

  /** TERM for the whole group, then KILL for what still lives after `killAfter`. */
  end(): void {
    this.ended = this.#end();
  }

  kill(): void {
    this.#send("SIGKILL");
  }

  async #end(): Promise<void> {
    const deadline = performance.now() + this.killAfter;
    this.#send("SIGTERM");
    while (this.#send(0)) {
      if (performance.now() >= deadline) return this.kill();
      await setTimeout(GROUP_POLL);
    }
  }

  /** Whether there was still something to send it to. Signal 0 only asks (kill(2)). */
  #send(signal: NodeJS.Signals | 0): boolean {
    try {
      process.kill(-this.leader, signal);
      return true;
    } catch {
      return false;
    }
  }
}

/** The groups whose process has not ended yet. What a process leaves behind on purpose is not among them. */
const running = new Set<ProcessGroup>();

/** Should we exit first, in a hurry, the group is killed: nobody would watch over it any more. */
function endWithUs(group: ProcessGroup): void {
  if (!process.listeners("exit").includes(killRunning)) process.on("exit", killRunning);
  running.add(group);
}

function killRunning(): void {
  for (const group of running) group.kill();
}

/** Reads a process's output line by line until it ends, or until `finish` has waited long enough. */
function readLines(stream: ReadableStream<Uint8Array>, onLine: ProcessIo["onLine"]) {
  const lines = new OutputLines(onLine);
  const reader = stream.getReader();
  let state: "waiting" | "handing on" | "over" = "waiting";
  let handedOn = 0;

  const all = readAll().finally(() => {
    state = "over";
  });

  async function readAll(): Promise<void> {
    let turn = performance.now();
    for (let read = await reader.read(); !read.done; read = await reader.read()) {
      state = "handing on";
      for (let from = 0; from < read.value.length; from += PORTION) {
        lines.push(read.value.subarray(from, from + PORTION));
        if (performance.now() - turn < TURN) continue;
        // A stream that is always ready would let nothing else happen, not even that its process is ended.
        await setImmediate();
        turn = performance.now();
      }
      handedOn += read.value.length;
      state = "waiting";
    }
    lines.end();
  }

  return {
    /** Never resolves; rejects when a line could not be handed on. */
    failed: new Promise<never>((_, reject) => all.catch(reject)),
    async finish(): Promise<void> {
      const most = handedOn + OUTPUT_LEFT;
      for (let waited = 0; state !== "over" && waited < OUTPUT_GRACE && handedOn < most; ) {
        await Promise.race([all, setTimeout(OUTPUT_POLL)]);
        if (state === "waiting") waited += OUTPUT_POLL;
      }
      await reader.cancel();
      await all;
    },
  };
}
