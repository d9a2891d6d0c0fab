import type { Clock } from "../domain/clock.ts";
import type { AbandonedRun, DeploymentStore } from "../domain/deployment.ts";
import type { Log } from "../domain/log.ts";

/** What restoring works with. */
export interface RestoreTools {
  readonly store: Pick<DeploymentStore, "readStanding" | "appendOutput">;
  readonly clock: Clock;
  readonly log: Log;
  /**
   * Takes back what a run had made live and puts the `live` commit back. Resolves with what people should know of that,
   * or null where there was nothing to take back.
   */
  readonly restore: (
    run: AbandonedRun,
    live: string | null,
    onLine: (line: string) => void,
  ) => Promise<string | null>;
}

/**
 * After a crash makes live again what the store says is live. A target whose next deployment may begin at once is left
 * alone: that one takes the place of the unproven files, or, where it fails, puts back what was live before them.
 */
export async function restoreAbandoned(runs: readonly AbandonedRun[], tools: RestoreTools): Promise<void> {
  for (const run of runs) await restoreOne(run, tools);
}

async function restoreOne(run: AbandonedRun, { store, clock, log, restore }: RestoreTools): Promise<void> {
  const fields = { deployment: run.deployment, target: run.target.name };
  try {
    const { queued, lock, live } = await store.readStanding(run.target.name, clock.now());
    if (queued !== null && lock === null) return;
    const lines: string[] = [];
    const told = await restore(run, live?.commit ?? null, (line) => lines.push(line));
    if (told === null) return;
    log.warn({ ...fields, outcome: told }, "took back what an interrupted deployment had made live");
    await store.appendOutput(run.deployment, lines);
  } catch (error) {
    log.error({ ...fields, err: error }, "could not take back what an interrupted deployment had made live");
  }
}
