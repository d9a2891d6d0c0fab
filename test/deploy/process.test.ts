import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MAX_LINE_BYTES } from "../../src/deploy/process/output-lines.ts";
import { createRunProcess } from "../../src/deploy/process/process.ts";
import { words } from "../support/words.ts";

setDefaultTimeout(120_000);

const cwd = mkdtempSync(join(tmpdir(), "hooklatch-test-"));
afterAll(() => rmSync(cwd, { recursive: true, force: true }));

const env = { PATH: "/usr/bin:/bin" };

const PROCESS = join(import.meta.dir, "../../src/deploy/process/process.ts");

/** Runs a command; `onLine` may abort it. */
async function run(
  argv: readonly string[],
  {
    killAfter = 5_000,
    onLine,
    whenReady,
  }: {
    killAfter?: number;
    onLine?: (line: string, abort: () => void) => void;
    whenReady?: () => Promise<void>;
  } = {},
) {
  const lines: string[] = [];
  const controller = new AbortController();
  const collect = (line: string) => {
    lines.push(line);
    onLine?.(line, () => controller.abort());
  };
  const result = await createRunProcess({ killAfter })(argv, {
    cwd,
    env,
    onLine: collect,
    whenReady,
    signal: controller.signal,
  });
  return { ...result, lines };
}

const sh = (script: string) => ["/bin/sh", "-c", script];

/** Whether a process runs. A killed orphan may stay a zombie until its new parent reaps it; it counts as ended. */
function isAlive(pid: string | undefined): boolean {
  const { stdout } = spawnSync("ps", ["-o", "stat=", "-p", String(pid)], { encoding: "utf8" });
  return stdout !== "" && !stdout.startsWith("Z");
}

/** Resolves when the process has ended, which takes a moment after SIGKILL. The test's timeout is the limit. */
async function waitUntilGone(pid: string | undefined): Promise<void> {
  expect(pid).toMatch(/^\d+$/);
  while (isAlive(pid)) await new Promise((resolve) => setTimeout(resolve, 5));
}

test("emits the lines of both streams in the order they were written", async () => {
  const script = "for n in 1 2 3 4 5; do echo out $n; echo err $n >&2; done";
  const { lines, exitCode, signal } = await run(sh(script));
  expect(lines).toEqual([1, 2, 3, 4, 5].flatMap((n) => [`out ${n}`, `err ${n}`]));
  expect({ exitCode, signal }).toEqual({ exitCode: 0, signal: null });
});

test("reads a megabyte on standard error before anything on standard output", async () => {
  const { lines } = await run(sh("yes 123456789 | head -n 100000 >&2; echo done"));
  expect(lines.length).toBe(100_001);
  expect(lines.at(-1)).toBe("done");
});

test("passes arguments unchanged, without a shell", async () => {
  const nasty = ["$(touch hacked)", ";touch hacked", "`touch hacked`", "a  b", "", "--", "*", "'\"\\", "\n"];
  const { lines } = await run(["printf", "[%s]\\n", ...nasty]);
  expect(lines.join("\n")).toBe(nasty.map((word) => `[${word}]`).join("\n"));
  expect(readdirSync(cwd)).toEqual([]);
});

test("gives the process no standard input", async () => {
  expect(await run(["cat"])).toMatchObject({ exitCode: 0, lines: [] });
});

test("returns the exit code, or the signal that ended the process", async () => {
  expect(await run(sh("exit 7"))).toMatchObject({ exitCode: 7, signal: null });
  expect(await run(sh("kill -9 $$"))).toMatchObject({ exitCode: null, signal: "SIGKILL" });
});

test("exits with 127 and names the command when it does not exist", async () => {
  const { exitCode, lines } = await run(["no-such-command-anywhere"]);
  expect(exitCode).toBe(127);
  expect(lines.join()).toContain("no-such-command-anywhere");
});

test("rejects when the working directory does not exist", async () => {
  const missing = join(cwd, "missing");
  const signal = new AbortController().signal;
  const options = { cwd: missing, env, onLine: () => {}, signal };
  const error = await createRunProcess({ killAfter: 1 })(["true"], options).catch((thrown) => thrown);
  expect(error.code).toBe("failed");
  expect(error.message).toContain(missing);
  expect(words(error.message)).toMatchSnapshot();
});

test("starts nothing when the signal is already aborted", async () => {
  const options = { cwd, env, onLine: () => {}, signal: AbortSignal.abort() };
  const result = await createRunProcess({ killAfter: 1 })(sh("touch started"), options);
  expect(result).toEqual({ exitCode: null, signal: "SIGTERM", milliseconds: 0 });
  expect(readdirSync(cwd)).toEqual([]);
});

test("ends the whole group with SIGTERM when aborted", async () => {
  const { lines, signal } = await run(sh("sleep 60 & echo $!; wait"), { onLine: (_, abort) => abort() });
  expect(signal).toBe("SIGTERM");
  await waitUntilGone(lines[0]);
});

test("lets a process handle SIGTERM when aborted", async () => {
  const script = "trap 'echo cleaning; exit 9' TERM; echo ready; while :; do sleep 0.01; done";
  const { lines, exitCode } = await run(sh(script), { onLine: (line, abort) => line === "ready" && abort() });
  expect(exitCode).toBe(9);
  expect(lines.at(-1)).toBe("cleaning");
});

test("kills a process that ignores SIGTERM", async () => {
  const script = "trap '' TERM; echo ready; while :; do sleep 0.01; done";
  const { signal } = await run(sh(script), { killAfter: 50, onLine: (_, abort) => abort() });
  expect(signal).toBe("SIGKILL");
});

test("kills a grandchild that ignores SIGTERM when its parent ends", async () => {
  const script = `(trap '' TERM; while :; do sleep 0.01; done) & echo $!; wait`;
  const { lines, signal } = await run(sh(script), { killAfter: 50, onLine: (_, abort) => abort() });
  expect(signal).toBe("SIGTERM");
  await waitUntilGone(lines[0]);
});

test("ends a process that never stops writing", async () => {
  let lineCount = 0;
  const onLine = (_: string, abort: () => void) => {
    lineCount += 1;
    if (lineCount === 100_000) abort();
  };
  expect(await run(["yes"], { onLine })).toMatchObject({ exitCode: null, signal: "SIGTERM" });
});

test("does not wait for a daemon that keeps the output open, and does not end it", async () => {
  const { lines, exitCode } = await run(sh("sleep 60 & echo $!"));
  expect(exitCode).toBe(0);
  expect(isAlive(lines[0])).toBe(true);
  process.kill(Number(lines[0]), "SIGKILL");
});

/** Runs a program that starts `command` with runProcess and exits when it ends or prints `ready`. Returns its output. */
function runAndExit(command: string): readonly string[] {
  const script = `
    const { runProcess } = await import(${JSON.stringify(PROCESS)});
    const options = { cwd: "/", env: process.env, signal: new AbortController().signal };
    const onLine = (line) => line === "ready" ? process.exit(130) : console.log(line);
    const argv = ["/bin/sh", "-c", ${JSON.stringify(command)}];
    await runProcess(argv, { ...options, onLine });
    process.exit(0);
  `;
  const { stdout } = spawnSync(process.execPath, ["-e", script], { env, encoding: "utf8" });
  return stdout.trim().split("\n");
}

test("kills the whole group of a running process when the program exits", async () => {
  const pids = runAndExit("trap '' TERM; sleep 60 & echo $!; echo $$; echo ready; wait");
  expect(pids.length).toBe(2);
  for (const pid of pids) await waitUntilGone(pid);
});

test("does not end the daemon of an ended process when the program exits", () => {
  const [pid] = runAndExit("sleep 60 > /dev/null & echo $!");
  expect(isAlive(pid)).toBe(true);
  process.kill(Number(pid), "SIGKILL");
});

test("ends the process and rejects when onLine throws", async () => {
  const pids: string[] = [];
  const onLine = (line: string) => {
    pids.push(line);
    throw new Error("no listener");
  };
  await expect(run(sh("echo $$; sleep 60"), { onLine })).rejects.toThrow("no listener");
  await waitUntilGone(pids[0]);
});

test("emits all output of an ended process, even to a slow reader", async () => {
  let lineCount = 0;
  const onLine = () => {
    lineCount += 1;
    // In total, the pauses are longer than the time limit for output that arrives after the end.
    if (lineCount % 1_000 === 0) Bun.sleepSync(5);
  };
  expect(await run(sh("yes '' | head -c 300000"), { onLine })).toMatchObject({ exitCode: 0 });
  expect(lineCount).toBe(300_000);
});

test("reads no more output until the reader is ready, and then all of it, also of an ended process", async () => {
  const ready = Promise.withResolvers<void>();
  let lines = 0;
  const running = run(sh("yes 123456789 | head -c 40000"), {
    onLine: () => {
      lines++;
    },
    whenReady: () => ready.promise,
  });
  // Longer than the output of an ended process is waited for.
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  expect(lines).toBeGreaterThan(0);
  expect(lines).toBeLessThan(4_000);
  ready.resolve();
  expect((await running).lines).toHaveLength(4_000);
});

test("does not wait for a daemon that keeps writing", async () => {
  const { lines, exitCode } = await run(sh("(while :; do echo still here; sleep 0.01; done) & echo $!"));
  expect(exitCode).toBe(0);
  process.kill(Number(lines.find((line) => line !== "still here")), "SIGKILL");
});

test("does not block the program while a process never stops writing", async () => {
  const controller = new AbortController();
  let turns = 0;
  const timer = setInterval(() => {
    turns += 1;
    if (turns === 20) controller.abort();
  }, 1);
  const options = { cwd, env, onLine: () => {}, signal: controller.signal };
  const result = await createRunProcess({ killAfter: 5_000 })(["yes", ""], options);
  clearInterval(timer);
  expect(result).toMatchObject({ exitCode: null, signal: "SIGTERM" });
});

/** Runs `command` in a program that pauses at every 10,000 lines. Returns the growth of its peak memory in MiB. */
function memoryFor(command: string): {
  readonly grown: number;
  readonly lines: number;
  readonly characters: number;
} {
  const script = `
    const { runProcess } = await import(${JSON.stringify(PROCESS)});
    const before = process.resourceUsage().maxRSS;
    let lines = 0;
    let characters = 0;
    const onLine = (line) => {
      lines += 1;
      characters += line.length;
      if (lines % 10_000 === 0) Bun.sleepSync(1);
    };
    const argv = ["/bin/sh", "-c", ${JSON.stringify(command)}];
    await runProcess(argv, { cwd: "/", env: process.env, signal: new AbortController().signal, onLine });
    const grown = (process.resourceUsage().maxRSS - before) / 1024;
    console.log(JSON.stringify({ grown, lines, characters }));
  `;
  const { stdout } = spawnSync(process.execPath, ["-e", script], { env, encoding: "utf8" });
  return JSON.parse(stdout);
}

describe("bounded memory", () => {
  test("reads 100 MB that arrive faster than they are consumed", () => {
    const { grown, lines } = memoryFor("yes 123456789 | head -c 100000000");
    expect(lines).toBe(10_000_000);
    expect(grown).toBeLessThan(96);
  });

  test("reads one line of 50 MB", () => {
    const { grown, lines, characters } = memoryFor("head -c 50000000 /dev/zero | tr '\\0' x");
    expect(characters).toBe(50_000_000);
    expect(lines).toBe(Math.ceil(50_000_000 / MAX_LINE_BYTES));
    expect(grown).toBeLessThan(96);
  });
});
