import type { FlowServices } from "./services.ts";

/** How long rows are stored, in milliseconds. */
export interface RetentionSettings {
  readonly keepDeliveries: number;
  readonly keepDeployments: number;
}

/** Rows that are removed at once: that takes about as long as a few accepts. */
const BATCH = 200;

/** Milliseconds between two batches, in which accepts do not have to wait for the store. */
const PAUSE = 50;

/** Removes what is older than the configuration says, in batches, until `signal` is aborted. */
export async function prune(
  { keepDeliveries, keepDeployments }: RetentionSettings,
  { store, clock, log }: Pick<FlowServices, "store" | "clock" | "log">,
  signal: AbortSignal,
): Promise<void> {
  const now = clock.now().getTime();
  const retention = {
    deliveriesBefore: new Date(now - keepDeliveries),
    deploymentsBefore: new Date(now - keepDeployments),
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
    log.warn({ err: error }, "could not remove old rows; trying again later");
  }
  if (removed > 0) log.info({ rows: removed }, "removed rows older than the retention");
}
