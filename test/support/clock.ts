import { setTimeout } from "node:timers/promises";
import type { Clock } from "../../src/lib/clock.ts";

interface TestClockOptions {
  /** The time at the start, as ISO 8601. */
  readonly start?: string;
  /** Milliseconds of the longest sleep that the clock skips by itself. Longer sleeps wait for the test. */
  readonly skips?: number;
  /** Runs when the clock skips a sleep. */
  readonly onSkip?: (milliseconds: number) => void;
}

/** A clock that a test advances. A sleep ends when the clock has been advanced far enough, or with its signal. */
export class TestClock implements Clock {
  /** Milliseconds of each sleep that waited for the test, also of those that have ended. */
  readonly sleeps: number[] = [];
  /** Milliseconds of each sleep that the clock skipped. */
  readonly skipped: number[] = [];
  readonly #waiting = new Set<{ readonly end: number; readonly wake: () => void }>();
  readonly #skips: number;
  readonly #onSkip: (milliseconds: number) => void;
  #time: number;

  constructor({ start = "2026-11-21T12:00:00Z", skips = 0, onSkip = () => {} }: TestClockOptions = {}) {
    this.#time = Date.parse(start);
    this.#skips = skips;
    this.#onSkip = onSkip;
  }

  /** The number of sleeps that wait for the test. */
  get sleeping(): number {
    return this.#waiting.size;
  }

  now(): Date {
    return new Date(this.#time);
  }

  async sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return;
    if (milliseconds <= this.#skips) {
      this.skipped.push(milliseconds);
      this.#onSkip(milliseconds);
      this.advance(milliseconds);
      // A loop that waits for a process or a server gives it real time.
      return setTimeout(1);
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    const wake = () => {
      this.#waiting.delete(waiting);
      signal?.removeEventListener("abort", wake);
      resolve();
    };
    const waiting = { end: this.#time + milliseconds, wake };
    this.sleeps.push(milliseconds);
    this.#waiting.add(waiting);
    signal?.addEventListener("abort", wake);
    return promise;
  }

  /** Advances the time and ends the sleeps that are due. */
  advance(milliseconds: number): void {
    this.#time += milliseconds;
    for (const { end, wake } of [...this.#waiting]) if (end <= this.#time) wake();
  }

  /** Advances the time to the end of the sleep that ends first. */
  advanceToNext(): void {
    if (this.sleeping === 0) throw new Error("nothing sleeps");
    this.advance(Math.min(...[...this.#waiting].map(({ end }) => end)) - this.#time);
  }

  /** Sets the time, as an administrator does. It ends no sleep. */
  set(time: Date): void {
    this.#time = time.getTime();
  }
}
