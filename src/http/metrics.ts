import { type Deployment, hasEnded } from "../domain/deployment.ts";
import type { Broadcast } from "../flow/broadcast.ts";
import type { Meters, MeterTools } from "./meters.ts";

/** What is counted for Prometheus. */
export interface Metrics {
  /** Counts an answer of a source by its `status` word. Both come from a bounded set. */
  count(source: string, status: string): void;
  /** All figures as they are now, in the Prometheus text format. */
  read(): Promise<{ readonly text: string; readonly contentType: string }>;
}

/** What the metrics are taken from. */
export interface MetricsTools extends Omit<MeterTools, "answers"> {
  readonly broadcast: Pick<Broadcast, "subscribe">;
}

/**
 * Starts to count. The library is loaded when the first deployment ends or somebody asks, since that takes as long
 * as a tenth of the whole start; until then, and on the way of every delivery, a sum in memory is all there is.
 */
export function createMetrics({ broadcast, ...tools }: MetricsTools): Metrics {
  const answers = new Map<string, Map<string, number>>();
  let meters: Promise<Meters> | null = null;

  function loadMeters(): Promise<Meters> {
    meters ??= import("./meters.ts").then(({ createMeters }) => createMeters({ ...tools, answers }));
    return meters;
  }

  const isKnown = (target: string) => tools.targets().some(({ name }) => name === target);

  async function noteEnd(deployment: Deployment): Promise<void> {
    if (!hasEnded(deployment.state) || !isKnown(deployment.target)) return;
    (await loadMeters()).noteEnd(deployment);
  }

  broadcast.subscribe((happening) => {
    if (happening.kind === "deployment") void noteEnd(happening.deployment);
  });

  return {
    count(source, status) {
      const sums = answers.get(source) ?? new Map<string, number>();
      answers.set(source, sums.set(status, (sums.get(status) ?? 0) + 1));
    },
    read: async () => (await loadMeters()).read(),
  };
}
