import type { Source } from "../../domain/source.ts";
import type { Target } from "../../domain/target.ts";
import type { EventBus } from "../../flow/event-bus.ts";
import type { Operator } from "../../flow/operator.ts";
import type { ReplayOutcome } from "../../flow/replay.ts";
import type { FlowServices } from "../../flow/services.ts";
import type { Secret } from "../../lib/secret.ts";
import type { Metrics } from "../prometheus.ts";

/** What the admin listener works with. */
export interface AdminServices extends Pick<FlowServices, "store" | "clock" | "log"> {
  readonly token: Secret;
  /** Whether two texts are equal, in constant time. */
  readonly equal: (a: string, b: string) => boolean;
  readonly sources: readonly Source[];
  readonly targets: readonly Target[];
  readonly operator: Operator;
  readonly eventBus: EventBus;
  readonly metrics: Metrics;
  readonly replay: (id: number) => Promise<ReplayOutcome>;
  /** The names of a target's complete releases, newest first; null where its layout has none. */
  readonly releasesOf: (target: Target) => Promise<readonly string[] | null>;
  /** Whether the store could accept a delivery now. */
  readonly canAccept: () => Promise<boolean>;
  readonly about: () => About;
  /** Aborted when the server begins to stop: event streams end then, so that nobody waits for them. */
  readonly closing: AbortSignal;
}

/** The server's own facts. */
export interface About {
  readonly version: string;
  readonly startedAt: Date;
  /** Whether it is stopping and accepts no delivery any more. */
  readonly draining: boolean;
  readonly publicUrl: string | null;
  /** Null without TLS. */
  readonly certificateExpiresAt: Date | null;
}
