import type { Clock } from "../lib/clock.ts";

/** The command line's access to the process and its streams. Tests pass their own. */
export interface Terminal {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly clock: Clock;
  /** The path of this program; null when an interpreter runs its source. */
  readonly executable: string | null;
  /** Whether standard output and standard error are terminals. */
  readonly isTty: { readonly stdout: boolean; readonly stderr: boolean };
  /** The width of standard output, if it is a terminal that reports one. */
  readonly columns?: number | undefined;
  /** Writes to standard output. */
  readonly out: (text: string) => void;
  /** Writes to standard error. */
  readonly err: (text: string) => void;
  /** Writes a line of the log to standard error: later, but before any other text that is written there. */
  readonly log: (line: string) => void;
  /**
   * Reads a secret from standard input: everything from a pipe, or a line that a person types after `prompt` and that
   * is not shown. Removes the newline at the end. Rejects with an {@link AppError} `failed` when the person cancels.
   */
  readonly readSecret: (prompt: string) => Promise<string>;
  /** Calls the listener on each SIGHUP, unless SIGHUP means that the terminal was closed. */
  readonly onHangUp: (listener: () => void) => void;
  /** Resolves on SIGINT or SIGTERM. A second signal ends the process. */
  readonly untilStopped: () => Promise<void>;
  /** Ends the process at once with exit code 1, after what was written to standard error. */
  readonly abort: () => void;
}

/** Exit codes. `wrong` means that the command line or the configuration is invalid. */
export const EXIT = { done: 0, failed: 1, wrong: 2 } as const;

/** Sets an exit code other than 0 for a command that throws nothing. */
export type Finish = (exitCode: number) => void;
