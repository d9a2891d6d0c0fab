import { run } from "../../src/cli/index.ts";
import type { Terminal } from "../../src/cli/terminal.ts";
import { systemClock } from "../../src/clock.ts";

/** What a command line came to. */
export interface Ran {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs one command line, as it is after `hooklatch`; nothing of this process's environment but PATH is seen. */
export async function runHooklatch(
  args: string | readonly string[],
  { env, ...terminal }: Partial<Omit<Terminal, "out" | "err" | "log">> & { readonly cwd: string },
  hears: { readonly out?: (text: string) => void } = {},
): Promise<Ran> {
  let [stdout, stderr] = ["", ""];
  const exitCode = await run(typeof args === "string" ? args.split(" ") : args, {
    clock: systemClock,
    isTty: { stdout: false, stderr: false },
    onHangUp: () => {},
    untilStopped: () => new Promise(() => {}),
    readSecret: () => Promise.reject(new Error("nothing stands on standard input")),
    ...terminal,
    env: { PATH: process.env.PATH, ...env },
    out: (text) => {
      stdout += text;
      hears.out?.(text);
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

/** What a terminal would obey or a reader's eye would miss: nothing of it may be in what is printed, but newlines. */
export const UNPRINTABLE = /(?!\n)[\p{Cc}\u202e]/u;
