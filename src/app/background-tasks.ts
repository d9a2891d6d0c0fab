import type { Config } from "../config/load.ts";
import { readRemoteTip } from "../deploy/git/ls-remote.ts";
import { runProcess } from "../deploy/process/process.ts";
import type { Target } from "../domain/target.ts";
import { catchUp } from "../flow/catch-up.ts";
import { prune } from "../flow/prune.ts";
import { runEvery } from "../lib/interval.ts";
import type { Services } from "./services.ts";

/** Milliseconds between two looks for what is older than its retention. */
const PRUNE_EVERY = 10 * 60_000;

/**
 * What is done beside receiving and deploying, until the signal: looking for missed pushes, keeping published lists
 * fresh, and removing what is old.
 */
export async function runBackgroundTasks(
  { server, store: retention, sources, targets }: Config,
  { store, clock, log, worker, env, broadcast, allowances }: Services,
  signal: AbortSignal,
): Promise<void> {
  const ask = (target: Target) => readRemoteTip(target, { run: runProcess, env }, signal);
  const tools = { store, clock, log, publish: broadcast.publish, wake: worker.wake, askTip: ask };
  const look = () => catchUp(targets, tools, signal);
  let unlocked: Promise<void> = Promise.resolve();
  // While a target is locked nobody asks for its tip, which may have moved when the server was not there to be told.
  const stopListening = broadcast.subscribe((happening) => {
    if (happening.kind !== "lock" || happening.lock !== null) return;
    const named = targets.filter(({ name }) => name === happening.target);
    unlocked = unlocked.then(() => catchUp(named, tools, signal));
  });
  await Promise.all([
    server.catchUpEvery === null ? look() : runEvery(server.catchUpEvery, look, clock, signal),
    allowances.keepFresh(sources, signal),
    runEvery(
      Math.min(PRUNE_EVERY, retention.keepDeliveries, retention.keepDeployments),
      () => prune({ store, clock, log, ...retention }, signal),
      clock,
      signal,
    ),
  ]).finally(stopListening);
  await unlocked;
}
