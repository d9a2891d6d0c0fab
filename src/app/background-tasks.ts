import type { Config } from "../config/load.ts";
import { readRemoteTip } from "../deploy/git/ls-remote.ts";
import { runProcess } from "../deploy/process/process.ts";
import { isDeployedOn, type Target } from "../domain/target.ts";
import { catchUp } from "../flow/catch-up.ts";
import { prune } from "../flow/prune.ts";
import { runEvery } from "../lib/clock.ts";
import type { Services } from "./services.ts";

/** Milliseconds between two searches for rows older than the retention. */
const PRUNE_EVERY = 10 * 60_000;

/**
 * Runs the periodic tasks until the signal is aborted: catching up with missed pushes, refreshing published address
 * ranges, and removing old rows.
 */
export async function runBackgroundTasks(
  { server, store: retention, sources, targets }: Config,
  services: Services,
  signal: AbortSignal,
): Promise<void> {
  const { clock, env, eventBus, ipAllowlist } = services;
  const readTip = (target: Target) => readRemoteTip(target, { run: runProcess, env }, signal);
  const catchUpWith = (some: readonly Target[]) => catchUp(some, { ...services, readTip }, signal);
  const own = targets.filter((target) => isDeployedOn(target, services.store.host));
  const catchUpAll = () => catchUpWith(own);
  // The tip of a locked target is not read. It may have moved since the server last listened.
  let unlocked: Promise<void> = Promise.resolve();
  const unsubscribe = eventBus.subscribe((event) => {
    if (event.kind !== "lock" || event.lock !== null) return;
    const named = own.filter(({ name }) => name === event.target);
    unlocked = unlocked.then(() => catchUpWith(named));
  });
  const pruneEvery = Math.min(PRUNE_EVERY, retention.keepDeliveries, retention.keepDeployments);
  await Promise.all([
    server.catchUpEvery === null ? catchUpAll() : runEvery(server.catchUpEvery, catchUpAll, clock, signal),
    ipAllowlist.keepFresh(sources, signal),
    runEvery(pruneEvery, () => prune(retention, services, signal), clock, signal),
  ]).finally(unsubscribe);
  await unlocked;
}
