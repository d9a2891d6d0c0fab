import { killOrphans } from "../deploy/process/orphans.ts";
import { runProcess } from "../deploy/process/process.ts";
import { revertInterruptedRun } from "../deploy/revert.ts";
import type { AbandonedRun } from "../domain/deployment.ts";
import { revertInterrupted } from "../flow/recovery.ts";
import type { FlowServices } from "../flow/services.ts";

/** Ends the processes that deployments left running when they were interrupted, and reverts those that had gone live. */
export async function cleanUpAbandoned(
  runs: readonly AbandonedRun[],
  {
    store,
    clock,
    log,
    env,
  }: Pick<FlowServices, "store" | "clock" | "log"> & {
    readonly env: Readonly<Record<string, string | undefined>>;
  },
): Promise<void> {
  try {
    const pids = await killOrphans(runs, clock);
    if (pids.length > 0) log.warn({ pids }, "ended processes of an interrupted deployment");
  } catch (error) {
    log.error({ err: error }, "could not end processes of an interrupted deployment");
  }
  await revertInterrupted(runs, {
    store,
    clock,
    log,
    revert: (run, live, onLine) => revertInterruptedRun(run, live, { clock, env, run: runProcess, onLine }),
  });
}
