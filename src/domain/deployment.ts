import type { ResultCode } from "./codes.ts";
import type { Placement, Target } from "./target.ts";

/** One run of one target. */
export interface Deployment {
  readonly id: number;
  readonly target: string;
  /** The name of the host on which it runs. */
  readonly host: string;
  readonly state: DeploymentState;
  /** Why it ended in another state than `succeeded`; null while it is queued or runs, and for a success. */
  readonly code: ResultCode | null;
  /** Details that the code does not give. `describeResult` describes the whole result. */
  readonly reason: string | null;
  readonly trigger: Trigger;
  /** 1, or 2 for the retry of a deployment that a crash interrupted. */
  readonly attempt: number;
  /** The interrupted deployment that this one repeats. It may have been removed. */
  readonly retryOf: number | null;
  /** The deployment that repeats this interrupted one. */
  readonly retriedAs: number | null;
  /**
   * The newer deployment that replaced this one: of a superseded deployment, and of an interrupted one that is not
   * repeated because a newer one was queued. It may have been removed.
   */
  readonly supersededBy: number | null;
  /** In a one-by-one rollout, the deployment of the host before: this one starts when that one has succeeded. */
  readonly waitsFor: number | null;
  /** The delivery that requested it. */
  readonly delivery: number | null;
  /** The commit that the delivery named. The deployed commit, the tip, is in `commit`. */
  readonly pushedCommit: string | null;
  /** What is deployed in place of the tip; null for the tip. */
  readonly choice: Choice | null;
  /** The deployed branch or tag; null until known, and for targets without git. */
  readonly branch: string | null;
  readonly commit: string | null;
  /** The subject of the commit's message, its author's name, and its page at the forge; each null where not known. */
  readonly subject: string | null;
  readonly author: string | null;
  readonly commitUrl: string | null;
  /** The commit that was live before. */
  readonly previousCommit: string | null;
  readonly release: string | null;
  readonly createdAt: Date;
  readonly startedAt: Date | null;
  readonly endedAt: Date | null;
  readonly steps: readonly StepResult[];
}

/** The cause of a deployment. */
export const TRIGGERS = [
  "push",
  "ci",
  "release",
  "event",
  "redelivery",
  "replay",
  "catch-up",
  "manual",
  "rollback",
] as const;

export type Trigger = (typeof TRIGGERS)[number];

/** What is deployed in place of the tip. */
export type Choice =
  /** A person's choice of a commit, by at least its first 7 hex digits. */
  | { readonly kind: "commit"; readonly commit: string }
  /** The commit whose CI succeeded. It is deployed unless something newer is live. */
  | { readonly kind: "ci"; readonly commit: string }
  /** A person's choice of a release on disk by its name; null is the one before the live one. Nothing is built. */
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

/** How a deployment ended, and what it deployed. */
export interface DeploymentResult {
  readonly state: "succeeded" | "failed" | "cancelled" | "interrupted";
  /** Null exactly when it succeeded. */
  readonly code: ResultCode | null;
  readonly reason: string | null;
  readonly branch: string | null;
  readonly commit: string | null;
  /** As in {@link Deployment}; null also for a rollback, which the store completes from an earlier deployment. */
  readonly subject: string | null;
  readonly author: string | null;
  readonly commitUrl: string | null;
  readonly release: string | null;
  readonly steps: readonly StepResult[];
}

/** Why a running deployment is ended from outside: the reason of its abort signal. */
export type Interruption =
  /** A person cancelled it; the reason names the person. */
  | { readonly kind: "cancelled"; readonly reason: string }
  /** The server stops. */
  | { readonly kind: "interrupted" }
  /** The lease of this process has ended, or soon will: another one may run it again. */
  | { readonly kind: "lease lost" };

/** The live release of a target on one host. */
export interface Live {
  readonly commit: string | null;
  readonly release: string | null;
  readonly since: Date;
}

/** At most this many bytes of a deployment's output are stored. Beyond it lines from the middle are removed. */
export const MAX_OUTPUT_BYTES = 10 * 1024 * 1024;

/** At most this many deployments of a target with `queue = "all"` are queued by deliveries. */
export const MAX_QUEUED = 1000;

/** Bytes that each line counts besides its text, so that empty lines do not fill the database with rows. */
export const OUTPUT_LINE_COST = 16;

/** A request for a deployment without a delivery. */
export interface DeploymentRequest {
  readonly target: string;
  readonly trigger: Trigger;
  /** The commit that is expected at the tip; null for any. */
  readonly commit: string | null;
  readonly choice: Choice | null;
  /** Whether it waits for its turn and supersedes nothing (`queue = "all"`); false by default. */
  readonly queueAll?: boolean;
  /** Where it is deployed; by default on this host only. */
  readonly placement?: Placement;
}

/** Deployments that were queued now, for one request. */
export interface QueuedDeployment {
  /** That of the first host. */
  readonly deployment: Deployment;
  /** Those of further hosts. */
  readonly others: readonly Deployment[];
  /** The deployments of the target on the same hosts that were queued until then, now `superseded`. */
  readonly superseded: readonly Deployment[];
}

/** A deployment that a crash interrupted, by its id. Its processes may still run. */
export interface AbandonedRun {
  readonly deployment: number;
  readonly target: Target;
}

/** One line of output and its number, counted from 0. */
export interface OutputLine {
  readonly line: number;
  readonly text: string;
}

/** In the order in which a deployment may pass them. */
export const DEPLOYMENT_STATES = [
  "queued",
  "running",
  "succeeded",
  "failed",
  "superseded",
  "cancelled",
  "interrupted",
] as const;

export type DeploymentState = (typeof DEPLOYMENT_STATES)[number];

/** Whether the state is final. */
export function hasEnded(state: DeploymentState): boolean {
  return state !== "queued" && state !== "running";
}
