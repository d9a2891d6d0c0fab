import type { Clock } from "../../src/domain/clock.ts";

/** Sleeps up to this long are over at once; longer ones, such as a time limit, last until `ring`. */
const LONGEST_NAP = 30_000;

/** A clock that goes one second further at each look, and whose sleeps take no time. */
export class FakeClock implements Clock {
  readonly naps: number[] = [];
  /** How many long sleeps nobody has ended yet. */
  sleeping = 0;
  #ringing = Promise.withResolvers<void>();
  #time = Date.parse("2026-11-21T20:30:00Z");

  /** `onNap` is what happens in the world while somebody waits. */
  constructor(readonly onNap: (milliseconds: number) => void = () => {}) {}

  now(): Date {
    this.#time += 1_000;
    return new Date(this.#time);
  }

  async sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return;
    if (milliseconds <= LONGEST_NAP) {
      this.naps.push(milliseconds);
      this.onNap(milliseconds);
      return;
    }
    const aborted = new Promise<void>((resolve) =>
      signal?.addEventListener("abort", () => resolve(), { once: true }),
    );
    this.sleeping += 1;
    await Promise.race([aborted, this.#ringing.promise]);
    this.sleeping -= 1;
  }

  /** Ends every long sleep that there is now. */
  ring(): void {
    this.#ringing.resolve();
    this.#ringing = Promise.withResolvers<void>();
  }
}
