import type { Lock } from "./lock.ts";
import type { NotificationSubscription } from "./notification.ts";
import type { Page, PageRange } from "./page.ts";
import type { Target } from "./target.ts";

/** One run of one target. */
export interface Deployment {
  readonly id: number;
  readonly target: string;
  readonly state: DeploymentState;
  /** What people should know of how it ended, or of what it deployed instead; null where there is nothing. */
  readonly reason: string | null;
  readonly trigger: Trigger;
  /** 1, or 2 for one that was queued again because the server crashed while the first ran. */
  readonly attempt: number;
  /** The delivery that asked for it. */
  readonly delivery: number | null;
  /** The commit that the delivery told; what is deployed is the tip, in `commit`. */
  readonly pushedCommit: string | null;
  /** What a person chose to deploy; null where it is the tip. */
  readonly choice: Choice | null;
  /** The branch or tag that was deployed; null until known, and for targets without git. */
  readonly branch: string | null;
  readonly commit: string | null;
  /** What was live before. */
  readonly previousCommit: string | null;
  readonly release: string | null;
  readonly createdAt: Date;
  readonly startedAt: Date | null;
  readonly endedAt: Date | null;
  readonly steps: readonly StepResult[];
}

/** Everything that can ask for a deployment. */
export const TRIGGERS = ["push", "redelivery", "replay", "catch-up", "manual", "rollback"] as const;

export type Trigger = (typeof TRIGGERS)[number];

/** What a person chose to deploy instead of the tip. */
export type Choice =
  /** A commit by its name, at least 7 hex digits of it. */
  | { readonly kind: "commit"; readonly commit: string }
  /** A release that is still on disk, by its name; null is the one before the live one. Nothing is built. */
  | { readonly kind: "release"; readonly release: string | null };

/** How one configured command ended. */
export interface StepResult {
  readonly command: string;
  /** Null when a signal ended it. */
  readonly exitCode: number | null;
  /** Such as `SIGTERM`; null when it exited by itself. */
  readonly signal: string | null;
  readonly milliseconds: number;
}

/** How a deployment ended, and what it put where. */
export interface DeploymentResult {
  readonly state: "succeeded" | "failed" | "cancelled" | "interrupted";
  readonly reason: string | null;
  readonly branch: string | null;
  readonly commit: string | null;
  readonly release: string | null;
  readonly steps: readonly StepResult[];
}

/** Why a running deployment is ended from outside: the reason of the abort signal that it is given. */
export interface Interruption {
  readonly kind: "cancelled" | "interrupted";
  readonly reason: string;
}

/** What is live in a target now. */
export interface Live {
  readonly commit: string | null;
  readonly release: string | null;
  readonly since: Date;
}

/** At most this many bytes of a deployment's output are kept; beyond it, lines from the middle go. */
export const MAX_OUTPUT_BYTES = 10 * 1024 * 1024;

/** A deployment that nothing but we ourselves or a person asks for. */
export interface DeploymentRequest {
  readonly target: string;
  readonly trigger: Trigger;
  /** The commit that is expected at the tip; null when none in particular is. */
  readonly commit: string | null;
  readonly choice: Choice | null;
}

/** A deployment that was put into the queue, and what gave way to it. */
export interface QueuedDeployment {
  readonly deployment: Deployment;
  /** Those of its target that waited until then, now `superseded`. */
  readonly superseded: readonly Deployment[];
}

/** A deployment that came to its end. */
export interface FinishedDeployment {
  readonly deployment: Deployment;
  /** What was queued in its place; null unless it was interrupted, after a second crash, and when a newer one waits. */
  readonly retry: Deployment | null;
}

/** A deployment that a stop interrupted, by its number, and whose processes may still run. */
export interface AbandonedRun {
  readonly deployment: number;
  readonly target: Target;
}

/** How a target stands: what is live, what waits, what was tried. */
export interface TargetStatus {
  readonly live: Live | null;
  /** The newest deployment that is not `superseded`; null when there never was one. */
  readonly latest: Deployment | null;
  /** The newest that has ended and had fetched a tip (its commit is known, no person chose it); null when none had. */
  readonly latestOfTip: Deployment | null;
  readonly queued: number | null;
  readonly running: number | null;
  readonly lock: Lock | null;
}

/** Which deployments a list has. */
export interface DeploymentFilter {
  readonly target: string | null;
  readonly state: DeploymentState | null;
  /** Only those that a delivery of this source asked for. */
  readonly source: string | null;
}

/** One line of output and its number, counted from 0 as they came. */
export interface OutputLine {
  readonly line: number;
  readonly text: string;
}

/** How long what is kept is kept. */
export interface Retention {
  /** Deliveries that were received before this may go. */
  readonly deliveriesBefore: Date;
  /** Deployments that ended before this may go. */
  readonly deploymentsBefore: Date;
  /** At most this many rows in one act, so that no accept waits long. */
  readonly limit: number;
}

/** The store's part that queues, runs and remembers deployments. */
export interface DeploymentStore {
  /** Queues a deployment without a delivery; one of the same target that was waiting becomes `superseded`. */
  queueDeployment(request: DeploymentRequest, now: Date): Promise<QueuedDeployment>;
  /**
   * Takes the oldest queued deployment among `targets` whose target has none running and is not locked at `now`,
   * marks it `running` since `now` and notes what is live before it. Null when there is none. A lock does not hold
   * what a person asked for (triggers `manual` and `rollback`).
   */
  claim(targets: readonly string[], now: Date): Promise<Deployment | null>;
  /**
   * Writes down how a running deployment ended; a successful one is what is live from `now` on. One that ended
   * `interrupted`, because the server was stopped, is queued again, unless a newer one waits, and its reason then says
   * which deployment follows it. In the same act a notice is kept for each of `subscribers` that wants to be told (see `chooseNotice`).
   */
  finish(
    id: number,
    ending: DeploymentResult,
    now: Date,
    subscribers: readonly NotificationSubscription[],
  ): Promise<FinishedDeployment>;
  /** Marks a deployment that waits `cancelled`. Null when it does not wait (any more). */
  cancelQueued(id: number, reason: string, now: Date): Promise<Deployment | null>;
  /**
   * Marks every running deployment `interrupted`: called at the start, when nothing can be running. Each is queued
   * again, with its delivery and trigger, unless a newer one waits; after a second crash no more. Its reason and the
   * notices of it are kept as by `settle`.
   */
  recoverInterrupted(
    now: Date,
    subscribers: readonly NotificationSubscription[],
  ): Promise<readonly FinishedDeployment[]>;
  /** Marks queued deployments of targets that are not in `targets` any more `cancelled`. */
  cancelUnconfigured(targets: readonly string[], now: Date): Promise<readonly Deployment[]>;
  readDeployment(id: number): Promise<Deployment | null>;
  /** Newest first. */
  listDeployments(filter: DeploymentFilter, range: PageRange): Promise<Page<Deployment>>;
  /** What is live in a target; null when nothing ever was. */
  readLive(target: string): Promise<Live | null>;
  /** With the lock that holds at `now`. */
  readTargetStatus(target: string, now: Date): Promise<TargetStatus>;
  /** Adds lines of output, without their newlines. Beyond {@link MAX_OUTPUT_BYTES} the middle is cut. */
  appendOutput(deployment: number, lines: readonly string[]): Promise<void>;
  /** The kept output in order; where lines were cut, one line in between says how many. */
  readOutput(deployment: number): Promise<readonly string[]>;
  /**
   * At most `limit` kept lines whose number is greater than `after` (-1 for all), in order. Where lines were cut, one
   * line with the number of the last of them says how many.
   */
  readOutputAfter(deployment: number, after: number, limit: number): Promise<readonly OutputLine[]>;
  /**
   * Removes one batch of what is older than the retention: deployments that ended, with their output, deliveries,
   * and clients whose time ran out as long ago; never the deployment that is live in a target, its newest or the
   * newest of its tip, nor a delivery that a lock holds back or a queued, running or live deployment needs. Then
   * gives some of the file's free space back. Resolves with how many rows went, 0 when there is nothing more to do.
   */
  prune(retention: Retention): Promise<number>;
}

/** Every state, in the order in which a deployment may pass them. */
export const DEPLOYMENT_STATES = [
  "queued",
  "running",
  "succeeded",
  "failed",
  "superseded",
  "cancelled",
  "interrupted",
] as const;

/** Where a deployment is on its way. */
export type DeploymentState = (typeof DEPLOYMENT_STATES)[number];

/** Whether a deployment in this state has come to its end. */
export function hasEnded(state: DeploymentState): boolean {
  return state !== "queued" && state !== "running";
}
