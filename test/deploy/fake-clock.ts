import type { Clock } from "../../src/lib/clock.ts";

/** Sleeps up to this long end at once. Longer ones, such as a time limit, last until `endLongSleeps`. */
const LONGEST_SHORT_SLEEP = 30_000;

/** A clock that advances by one second at each reading and whose short sleeps take no time. */
export class FakeClock implements Clock {
  /** The lengths of all short sleeps, in milliseconds. */
  readonly sleeps: number[] = [];
  /** The number of long sleeps that have not ended. */
  pendingSleeps = 0;
  #end = Promise.withResolvers<void>();
  #time = Date.parse("2026-11-21T20:30:00Z");

  /** `onSleep` runs during each short sleep. */
  constructor(readonly onSleep: (milliseconds: number) => void = () => {}) {}

  now(): Date {
    this.#time += 1_000;
    return new Date(this.#time);
  }

  async sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return;
    if (milliseconds <= LONGEST_SHORT_SLEEP) {
      this.sleeps.push(milliseconds);
      this.onSleep(milliseconds);
      return;
    }
    const aborted = new Promise<void>((resolve) =>
      signal?.addEventListener("abort", () => resolve(), { once: true }),
    );
    this.pendingSleeps += 1;
    await Promise.race([aborted, this.#end.promise]);
    this.pendingSleeps -= 1;
  }

  /** Ends every pending long sleep. */
  endLongSleeps(): void {
    this.#end.resolve();
    this.#end = Promise.withResolvers<void>();
  }
}
