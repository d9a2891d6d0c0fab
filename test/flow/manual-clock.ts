import type { Clock } from "../../src/lib/clock.ts";

interface Sleeper {
  readonly until: number;
  readonly wake: () => void;
}

/** A clock that moves only when a test moves it. A sleep ends when the clock has been advanced far enough. */
export class ManualClock implements Clock {
  readonly #sleepers = new Set<Sleeper>();
  #time: number;

  constructor(start = "2026-11-21T12:00:00Z") {
    this.#time = Date.parse(start);
  }

  /** The number of pending sleeps. */
  get sleeping(): number {
    return this.#sleepers.size;
  }

  now(): Date {
    return new Date(this.#time);
  }

  sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const sleeper = {
        until: this.#time + milliseconds,
        wake: () => {
          this.#sleepers.delete(sleeper);
          signal?.removeEventListener("abort", sleeper.wake);
          resolve();
        },
      };
      this.#sleepers.add(sleeper);
      signal?.addEventListener("abort", sleeper.wake);
    });
  }

  /** Advances the time and ends the sleeps that are due. */
  advance(milliseconds: number): void {
    this.#time += milliseconds;
    for (const sleeper of [...this.#sleepers]) if (sleeper.until <= this.#time) sleeper.wake();
  }

  /** Sets the time, as an administrator does. Pending sleeps are not affected. */
  set(time: Date): void {
    this.#time = time.getTime();
  }
}
