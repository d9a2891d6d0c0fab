import type { Clock } from "../../src/lib/clock.ts";

/** Milliseconds. Sleeps from here on are long; the agent polls an order with shorter ones. */
const LONG_SLEEP = 10_000;

/** The system time plus an offset. Short sleeps take a millisecond; a long one lasts until `wake` or an abort. */
export class TestClock implements Clock {
  /** The durations of all long sleeps, in milliseconds. */
  readonly longSleeps: number[] = [];
  #offset = 0;
  #endSleep: (() => void) | null = null;

  now(): Date {
    return new Date(Date.now() + this.#offset);
  }

  /** Whether a long sleep is in progress. */
  get isAsleep(): boolean {
    return this.#endSleep !== null;
  }

  advance(milliseconds: number): void {
    this.#offset += milliseconds;
  }

  /** Ends the long sleep as if its time had passed. */
  wake(): void {
    this.advance(this.longSleeps.at(-1) ?? 0);
    this.#endSleep?.();
  }

  async sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
    if (milliseconds < LONG_SLEEP) return Bun.sleep(1);
    if (signal?.aborted) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const end = () => {
      this.#endSleep = null;
      resolve();
    };
    this.longSleeps.push(milliseconds);
    this.#endSleep = end;
    signal?.addEventListener("abort", end, { once: true });
    await promise;
  }
}
