import type { Clock } from "../lib/clock.ts";

/** What a command may touch of the outside; tests pass their own. */
export interface Terminal {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly clock: Clock;
  /** Whether a person reads standard output, or standard error. */
  readonly isTty: { readonly stdout: boolean; readonly stderr: boolean };
  /** How many columns standard output shows, where a person reads it; 80 where that is not known. */
  readonly columns?: number | undefined;
  /** Writes text to standard output. */
  readonly out: (text: string) => void;
  /** Writes text to standard error. */
  readonly err: (text: string) => void;
  /** Writes a line of the log to standard error, a little later and before anything else that is written there. */
  readonly log: (line: string) => void;
  /**
   * Reads a secret from standard input, without the newline at its end: all that a pipe holds, or a line that a person
   * types, asked with `prompt`, and does not see. Rejects with a {@link Fault} `failed` when that person gives up.
   */
  readonly readSecret: (prompt: string) => Promise<string>;
  /** Calls the listener on each SIGHUP, where that does not mean that the terminal was closed. */
  readonly onHangUp: (listener: () => void) => void;
  /** Resolves when the program is asked to stop, by SIGINT or SIGTERM; a second signal ends it at once. */
  readonly untilStopped: () => Promise<void>;
}

/** Exit codes, as `--help` tells them. */
export const EXIT = { done: 0, failed: 1, wrong: 2 } as const;

/** How a command says that its exit code is not 0 although nothing was thrown. */
export type Finish = (exitCode: number) => void;
