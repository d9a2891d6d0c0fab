import type { Deployment, QueuedDeployment } from "../domain/deployment.ts";
import type { FinishedDeployment } from "../domain/deployment-store.ts";
import type { Fleet } from "../domain/host.ts";
import type { PublishEvent, ServerEvent } from "../domain/server-event.ts";
import type { Clock } from "../lib/clock.ts";

/** An event that a subscriber can resume after. */
export interface NumberedEvent {
  /** Increases with each event, also over restarts. */
  readonly id: number;
  readonly at: Date;
  readonly event: ServerEvent;
}

/** Passes events to subscribers, and remembers the latest for those who reconnect. */
export interface EventBus {
  readonly publish: PublishEvent;
  /** Passes on an event of another process that shares the store. */
  readonly publishRemote: PublishEvent;
  /**
   * Calls `listener` with every event from now on; `output` events have no number (null). Calls `onGap` when events of
   * other processes may have been lost. Returns the unsubscriber.
   */
  subscribe(listener: Listener, onGap?: () => void): () => void;
  /** Reports to subscribers that events of other processes may have been lost. */
  reportGap(): void;
  /** The latest events with a higher id, oldest first. */
  since(id: number): readonly NumberedEvent[];
}

type Listener = (event: ServerEvent, numbered: NumberedEvent | null) => void;

/** How many events are remembered. They are removed in steps, because removing each one would move all others. */
const REMEMBERED = 1000;

/** Ids start with the time, so that they increase over restarts. */
const IDS_PER_MILLISECOND = 1000;

/** Creates an {@link EventBus} without subscribers. `fleet` sends the events of this process to the others. */
export function createEventBus(clock: Clock, fleet: Pick<Fleet, "publish"> | null = null): EventBus {
  const listeners = new Map<Listener, () => void>();
  const latest: NumberedEvent[] = [];
  let lastId = clock.now().getTime() * IDS_PER_MILLISECOND;

  function number(event: ServerEvent): NumberedEvent | null {
    if (event.kind === "output") return null;
    const numbered = { id: ++lastId, at: clock.now(), event };
    latest.push(numbered);
    if (latest.length === 2 * REMEMBERED) latest.splice(0, REMEMBERED);
    return numbered;
  }

  function passOn(event: ServerEvent): void {
    const numbered = number(event);
    for (const listener of [...listeners.keys()]) {
      try {
        listener(event, numbered);
      } catch {
        // One subscriber, whose connection is closed, must not disturb the publisher or the others.
        listeners.delete(listener);
      }
    }
  }

  return {
    publish(event) {
      passOn(event);
      fleet?.publish(event);
    },
    publishRemote: passOn,
    subscribe(listener, onGap = () => {}) {
      listeners.set(listener, onGap);
      return () => void listeners.delete(listener);
    },
    reportGap() {
      for (const onGap of [...listeners.values()]) onGap();
    },
    since: (id) => latest.slice(-REMEMBERED).filter((numbered) => numbered.id > id),
  };
}

/** Waits for events until it is stopped. */
export interface EventWaiter {
  /** Forgets the events so far. Call it before reading what the events are about, so that none is missed. */
  reset(): void;
  /** Resolves when an event arrived or may have been lost since the last `reset`, or the signal was aborted. */
  wait(): Promise<void>;
  stop(): void;
}

/**
 * Waits for events that `accepts` returns true for. A signal that was aborted before this call does not end the wait:
 * check it before waiting.
 */
export function waitFor(
  eventBus: Pick<EventBus, "subscribe">,
  accepts: (event: ServerEvent) => boolean,
  signal: AbortSignal,
): EventWaiter {
  let next = Promise.withResolvers<void>();
  const wake = () => next.resolve();
  const unsubscribe = eventBus.subscribe((event) => {
    if (accepts(event)) wake();
  }, wake);
  signal.addEventListener("abort", wake);
  return {
    reset() {
      next = Promise.withResolvers();
    },
    wait: () => next.promise,
    stop() {
      unsubscribe();
      signal.removeEventListener("abort", wake);
    },
  };
}

/** Publishes the current state of each of the deployments. */
export function publishDeployments(deployments: readonly Deployment[], publish: PublishEvent): void {
  for (const deployment of deployments) publish({ kind: "deployment", deployment });
}

/** Publishes queued deployments and those that they superseded. */
export function publishQueued(
  { deployment, others, superseded }: QueuedDeployment,
  publish: PublishEvent,
): void {
  publishDeployments([deployment, ...others, ...superseded], publish);
}

/** Publishes a deployment that ended, and what followed from that. */
export function publishFinished(
  { deployment, retry, stopped = [] }: FinishedDeployment,
  publish: PublishEvent,
): void {
  publishDeployments([deployment, ...(retry === null ? [] : [retry]), ...stopped], publish);
}
