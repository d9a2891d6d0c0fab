import type { Deployment } from "../domain/deployment.ts";
import type { PlacedRelease, RunProcess } from "../domain/layout.ts";
import type { ReleaseHistory } from "../domain/release.ts";
import type { Target } from "../domain/target.ts";
import type { Clock } from "../lib/clock.ts";
import type { StepProgress } from "./steps.ts";

/** What is to be deployed, and what the commands may know of why. */
export interface DeploymentContext {
  readonly deployment: Deployment;
  readonly target: Target;
  /** The kind of event that asked for it; null when no delivery did. */
  readonly event: string | null;
  /** Reads what became of the target's commits and releases. */
  readonly history: () => Promise<ReleaseHistory>;
  /** A file with the delivery's payload; null when no delivery asked for it. */
  readonly payloadFile: string | null;
}

/** What a deployment works with. */
export interface DeployTools {
  readonly clock: Clock;
  readonly run: RunProcess;
  /** Our own environment; commands see of it what `environment.ts` lets through. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly onLine: (line: string) => void;
  /** Ends the deployment early; its reason is an `Interruption`. */
  readonly signal: AbortSignal;
  /** Hears that the deployment succeeded, and only tidying up is to follow. */
  readonly onDecided: () => void;
}

/** What is known so far: what the ending tells, however it ends. */
export interface Progress extends StepProgress {
  placed: PlacedRelease;
  /** What the fetch has to say to people. */
  note: string | null;
}

/** Whether it goes back to a release that is there already: nothing is fetched or built for it. */
export function isRollback({ deployment }: DeploymentContext): boolean {
  return deployment.choice?.kind === "release";
}
