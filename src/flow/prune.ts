import type { DeploymentStore } from "../domain/deployment.ts";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";

/** What pruning works with. */
export interface PruneTools {
  readonly store: DeploymentStore;
  readonly clock: Clock;
  readonly log: Log;
  /** Milliseconds. */
  readonly keepDeliveries: number;
  readonly keepDeployments: number;
}

/** Rows that go in one act: it takes about as long as a few accepts. */
const BATCH = 200;

/** Milliseconds between two batches, in which accepts have the store for themselves. */
const PAUSE = 50;

/** Removes what is older than the configuration says, a little at a time, until `signal` ends it. */
export async function prune({ store, clock, log, ...keep }: PruneTools, signal: AbortSignal): Promise<void> {
  const now = clock.now().getTime();
  const retention = {
    deliveriesBefore: new Date(now - keep.keepDeliveries),
    deploymentsBefore: new Date(now - keep.keepDeployments),
    limit: BATCH,
  };
  let removed = 0;
  try {
    while (!signal.aborted) {
      const rows = await store.prune(retention);
      if (rows === 0) break;
      removed += rows;
      await clock.sleep(PAUSE, signal);
    }
  } catch (error) {
    log.warn({ err: error }, "could not remove what is older than its retention; trying again later");
  }
  if (removed > 0) log.info({ rows: removed }, "removed what is older than its retention");
}
