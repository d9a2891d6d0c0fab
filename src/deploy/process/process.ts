import { stat } from "node:fs/promises";
import { setImmediate, setTimeout } from "node:timers/promises";
import type { ProcessIo, RunProcess } from "../../domain/layout.ts";
import { retryWithoutDescriptors } from "../../lib/files.ts";
import { spawnProcess } from "../../runtime/index.ts";
import { DeploymentError } from "../failure.ts";
import { OutputLines } from "./output-lines.ts";

/** Milliseconds between TERM and KILL for an aborted process group. */
export const KILL_AFTER = 5_000;

/** Milliseconds between two checks whether a process group that got TERM has ended. */
export const GROUP_POLL = 25;

/**
 * Milliseconds without output after which the output of an ended process is complete. A process that it left behind may
 * keep the pipe open for ever.
 */
const OUTPUT_GRACE = 500;

/** Bytes that are read after the end, far more than a pipe holds: a process that was left behind may never stop. */
const MAX_LATE_OUTPUT = 16 * 1024 ** 2;

/** Milliseconds between two checks whether the output of an ended process is complete. */
const OUTPUT_POLL = 10;

/** Bytes that are split into lines at once. A chunk of this many newlines becomes as many lines in memory. */
const PORTION = 16 * 1024;

/** Milliseconds of work after which the rest of the program runs. A stream that is always ready would block it. */
const TURN = 5;

/**
 * Sends both streams to one pipe, which keeps their lines in order, and replaces itself with the command. The script is
 * constant and the command is its arguments, so the shell never reads the command as code.
 */
const WITH_ONE_STREAM = ["/bin/sh", "-c", 'exec 2>&1; exec "$@"', "sh"] as const;

/** Runs one process in its own group, without standard input; see {@link RunProcess}. */
export const runProcess: RunProcess = createRunProcess({ killAfter: KILL_AFTER });

/** Creates a {@link RunProcess} with another time between TERM and KILL, in milliseconds. */
export function createRunProcess({ killAfter }: { readonly killAfter: number }): RunProcess {
  return async (argv, { cwd, env, onLine, whenReady, signal }) => {
    if (!(await stat(cwd).catch(() => null))?.isDirectory()) {
      throw new DeploymentError("directory_unusable", `directory ${cwd} does not exist`);
    }
    if (signal.aborted) return { exitCode: null, signal: "SIGTERM", milliseconds: 0 };
    const start = performance.now();
    const child = await retryWithoutDescriptors(() =>
      spawnProcess([...WITH_ONE_STREAM, ...argv], { cwd, env }),
    );
    running.add(child.pid);
    let groupEnded = Promise.resolve();
    const end = () => {
      groupEnded = endGroup(child.pid, killAfter);
    };
    signal.addEventListener("abort", end, { once: true });
    if (signal.aborted) end();
    const output = readLines(child.stdout, { onLine, whenReady });
    try {
      await Promise.race([child.exited, output.failed]);
    } catch (error) {
      signalGroup(child.pid, "SIGKILL");
      throw error;
    } finally {
      signal.removeEventListener("abort", end);
      await groupEnded;
      running.delete(child.pid);
    }
    await output.finish();
    return { ...(await child.exited), milliseconds: Math.round(performance.now() - start) };
  };
}

/** The group leaders that have not ended. Processes that an ended leader left behind are not killed. */
const running = new Set<number>();

process.on("exit", () => {
  for (const leader of running) signalGroup(leader, "SIGKILL");
});

/** Sends TERM to the whole group, and KILL to what still runs after `killAfter`. */
async function endGroup(leader: number, killAfter: number): Promise<void> {
  const deadline = performance.now() + killAfter;
  signalGroup(leader, "SIGTERM");
  // Signal 0 only checks whether the group exists (kill(2)).
  while (signalGroup(leader, 0)) {
    if (performance.now() >= deadline) return void signalGroup(leader, "SIGKILL");
    await setTimeout(GROUP_POLL);
  }
}

/** Returns false when no process of the group is left. */
function signalGroup(leader: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(-leader, signal);
    return true;
  } catch {
    return false;
  }
}

/** Reads the output line by line until it ends, or until `finish` has waited long enough. */
function readLines(
  stream: ReadableStream<Uint8Array>,
  { onLine, whenReady }: Pick<ProcessIo, "onLine" | "whenReady">,
) {
  const lines = new OutputLines(onLine);
  const reader = stream.getReader();
  let state: "waiting" | "splitting" | "ended" = "waiting";
  let received = 0;

  const all = readAll().finally(() => {
    state = "ended";
  });

  async function readAll(): Promise<void> {
    let turn = performance.now();
    for (let read = await reader.read(); !read.done; read = await reader.read()) {
      state = "splitting";
      for (let from = 0; from < read.value.length; from += PORTION) {
        lines.push(read.value.subarray(from, from + PORTION));
        await whenReady?.();
        if (performance.now() - turn < TURN) continue;
        await setImmediate();
        turn = performance.now();
      }
      received += read.value.length;
      state = "waiting";
    }
    lines.end();
  }

  return {
    /** Never resolves. Rejects when `onLine` throws. */
    failed: new Promise<never>((_, reject) => all.catch(reject)),
    async finish(): Promise<void> {
      const limit = received + MAX_LATE_OUTPUT;
      for (let waited = 0; state !== "ended" && waited < OUTPUT_GRACE && received < limit; ) {
        await Promise.race([all, setTimeout(OUTPUT_POLL)]);
        if (state === "waiting") waited += OUTPUT_POLL;
      }
      await reader.cancel();
      await all;
    },
  };
}
