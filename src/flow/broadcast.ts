import type { Clock } from "../domain/clock.ts";
import type { Happening, Publish } from "../domain/happening.ts";

/** A happening with its place in the order of all of them. */
export interface Numbered {
  /** Grows with each happening, also over restarts. */
  readonly id: number;
  readonly at: Date;
  readonly happening: Happening;
}

/** Passes on what happens to those who watch, and keeps the latest for those who were away for a moment. */
export interface Broadcast {
  readonly publish: Publish;
  /** Hears every happening from now on; `output` ones have no number (null). Gives what ends it. */
  subscribe(listener: Listener): () => void;
  /** The kept ones after this id, oldest first. */
  since(id: number): readonly Numbered[];
}

type Listener = (happening: Happening, numbered: Numbered | null) => void;

/** How many happenings are kept for those who come back. */
const KEPT = 1000;

/** Ids begin with the time, so that they go on growing when the server was started again. */
const IDS_PER_MILLISECOND = 1000;

/** Makes a {@link Broadcast} that nobody listens to yet. */
export function createBroadcast(clock: Clock): Broadcast {
  const listeners = new Set<Listener>();
  const kept: Numbered[] = [];
  let last = clock.now().getTime() * IDS_PER_MILLISECOND;

  function number(happening: Happening): Numbered | null {
    if (happening.kind === "output") return null;
    const numbered = { id: ++last, at: clock.now(), happening };
    kept.push(numbered);
    if (kept.length > KEPT) kept.shift();
    return numbered;
  }

  return {
    publish(happening) {
      const numbered = number(happening);
      for (const listener of [...listeners]) {
        try {
          listener(happening, numbered);
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
