import type { About, Disk } from "../../api/status.ts";
import type { Reload } from "../../domain/reload.ts";
import type { Source } from "../../domain/source.ts";
import type { Target } from "../../domain/target.ts";
import type { AttemptLimiter } from "../../flow/attempt-limiter.ts";
import type { EventBus } from "../../flow/event-bus.ts";
import type { Operator } from "../../flow/operator.ts";
import type { Refusals } from "../../flow/refusals.ts";
import type { ReplayOutcome } from "../../flow/replay.ts";
import type { FlowServices } from "../../flow/services.ts";
import type { Secret } from "../../lib/secret.ts";
import type { Metrics } from "../prometheus.ts";

/** The services of the admin listener. */
export interface AdminServices extends Pick<FlowServices, "store" | "clock" | "log"> {
  readonly token: Secret;
  /** Whether the dashboard is served, and its sessions are accepted. */
  readonly dashboard: boolean;
  /** Limits wrong admin tokens. */
  readonly adminAttempts: AttemptLimiter;
  /** Host names that requests may use besides the listener's own, without a port. */
  readonly hosts: readonly string[];
  /** Compares two texts in constant time. */
  readonly equal: (a: string, b: string) => boolean;
  readonly sources: readonly Source[];
  readonly targets: readonly Target[];
  readonly operator: Operator;
  readonly eventBus: EventBus;
  readonly metrics: Metrics;
  readonly refusals: Pick<Refusals, "list">;
  readonly replay: (id: number) => Promise<ReplayOutcome>;
  readonly reload: Reload;
  /** The names of a target's complete releases, newest first; null if its layout has no releases. */
  readonly releasesOf: (target: Target) => Promise<readonly string[] | null>;
  /** Whether the store can accept a delivery now. */
  readonly canAccept: () => Promise<boolean>;
  readonly about: () => About;
  /** The file systems of the data directory and the targets. */
  readonly readDisks: () => Promise<readonly Disk[]>;
  /** Aborted when the server begins to stop. Event streams end then, so that they do not delay the stop. */
  readonly closing: AbortSignal;
}
