/**
 * Loaded into the executable before its own code (`BUN_OPTIONS=--preload`): ends its threads on SIGUSR2, as an error of
 * theirs would.
 */
const threads: Worker[] = [];
const Original = globalThis.Worker;

globalThis.Worker = class extends Original {
  constructor(...args: ConstructorParameters<typeof Original>) {
    super(...args);
    threads.push(this);
  }
};

process.on("SIGUSR2", () => {
  for (const thread of threads) thread.terminate();
});
