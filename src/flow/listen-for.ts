import type { Happening } from "../domain/happening.ts";
import type { Broadcast } from "./broadcast.ts";

/** Remembers whether something was heard, and lets one wait for it. */
export interface Ear {
  /** From now on nothing was heard. To be called before what was heard of is read, so that nothing is missed. */
  forget(): void;
  /** Resolves when something was heard since it was told to forget, or the signal was aborted. */
  heard(): Promise<void>;
  /** Listens no more. */
  stop(): void;
}

/**
 * Listens for happenings that are `wanted`, until it is stopped. A signal that is aborted before this call does not wake
 * it: look at the signal before waiting.
 */
export function listenFor(
  broadcast: Pick<Broadcast, "subscribe">,
  wanted: (happening: Happening) => boolean,
  signal: AbortSignal,
): Ear {
  let next = Promise.withResolvers<void>();
  const hear = () => next.resolve();
  const unsubscribe = broadcast.subscribe((happening) => {
    if (wanted(happening)) hear();
  });
  signal.addEventListener("abort", hear);
  return {
    forget() {
      next = Promise.withResolvers();
    },
    heard: () => next.promise,
    stop() {
      unsubscribe();
      signal.removeEventListener("abort", hear);
    },
  };
}
