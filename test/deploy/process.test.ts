import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MAX_LINE_BYTES } from "../../src/deploy/output-lines.ts";
import { createRunProcess } from "../../src/deploy/process.ts";

setDefaultTimeout(120_000);

const cwd = mkdtempSync(join(tmpdir(), "hooklatch-test-"));
afterAll(() => rmSync(cwd, { recursive: true, force: true }));

const env = { PATH: "/usr/bin:/bin" };

const PROCESS = join(import.meta.dir, "../../src/deploy/process.ts");

/** Runs a command; `onLine` may abort it. */
async function run(
  argv: readonly string[],
  {
    killAfter = 5_000,
    onLine,
  }: { killAfter?: number; onLine?: (line: string, abort: () => void) => void } = {},
) {
  const lines: string[] = [];
  const controller = new AbortController();
  const hear = (line: string) => {
    lines.push(line);
    onLine?.(line, () => controller.abort());
  };
  const result = await createRunProcess({ killAfter })(argv, {
    cwd,
    env,
    onLine: hear,
    signal: controller.signal,
  });
  return { ...result, lines };
}

const sh = (script: string) => ["/bin/sh", "-c", script];

/** Whether a process runs. A killed orphan may stay a zombie until whoever adopted it looks: it runs no more. */
function lives(pid: string | undefined): boolean {
  const { stdout } = spawnSync("ps", ["-o", "stat=", "-p", String(pid)], { encoding: "utf8" });
  return stdout !== "" && !stdout.startsWith("Z");
}

/** Resolves when the process is gone; the test's own time limit is the limit. KILL takes a moment to be done. */
async function isGone(pid: string | undefined): Promise<void> {
  expect(pid).toMatch(/^\d+$/);
  while (lives(pid)) await new Promise((resolve) => setTimeout(resolve, 5));
}

test("delivers both streams in the order they were written", async () => {
  const script = "for n in 1 2 3 4 5; do echo out $n; echo err $n >&2; done";
  const { lines, exitCode, signal } = await run(sh(script));
  expect(lines).toEqual([1, 2, 3, 4, 5].flatMap((n) => [`out ${n}`, `err ${n}`]));
  expect({ exitCode, signal }).toEqual({ exitCode: 0, signal: null });
});

test("takes a megabyte on standard error before anything on standard output", async () => {
  const { lines } = await run(sh("yes 123456789 | head -n 100000 >&2; echo done"));
  expect(lines.length).toBe(100_001);
  expect(lines.at(-1)).toBe("done");
});

test("hands arguments on as they are, to no shell", async () => {
  const nasty = ["$(touch hacked)", ";touch hacked", "`touch hacked`", "a  b", "", "--", "*", "'\"\\", "\n"];
  const { lines } = await run(["printf", "[%s]\\n", ...nasty]);
  expect(lines.join("\n")).toBe(nasty.map((word) => `[${word}]`).join("\n"));
  expect(readdirSync(cwd)).toEqual([]);
});

test("gives the process no standard input", async () => {
  expect(await run(["cat"])).toMatchObject({ exitCode: 0, lines: [] });
});

test("tells the exit code, and the signal that ended it", async () => {
  expect(await run(sh("exit 7"))).toMatchObject({ exitCode: 7, signal: null });
  expect(await run(sh("kill -9 $$"))).toMatchObject({ exitCode: null, signal: "SIGKILL" });
});

test("exits with 127 and says why when there is no such command", async () => {
  const { exitCode, lines } = await run(["no-such-command-anywhere"]);
  expect(exitCode).toBe(127);
  expect(lines.join()).toContain("no-such-command-anywhere");
});

test("rejects when the working directory is not there", async () => {
  const missing = join(cwd, "missing");
  const signal = new AbortController().signal;
  const running = createRunProcess({ killAfter: 1 })(["true"], {
    cwd: missing,
    env,
    onLine: () => {},
    signal,
  });
  expect(running).rejects.toMatchObject({ code: "failed", message: `directory ${missing} does not exist` });
});

test("starts nothing when it was aborted before", async () => {
  const options = { cwd, env, onLine: () => {}, signal: AbortSignal.abort() };
  const result = await createRunProcess({ killAfter: 1 })(sh("touch started"), options);
  expect(result).toEqual({ exitCode: null, signal: "SIGTERM", milliseconds: 0 });
  expect(readdirSync(cwd)).toEqual([]);
});

test("ends the whole group with TERM when aborted", async () => {
  const { lines, signal } = await run(sh("sleep 60 & echo $!; wait"), { onLine: (_, abort) => abort() });
  expect(signal).toBe("SIGTERM");
  await isGone(lines[0]);
});

test("lets a process end in its own way when aborted", async () => {
  const script = "trap 'echo cleaning; exit 9' TERM; echo ready; while :; do sleep 0.01; done";
  const { lines, exitCode } = await run(sh(script), { onLine: (line, abort) => line === "ready" && abort() });
  expect(exitCode).toBe(9);
  expect(lines.at(-1)).toBe("cleaning");
});

test("kills what ignores TERM", async () => {
  const script = "trap '' TERM; echo ready; while :; do sleep 0.01; done";
  const { signal } = await run(sh(script), { killAfter: 50, onLine: (_, abort) => abort() });
  expect(signal).toBe("SIGKILL");
});

test("kills a grandchild that ignores TERM when its parent obeys", async () => {
  const script = `(trap '' TERM; while :; do sleep 0.01; done) & echo $!; wait`;
  const { lines, signal } = await run(sh(script), { killAfter: 50, onLine: (_, abort) => abort() });
  expect(signal).toBe("SIGTERM");
  await isGone(lines[0]);
});

test("ends a process that never stops writing", async () => {
  let heard = 0;
  const onLine = (_: string, abort: () => void) => {
    heard += 1;
    if (heard === 100_000) abort();
  };
  expect(await run(["yes"], { onLine })).toMatchObject({ exitCode: null, signal: "SIGTERM" });
});

test("does not wait for a daemon that holds the output, and lets it live", async () => {
  const { lines, exitCode } = await run(sh("sleep 60 & echo $!"));
  expect(exitCode).toBe(0);
  expect(lives(lines[0])).toBe(true);
  process.kill(Number(lines[0]), "SIGKILL");
});

/** Runs a program that starts `command` with runProcess and leaves when that has ended, or says that it is `ready`. */
function leave(command: string): readonly string[] {
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

test("kills what still runs, all of the group, when the program leaves in a hurry", async () => {
  const pids = leave("trap '' TERM; sleep 60 & echo $!; echo $$; echo ready; wait");
  expect(pids.length).toBe(2);
  for (const pid of pids) await isGone(pid);
});

test("lets a daemon live that a process left behind before the program leaves", () => {
  const [pid] = leave("sleep 60 > /dev/null & echo $!");
  expect(lives(pid)).toBe(true);
  process.kill(Number(pid), "SIGKILL");
});

test("ends the process and rejects when a line cannot be handed on", async () => {
  const pids: string[] = [];
  const onLine = (line: string) => {
    pids.push(line);
    throw new Error("nobody listens");
  };
  await expect(run(sh("echo $$; sleep 60"), { onLine })).rejects.toThrow("nobody listens");
  await isGone(pids[0]);
});

test("hands on all that an ended process wrote, however long that takes", async () => {
  let heard = 0;
  const onLine = () => {
    heard += 1;
    // A reader that takes longer for what is left than a process left behind is given.
    if (heard % 1_000 === 0) Bun.sleepSync(5);
  };
  expect(await run(sh("yes '' | head -c 300000"), { onLine })).toMatchObject({ exitCode: 0 });
  expect(heard).toBe(300_000);
});

test("does not wait for a daemon that goes on writing", async () => {
  const { lines, exitCode } = await run(sh("(while :; do echo still here; sleep 0.01; done) & echo $!"));
  expect(exitCode).toBe(0);
  process.kill(Number(lines.find((line) => line !== "still here")), "SIGKILL");
});

test("lets everything else in the program go on beside a process that never stops writing", async () => {
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

/** The most memory in MiB that a program needs beyond its own to run `command`, taking a pause at every 10,000 lines. */
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

describe("memory stays bounded", () => {
  test("while 100 MB come faster than they are taken", () => {
    const { grown, lines } = memoryFor("yes 123456789 | head -c 100000000");
    expect(lines).toBe(10_000_000);
    expect(grown).toBeLessThan(96);
  });

  test("when one line has 50 MB", () => {
    const { grown, lines, characters } = memoryFor("head -c 50000000 /dev/zero | tr '\\0' x");
    expect(characters).toBe(50_000_000);
    expect(lines).toBe(Math.ceil(50_000_000 / MAX_LINE_BYTES));
    expect(grown).toBeLessThan(96);
  });
});
