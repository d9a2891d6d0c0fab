import type { Clock } from "./clock.ts";

/**
 * Runs `task` now, and again `pause` milliseconds after each run, until `signal` is aborted. Rejects when `task` does.
 */
export async function runEvery(
  pause: number,
  task: () => Promise<void>,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    await task();
    await clock.sleep(pause, signal);
  }
}
