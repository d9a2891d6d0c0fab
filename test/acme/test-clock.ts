import type { Clock } from "../../src/domain/clock.ts";

/** Longer than the agent waits between two looks at an order. */
const LONG = 10_000;

/** The machine's time, that moves on at will. Short sleeps are shorter; a long one lasts until somebody ends it. */
export class TestClock implements Clock {
  /** The long sleeps so far, in milliseconds. */
  readonly naps: number[] = [];
  #offset = 0;
  #sleeper: (() => void) | null = null;

  now(): Date {
    return new Date(Date.now() + this.#offset);
  }

  /** Whether somebody is in a long sleep. */
  get isAsleep(): boolean {
    return this.#sleeper !== null;
  }

  advance(milliseconds: number): void {
    this.#offset += milliseconds;
  }

  /** Ends the long sleep as if its time had passed. */
  wake(): void {
    this.advance(this.naps.at(-1) ?? 0);
    this.#sleeper?.();
  }

  async sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
    if (milliseconds < LONG) return Bun.sleep(1);
    if (signal?.aborted) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const end = () => {
      this.#sleeper = null;
      resolve();
    };
    this.naps.push(milliseconds);
    this.#sleeper = end;
    signal?.addEventListener("abort", end, { once: true });
    await promise;
  }
}
