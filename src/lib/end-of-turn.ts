let next: Promise<void> | null = null;

/**
 * Resolves at the end of this turn of the event loop. Work of several requests that is done together, not between their
 * system calls, takes half the time: see "Where the time goes" in docs/reliability.md.
 */
export function endOfTurn(): Promise<void> {
  next ??= new Promise((resolve) => {
    setImmediate(() => {
      next = null;
      resolve();
    });
  });
  return next;
}
