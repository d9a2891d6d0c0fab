import type { Clock } from "../lib/clock.ts";
import type { SkipCode } from "./codes.ts";
import type { ReleaseHistory } from "./release.ts";
import type { Target } from "./target.ts";

/** How a target's directory is arranged, and how a new commit goes live in it. */
export interface Layout {
  readonly name: string;
  /** One line for help and documentation. */
  readonly summary: string;
  /** The names of the complete releases in a directory, newest first; null for a layout without releases. */
  readonly releasesOf: ((directory: string) => Promise<readonly string[]>) | null;
  createWorkspace(target: Target, context: LayoutContext): Workspace;
}

/** The services of a {@link Workspace}. */
export interface LayoutContext {
  readonly clock: Clock;
  readonly run: RunProcess;
  /** The environment of git itself: that of the target's commands, the credentials and the deployment's id. */
  readonly env: Readonly<Record<string, string>>;
  /** Reports what is being done; completes "timed out after … while". */
  readonly onActivity: (what: string) => void;
}

/**
 * One target's directory during one deployment. The methods are called in the order in which they are listed, with
 * `takeRelease` in place of the first four where a person chose a release. Any of them may reject with a
 * `DeploymentError`, which ends the deployment.
 */
export interface Workspace {
  /** Fetches what the target follows: the branch's tip, the newest matching tag, or the chosen commit. */
  fetch(request: FetchRequest, io: ProcessIo): Promise<FetchedCommit>;
  /**
   * Why the fetched commit is not deployed: its message asks to skip it, or no file that the target's paths select
   * differs from the `live` commit. Null when it is deployed.
   */
  reasonToSkip(fetched: FetchedCommit, live: string | null, io: ProcessIo): Promise<SkipReason | null>;
  /** Rejects when the target requires signed commits and no allowed signer signed this one. */
  verify(fetched: FetchedCommit, io: ProcessIo): Promise<void>;
  /**
   * Puts the commit's files where the commands run: into a new release, or over the old files. What a killed deployment
   * made live is not proven: `revert` returns to the `live` commit instead.
   */
  checkout(fetched: FetchedCommit, live: string | null, io: ProcessIo): Promise<Checkout>;
  /** Takes a complete release by its name, or with null the one before the live one, as `findRelease` does. */
  takeRelease(request: RollbackRequest): Promise<PlacedRelease>;
  /** Makes what was checked out or taken live, in one step. */
  activate(io: ProcessIo): Promise<void>;
  /**
   * Undoes `checkout` and `activate`, and what a deployment that was killed before this one had made live, where the
   * layout can. The live release stays live or becomes live again.
   */
  revert(): Promise<RevertResult>;
  /**
   * Called without the others: undoes what a killed deployment had made live and makes the `live` commit, or nothing,
   * live again. Does nothing where no deployment was killed.
   */
  restore(live: string | null): Promise<RevertResult>;
  /**
   * Removes what is no longer needed. Called after a success, which it does not change. The next deployment removes
   * what is left when the signal aborts it.
   */
  cleanup(io: ProcessIo): Promise<void>;
}

/** Why a deployment has nothing to do. */
export interface SkipReason {
  readonly code: SkipCode;
  readonly reason: string;
}

/** The release that a person chose. */
export interface RollbackRequest {
  /** The release to make live; null for the one before the live one. */
  readonly name: string | null;
  readonly history: ReleaseHistory;
  /** Where an earlier attempt was killed, possibly after it went live: the commit that was live before it. */
  readonly liveBefore: string | null;
}

/** The commit to fetch; the tip when both are null. */
export interface FetchRequest {
  /** The commit that a push named. The tip should contain it. */
  readonly pushedCommit: string | null;
  /** The commit that a person chose instead of the tip, 7 to 64 hex digits. */
  readonly chosenCommit: string | null;
  /** The commit whose CI succeeded, instead of the tip; null or left out for none. */
  readonly passed?: PassedCommit | null;
}

/** A commit whose CI succeeded, and what it is compared with. All are full object names. */
export interface PassedCommit {
  readonly commit: string;
  /** The live commit; null when nothing is. */
  readonly live: string | null;
  /** Whether a live commit is deployed again, because a person repeated its delivery. */
  readonly isRepeated: boolean;
  /** The commits that were rolled back. */
  readonly rolledBack: readonly string[];
  /** The commits that later deployments of the queue deploy. */
  readonly queued: readonly string[];
}

/** The commit to deploy. */
export interface FetchedCommit {
  /** The branch or tag, without `refs/…/`. */
  readonly ref: string;
  readonly commit: string;
  /** The first line of the commit's message, and its author's name; each null where git cannot read it. */
  readonly subject: string | null;
  readonly author: string | null;
  /** The whole message of the commit. */
  readonly message: string;
  /** Such as that the tip does not contain the pushed commit; null where there is nothing to note. */
  readonly note: string | null;
  /** Why a commit whose CI succeeded is not deployed; null or left out when it is. */
  readonly skip?: SkipReason | null;
}

/** Where a commit's files are. */
export interface Checkout {
  /** Where the commands run. */
  readonly directory: string;
  /** The release's name; null where the layout has no releases. */
  readonly release: string | null;
}

/** A checkout that can be live, with its branch or tag and commit where these are known. */
export interface PlacedRelease extends Checkout {
  readonly ref: string | null;
  readonly commit: string | null;
}

export type RevertResult =
  /** It was not live: nothing changed. */
  | { readonly kind: "untouched" }
  /** The release or commit that was live before it is live again. */
  | { readonly kind: "reverted"; readonly placed: PlacedRelease }
  /** Nothing was live before it, and nothing is now. */
  | { readonly kind: "taken down" };

/** The output and the cancellation of a process. */
export interface ProcessIo {
  /** Called with each line of output, both streams in order, without the newline. */
  readonly onLine: (line: string) => void;
  /** Resolves when more output may be read. Until then, the process waits. Absent where output may always be read. */
  readonly whenReady?: (() => Promise<void>) | undefined;
  /** When aborted, the whole process group gets TERM, and KILL five seconds later. */
  readonly signal: AbortSignal;
}

/** Runs one process to its end. Rejects when it cannot be started in the working directory. */
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
