import type { Clock } from "../../src/domain/clock.ts";

interface Sleeper {
  readonly until: number;
  readonly wake: () => void;
}

/** A clock whose sleeps are over when the test has moved it that far, and not before. */
export class ManualClock implements Clock {
  readonly #sleepers = new Set<Sleeper>();
  #time: number;

  constructor(start = "2026-11-21T12:00:00Z") {
    this.#time = Date.parse(start);
  }

  /** How many sleep. */
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

  /** Moves on and wakes those whose time has come. */
  advance(milliseconds: number): void {
    this.#time += milliseconds;
    for (const sleeper of [...this.#sleepers]) if (sleeper.until <= this.#time) sleeper.wake();
  }

  /** Sets the time as an administrator would: those who sleep notice nothing of it. */
  set(time: Date): void {
    this.#time = time.getTime();
  }
}
