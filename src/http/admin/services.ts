import type { Source } from "../../domain/source.ts";
import type { Store } from "../../domain/store.ts";
import type { Target } from "../../domain/target.ts";
import type { EventBus } from "../../flow/event-bus.ts";
import type { Operator } from "../../flow/operator.ts";
import type { ReplayOutcome } from "../../flow/replay.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import type { Secret } from "../../lib/secret.ts";
import type { Metrics } from "../prometheus.ts";

/** What the admin listener works with. */
export interface AdminServices {
  readonly token: Secret;
  /** Whether two texts are equal, in constant time. */
  readonly equal: (a: string, b: string) => boolean;
  readonly log: Log;
  readonly clock: Clock;
  readonly sources: readonly Source[];
  readonly targets: readonly Target[];
  readonly store: Store;
  readonly steering: Operator;
  readonly broadcast: EventBus;
  readonly metrics: Metrics;
  readonly replay: (id: number) => Promise<ReplayOutcome>;
  /** The names of a target's complete releases, newest first; null where its layout keeps none. */
  readonly releasesOf: (target: Target) => Promise<readonly string[] | null>;
  /** Whether the store could keep a delivery now. */
  readonly canKeep: () => Promise<boolean>;
  readonly about: () => About;
  /** Aborted when the server begins to stop: event streams end then, so that nobody waits for them. */
  readonly closing: AbortSignal;
}

/** What the server says of itself. */
export interface About {
  readonly version: string;
  readonly startedAt: Date;
  /** Whether it is stopping and takes no delivery any more. */
  readonly draining: boolean;
  readonly publicUrl: string | null;
  /** Null without TLS. */
  readonly certificateExpiresAt: Date | null;
}
