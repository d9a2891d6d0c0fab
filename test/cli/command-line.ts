import { run } from "../../src/cli/index.ts";
import type { Terminal } from "../../src/cli/terminal.ts";
import { systemClock } from "../../src/lib/clock.ts";

/** The result of a command line. */
export interface CommandResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs one command line in this process.
 *
 * @param args the arguments after `hooklatch`; a string is split at spaces.
 * @param terminal overrides. Of this process's environment, the command sees only PATH.
 */
export async function runHooklatch(
  args: string | readonly string[],
  { env, ...terminal }: Partial<Omit<Terminal, "out" | "err" | "log">> & { readonly cwd: string },
  listeners: { readonly out?: (text: string) => void } = {},
): Promise<CommandResult> {
  let [stdout, stderr] = ["", ""];
  const exitCode = await run(typeof args === "string" ? args.split(" ") : args, {
    clock: systemClock,
    executable: null,
    isTty: { stdout: false, stderr: false },
    onHangUp: () => {},
    untilStopped: () => new Promise(() => {}),
    abort: () => {},
    readSecret: () => Promise.reject(new Error("standard input is empty")),
    ...terminal,
    env: { PATH: process.env.PATH, ...env },
    out: (text) => {
      stdout += text;
      listeners.out?.(text);
    },
    err: (text) => {
      stderr += text;
    },
    log: (line) => {
      stderr += line;
    },
  });
  return { exitCode, stdout, stderr };
}

/** Control characters other than newline, and the bidirectional override: output for a terminal must not contain them. */
export const UNPRINTABLE = /(?!\n)[\p{Cc}\u202e]/u;
