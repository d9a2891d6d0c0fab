import type { CiGate } from "../domain/ci.ts";
import type { Deployment, StepResult } from "../domain/deployment.ts";
import type { PlacedRelease, ProcessIo, RunProcess } from "../domain/layout.ts";
import type { ReleaseHistory } from "../domain/release.ts";
import type { RuleValues } from "../domain/rule.ts";
import type { Target } from "../domain/target.ts";
import type { Clock } from "../lib/clock.ts";

/** A deployment, and the facts about its delivery that commands may see. */
export interface DeploymentContext {
  readonly deployment: Deployment;
  readonly target: Target;
  /** The name of the event; null when no delivery asked for the deployment. */
  readonly event: string | null;
  /** The action of the event; null where it has none. */
  readonly action: string | null;
  /** Reads what `payload_env` is about; null when no delivery asked for the deployment. */
  readonly readValues: (() => RuleValues) | null;
  /** The further conditions for a commit whose CI succeeded; null for other deployments. */
  readonly gate: CiGate | null;
  /** Reads the history of the target's commits and releases. */
  readonly history: () => Promise<ReleaseHistory>;
  /** The path of the delivery's payload as JSON; null when no delivery asked for the deployment. */
  readonly payloadFile: string | null;
}

/** The services of this layer. Each function picks what it uses. */
export interface DeployServices {
  readonly clock: Clock;
  readonly run: RunProcess;
  /** The server's own environment. Commands see only the part that `environment.ts` selects. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly onLine: ProcessIo["onLine"];
  readonly whenReady?: ProcessIo["whenReady"];
  /** Ends the deployment early. Its reason is an `Interruption`. */
  readonly signal: AbortSignal;
  /** Called when the deployment has succeeded and only the cleanup remains. */
  readonly onDecided: () => void;
}

/** The result of a deployment so far. */
export interface Progress {
  /** Completes "timed out after … while". */
  activity: string;
  readonly steps: StepResult[];
  placed: PlacedRelease;
  /** Of the fetched commit; null before the fetch and for a rollback. */
  subject: string | null;
  author: string | null;
  /** A remark of the fetch for people. */
  note: string | null;
}

/** Whether the deployment activates a release that is on disk already, without a fetch or a build. */
export function isRollback({ deployment }: DeploymentContext): boolean {
  return deployment.choice?.kind === "release";
}
