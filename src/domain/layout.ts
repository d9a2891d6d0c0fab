import type { Clock } from "./clock.ts";
import type { Target } from "./target.ts";

/** How a target's directory is arranged, and how a new commit goes live in it. */
export interface Layout {
  readonly name: string;
  /** One line for people. */
  readonly summary: string;
  open(target: Target, tools: LayoutTools): Workplace;
}

/** What a layout works with. */
export interface LayoutTools {
  readonly clock: Clock;
  readonly run: RunProcess;
  /** Environment for git itself: PATH, HOME, what else the target may see, and which deployment it is. */
  readonly env: Readonly<Record<string, string>>;
  /** Hears what is done now; completes "timed out after … while". */
  readonly onDoing: (what: string) => void;
}

/**
 * One target's directory during one deployment. The calls come in the order they are listed; any of them may
 * throw a {@link Fault} `failed` whose message becomes the deployment's reason.
 */
export interface Workplace {
  /** Brings the watched branch's tip (or the newest matching tag) here. */
  fetch(pushedCommit: string | null, io: ProcessIo): Promise<Fetched>;
  /** Puts the commit's files where the commands run: in a new release, or over the old files. */
  checkOut(fetched: Fetched, io: ProcessIo): Promise<CheckedOut>;
  /** Makes what was checked out live, in one step. */
  activate(): Promise<void>;
  /** Takes back what `checkOut` and `activate` did, as far as the layout can; what was live stays or returns. */
  revert(): Promise<void>;
  /**
   * Removes what is no longer needed. Called after a success, which it does not change; what it leaves when
   * the signal cuts it short, the next deployment removes.
   */
  tidy(io: ProcessIo): Promise<void>;
}

/** What a fetch brought, and what of it is to be deployed. */
export interface Fetched {
  /** The branch or tag, without `refs/…/`. */
  readonly ref: string;
  readonly commit: string;
  /** What people should know, such as that the tip does not contain the pushed commit; else null. */
  readonly note: string | null;
}

/** Where a commit's files are now. */
export interface CheckedOut {
  /** Where the commands run. */
  readonly directory: string;
  /** The release's name, where the layout has releases. */
  readonly release: string | null;
}

/** Where a process's output goes, and what ends it early. */
export interface ProcessIo {
  /** Called with each line of output, both streams in order, without the newline. */
  readonly onLine: (line: string) => void;
  /** When aborted, the whole process group gets TERM, and KILL five seconds later. */
  readonly signal: AbortSignal;
}

/** Runs one process to its end. Rejects only when the working directory is not there. */
export type RunProcess = (
  argv: readonly string[],
  options: { readonly cwd: string; readonly env: Readonly<Record<string, string>> } & ProcessIo,
) => Promise<ProcessResult>;

/** How a process ended. */
export interface ProcessResult {
  readonly exitCode: number | null;
  /** Such as `SIGKILL`; null when it exited by itself. */
  readonly signal: string | null;
  readonly milliseconds: number;
}
