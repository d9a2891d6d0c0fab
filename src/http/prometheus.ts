import type { RefusalCode } from "../domain/codes.ts";
import { type Deployment, hasEnded } from "../domain/deployment.ts";
import type { FlowServices } from "../flow/services.ts";
import type { MeterServices, Meters, ResponseCount } from "./prometheus-meters.ts";

/** The metrics for Prometheus. */
export interface Metrics {
  /** Counts a source's response by its `status` word, and by the code of a refusal. Each comes from a bounded set. */
  count(source: string, status: string, code: RefusalCode | null): void;
  /** Returns the metrics in the Prometheus text format. */
  read(): Promise<{ readonly text: string; readonly contentType: string }>;
}

/**
 * Creates the metrics. The library takes a tenth of the whole start to load, so it is loaded when the first deployment
 * ends or the metrics are read. Until then, responses are counted in memory.
 */
export function createMetrics({
  eventBus,
  ...services
}: Omit<MeterServices, "responses"> & Pick<FlowServices, "eventBus">): Metrics {
  const responses = new Map<string, ResponseCount & { count: number }>();
  let meters: Promise<Meters> | null = null;

  function loadMeters(): Promise<Meters> {
    meters ??= import("./prometheus-meters.ts").then(({ createMeters }) =>
      createMeters({ ...services, responses: () => responses.values() }),
    );
    return meters;
  }

  async function countEnded(deployment: Deployment): Promise<void> {
    const isConfigured = services.targets().some(({ name }) => name === deployment.target);
    // Each process counts those of its own host, so that the sum over all processes counts each once.
    if (deployment.host !== services.store.host) return;
    if (hasEnded(deployment.state) && isConfigured) (await loadMeters()).countEnded(deployment);
  }

  eventBus.subscribe((event) => {
    if (event.kind === "deployment") void countEnded(event.deployment);
  });

  return {
    count(source, status, code) {
      // Names of sources and codes have no spaces.
      const key = `${source} ${code} ${status}`;
      const counted = responses.get(key);
      if (counted === undefined) responses.set(key, { source, status, code, count: 1 });
      else counted.count += 1;
    },
    read: async () => (await loadMeters()).read(),
  };
}
