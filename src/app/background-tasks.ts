import type { Config } from "../config/load.ts";
import { readRemoteTip } from "../deploy/git/ls-remote.ts";
import { runProcess } from "../deploy/process/process.ts";
import type { Target } from "../domain/target.ts";
import { catchUp } from "../flow/catch-up.ts";
import { prune } from "../flow/prune.ts";
import { runEvery } from "../lib/interval.ts";
import type { Services } from "./services.ts";

/** Milliseconds between two searches for rows older than the retention. */
const PRUNE_EVERY = 10 * 60_000;

/**
 * Runs, until the signal is aborted, what the server does besides receiving and deploying: catching up with missed
 * pushes, refreshing published address ranges, and removing old rows.
 */
export async function runBackgroundTasks(
  { server, store: retention, sources, targets }: Config,
  { store, clock, log, worker, env, eventBus, ipAllowlist }: Services,
  signal: AbortSignal,
): Promise<void> {
  const readTip = (target: Target) => readRemoteTip(target, { run: runProcess, env }, signal);
  const services = { store, clock, log, publish: eventBus.publish, wakeWorker: worker.wake, readTip };
  const catchUpAll = () => catchUp(targets, services, signal);
  let unlocked: Promise<void> = Promise.resolve();
  // While a target is locked, its tip is not read. It may have moved while the server did not listen.
  const unsubscribe = eventBus.subscribe((event) => {
    if (event.kind !== "lock" || event.lock !== null) return;
    const named = targets.filter(({ name }) => name === event.target);
    unlocked = unlocked.then(() => catchUp(named, services, signal));
  });
  await Promise.all([
    server.catchUpEvery === null ? catchUpAll() : runEvery(server.catchUpEvery, catchUpAll, clock, signal),
    ipAllowlist.keepFresh(sources, signal),
    runEvery(
      Math.min(PRUNE_EVERY, retention.keepDeliveries, retention.keepDeployments),
      () => prune(retention, services, signal),
      clock,
      signal,
    ),
  ]).finally(unsubscribe);
  await unlocked;
}
