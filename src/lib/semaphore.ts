import { AppError } from "./errors.ts";

/** Runs a task when there is room for it. Rejects with an {@link AppError} `unavailable` when the queue is full. */
export type Semaphore = <Result>(task: () => Promise<Result>) => Promise<Result>;

/**
 * Creates a semaphore: at most `concurrency` tasks run at a time and at most `queueLimit` more wait, first in, first
 * out. `tasks` names them in the error of a full queue.
 */
export function createSemaphore(concurrency: number, queueLimit: number, tasks = "tasks"): Semaphore {
  const queue: (() => void)[] = [];
  let running = 0;
  return async (task) => {
    if (running < concurrency) running += 1;
    else {
      if (queue.length >= queueLimit) throw new AppError("unavailable", `too many ${tasks} are waiting`);
      await new Promise<void>((resolve) => queue.push(resolve));
    }
    try {
      return await task();
    } finally {
      // The slot passes directly to the next task, so that no later one can take it in between.
      const next = queue.shift();
      if (next === undefined) running -= 1;
      else next();
    }
  };
}
