import type { Clock } from "../lib/clock.ts";
import type { ReleaseHistory } from "./release.ts";
import type { Target } from "./target.ts";

/** How a target's directory is arranged, and how a new commit goes live in it. */
export interface Layout {
  readonly name: string;
  /** One line for people. */
  readonly summary: string;
  /** The names of the complete releases in a directory, newest first; null for a layout that keeps none. */
  readonly releasesOf: ((directory: string) => Promise<readonly string[]>) | null;
  createWorkspace(target: Target, tools: LayoutContext): Workspace;
}

/** What a layout works with. */
export interface LayoutContext {
  readonly clock: Clock;
  readonly run: RunProcess;
  /** Environment for git itself: PATH, HOME, what else the target may see, how it gets in, and which deployment it is. */
  readonly env: Readonly<Record<string, string>>;
  /** Hears what is done now; completes "timed out after … while". */
  readonly onActivity: (what: string) => void;
}

/**
 * One target's directory during one deployment. The calls come in the order they are listed, with `takeRelease` in
 * the place of the first four where a person chose a release; any of them may throw a {@link Fault} `failed` whose
 * message becomes the deployment's reason.
 */
export interface Workspace {
  /** Brings here what is watched: the branch's tip, the newest matching tag, or the commit that was chosen. */
  fetch(wanted: FetchRequest, io: ProcessIo): Promise<FetchedCommit>;
  /**
   * Why what was fetched is not to be deployed by itself: the tip's message says so, or the target's paths do about
   * the files that differ from the `live` commit. Null when it is.
   */
  reasonToSkip(fetched: FetchedCommit, live: string | null, io: ProcessIo): Promise<string | null>;
  /** Rejects when the target wants signed commits and this is not one by an allowed signer. */
  verify(fetched: FetchedCommit, io: ProcessIo): Promise<void>;
  /**
   * Puts the commit's files where the commands run: in a new release, or over the old files. What a deployment that
   * was killed made live is not proven: what is put back, if need be, is rather the `live` commit.
   */
  checkout(fetched: FetchedCommit, live: string | null, io: ProcessIo): Promise<Checkout>;
  /**
   * Takes a complete release by its name, or with null the one before the live one, as `findRelease` does.
   */
  takeRelease(wanted: RollbackRequest): Promise<PlacedRelease>;
  /** Makes what was checked out, or taken, live in one step. */
  activate(io: ProcessIo): Promise<void>;
  /**
   * Takes back what `checkOut` and `activate` did, and what a deployment that was killed before it had made live, as
   * far as the layout can; what was live stays or returns.
   */
  revert(): Promise<RevertResult>;
  /**
   * In place of all of these: takes back what a deployment that was killed had made live, and puts the `live` commit
   * back, or nothing. Does nothing where no deployment was killed amid its work.
   */
  restore(live: string | null): Promise<RevertResult>;
  /**
   * Removes what is no longer needed. Called after a new commit's success, which it does not change; what it leaves
   * when the signal cuts it short, the next deployment removes.
   */
  cleanup(io: ProcessIo): Promise<void>;
}

/** Which release is to be live again. */
export interface RollbackRequest {
  readonly name: string | null;
  readonly history: ReleaseHistory;
  /** Where an attempt before this was killed, perhaps when it had gone live: the commit that was live before it. */
  readonly liveBefore: string | null;
}

/** What a deployment asks a fetch for. */
export interface FetchRequest {
  /** The commit that a push told of; the tip should contain it. */
  readonly pushedCommit: string | null;
  /** What a person chose instead of the tip, 7 to 64 hex digits. */
  readonly chosenCommit: string | null;
}

/** What a fetch brought, and what of it is to be deployed. */
export interface FetchedCommit {
  /** The branch or tag, without `refs/…/`. */
  readonly ref: string;
  readonly commit: string;
  /** What people should know, such as that the tip does not contain the pushed commit; else null. */
  readonly note: string | null;
}

/** Where a commit's files are now. */
export interface Checkout {
  /** Where the commands run. */
  readonly directory: string;
  /** The release's name, where the layout has releases. */
  readonly release: string | null;
}

/** Files where they can be live, and what they are as far as that is known. */
export interface PlacedRelease extends Checkout {
  readonly ref: string | null;
  readonly commit: string | null;
}

/** What taking a deployment back did to what is live. */
export type RevertResult =
  /** It had not gone live: nothing changed. */
  | { readonly kind: "untouched" }
  /** What was live before it is live again. */
  | { readonly kind: "put back"; readonly placed: PlacedRelease }
  /** Nothing was live before it, and nothing is now. */
  | { readonly kind: "taken down" };

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
