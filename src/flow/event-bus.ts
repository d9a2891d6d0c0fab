import type { Deployment, FinishedDeployment, QueuedDeployment } from "../domain/deployment.ts";
import type { PublishEvent, ServerEvent } from "../domain/server-event.ts";
import type { Clock } from "../lib/clock.ts";

/** A happening with its place in the order of all of them. */
export interface NumberedEvent {
  /** Grows with each happening, also over restarts. */
  readonly id: number;
  readonly at: Date;
  readonly event: ServerEvent;
}

/** Passes on what happens to those who watch, and keeps the latest for those who were away for a moment. */
export interface EventBus {
  readonly publish: PublishEvent;
  /** Hears every happening from now on; `output` ones have no number (null). Gives what ends it. */
  subscribe(listener: Listener): () => void;
  /** The kept ones after this id, oldest first. */
  since(id: number): readonly NumberedEvent[];
}

type Listener = (happening: ServerEvent, numbered: NumberedEvent | null) => void;

/** How many happenings are kept for those who come back. */
const KEPT = 1000;

/** Ids begin with the time, so that they go on growing when the server was started again. */
const IDS_PER_MILLISECOND = 1000;

/** Makes a {@link EventBus} that nobody listens to yet. */
export function createEventBus(clock: Clock): EventBus {
  const listeners = new Set<Listener>();
  const kept: NumberedEvent[] = [];
  let last = clock.now().getTime() * IDS_PER_MILLISECOND;

  function number(event: ServerEvent): NumberedEvent | null {
    if (event.kind === "output") return null;
    const numbered = { id: ++last, at: clock.now(), event };
    kept.push(numbered);
    if (kept.length > KEPT) kept.shift();
    return numbered;
  }

  return {
    publish(event) {
      const numbered = number(event);
      for (const listener of [...listeners]) {
        try {
          listener(event, numbered);
        } catch {
          // Its connection is gone, say. Whoever publishes must not suffer from it.
          listeners.delete(listener);
        }
      }
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    since: (id) => kept.filter((numbered) => numbered.id > id),
  };
}

/** Remembers whether something was heard, and lets one wait for it. */
export interface EventWaiter {
  /** From now on nothing was heard. To be called before what was heard of is read, so that nothing is missed. */
  reset(): void;
  /** Resolves when something was heard since it was told to forget, or the signal was aborted. */
  wait(): Promise<void>;
  /** Listens no more. */
  stop(): void;
}

/**
 * Listens for happenings that are `wanted`, until it is stopped. A signal that is aborted before this call does not wake
 * it: look at the signal before waiting.
 */
export function waitFor(
  broadcast: Pick<EventBus, "subscribe">,
  wanted: (happening: ServerEvent) => boolean,
  signal: AbortSignal,
): EventWaiter {
  let next = Promise.withResolvers<void>();
  const hear = () => next.resolve();
  const unsubscribe = broadcast.subscribe((happening) => {
    if (wanted(happening)) hear();
  });
  signal.addEventListener("abort", hear);
  return {
    reset() {
      next = Promise.withResolvers();
    },
    wait: () => next.promise,
    stop() {
      unsubscribe();
      signal.removeEventListener("abort", hear);
    },
  };
}

/** Tells those who watch how each of the deployments stands now. */
export function publishDeployments(deployments: readonly Deployment[], publish: PublishEvent): void {
  for (const deployment of deployments) publish({ kind: "deployment", deployment });
}

/** Tells those who watch of a deployment that waits since now, and of those that gave way to it. */
export function publishQueued({ deployment, superseded }: QueuedDeployment, publish: PublishEvent): void {
  publishDeployments([deployment, ...superseded], publish);
}

/** Tells those who watch of a deployment that has ended, and of the one in its place. */
export function publishFinished({ deployment, retry }: FinishedDeployment, publish: PublishEvent): void {
  publishDeployments(retry === null ? [deployment] : [deployment, retry], publish);
}
