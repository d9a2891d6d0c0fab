import { AppError } from "./errors.ts";

/** Does work when there is room for it. Rejects with a {@link AppError} `unavailable` when too much waits already. */
export type Semaphore = <Result>(work: () => Promise<Result>) => Promise<Result>;

/** Lets at most `atOnce` works run at the same time and `waiting` more wait for their turn, first come first served. */
export function createSemaphore(atOnce: number, waiting: number): Semaphore {
  const queue: (() => void)[] = [];
  let running = 0;
  return async (work) => {
    if (running < atOnce) running += 1;
    else {
      if (queue.length >= waiting) throw new AppError("unavailable", "too many passwords wait to be checked");
      await new Promise<void>((resolve) => queue.push(resolve));
    }
    try {
      return await work();
    } finally {
      // The place goes from hand to hand, so that nobody slips in between.
      const next = queue.shift();
      if (next === undefined) running -= 1;
      else next();
    }
  };
}
