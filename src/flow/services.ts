import type { PublishEvent } from "../domain/server-event.ts";
import type { Store } from "../domain/store.ts";
import type { Target } from "../domain/target.ts";
import type { Clock } from "../lib/clock.ts";
import type { Log, ThrottledLog } from "../lib/log.ts";
import type { AttemptLimiter } from "./attempt-limiter.ts";
import type { EventBus } from "./event-bus.ts";

/** Everything that flows use. Each function picks what it needs. */
export interface FlowServices {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  /** For messages that any sender can cause. */
  readonly logThrottled: ThrottledLog;
  readonly publish: PublishEvent;
  readonly eventBus: Pick<EventBus, "subscribe">;
  readonly attemptLimiter: AttemptLimiter;
  /** The targets of the current configuration. */
  readonly targets: () => readonly Target[];
  /** Signals that deployments may be queued. */
  readonly wakeWorker: () => void;
  /** Signals that notifications may be due. */
  readonly wakeNotifier: () => void;
  /** Writes one line to standard output. */
  readonly print: (line: string) => void;
}
