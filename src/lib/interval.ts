import type { Clock } from "./clock.ts";

/** Does something now, and again `every` milliseconds after it was done, until `signal` ends it. */
export async function runEvery(
  every: number,
  act: () => Promise<void>,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    await act();
    await clock.sleep(every, signal);
  }
}
