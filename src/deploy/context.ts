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
  /** Reads the history of the target's commits and releases. */
  readonly history: () => Promise<ReleaseHistory>;
  /** A file with the delivery's payload; null when no delivery asked for it. */
  readonly payloadFile: string | null;
}

/** What a deployment works with. Each function picks what it uses. */
export interface DeployServices {
  readonly clock: Clock;
  readonly run: RunProcess;
  /** The server's own environment. Commands see the part of it that `environment.ts` selects. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly onLine: (line: string) => void;
  /** Ends the deployment early. Its reason is an `Interruption`. */
  readonly signal: AbortSignal;
  /** Called when the deployment has succeeded and only the cleanup follows. */
  readonly onDecided: () => void;
}

/** What is known so far of a deployment's result, however it ends. */
export interface Progress extends StepProgress {
  placed: PlacedRelease;
  /** What the fetch has to say to people. */
  note: string | null;
}

/** Whether it makes a release live that is on disk already. Nothing is fetched or built for that. */
export function isRollback({ deployment }: DeploymentContext): boolean {
  return deployment.choice?.kind === "release";
}
