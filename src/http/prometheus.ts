import type { RefusalCode } from "../domain/codes.ts";
import { type Deployment, hasEnded } from "../domain/deployment.ts";
import type { FlowServices } from "../flow/services.ts";
import type { MeterServices, Meters } from "./prometheus-meters.ts";

/** What is counted for Prometheus. */
export interface Metrics {
  /** Counts a source's response by its `status` word, and by the code of a refusal. Each comes from a bounded set. */
  count(source: string, status: string, code: RefusalCode | null): void;
  /** All metrics as they are now, in the Prometheus text format. */
  read(): Promise<{ readonly text: string; readonly contentType: string }>;
}

/** Two labels and their sum. */
type Sums = Map<string, Map<string, number>>;

/**
 * Starts to count. The library is loaded when the first deployment ends or somebody reads the metrics, since that takes
 * as long as a tenth of the whole start. Until then, and for every delivery, there is only a sum in memory.
 */
export function createMetrics({
  eventBus,
  ...services
}: Omit<MeterServices, "responses" | "refusals"> & Pick<FlowServices, "eventBus">): Metrics {
  const responses: Sums = new Map();
  const refusals: Sums = new Map();
  let meters: Promise<Meters> | null = null;

  function loadMeters(): Promise<Meters> {
    meters ??= import("./prometheus-meters.ts").then(({ createMeters }) =>
      createMeters({ ...services, responses, refusals }),
    );
    return meters;
  }

  const isConfigured = (target: string) => services.targets().some(({ name }) => name === target);

  async function countEnded(deployment: Deployment): Promise<void> {
    if (!hasEnded(deployment.state) || !isConfigured(deployment.target)) return;
    (await loadMeters()).countEnded(deployment);
  }

  eventBus.subscribe((event) => {
    if (event.kind === "deployment") void countEnded(event.deployment);
  });

  return {
    count(source, status, code) {
      add(responses, source, status);
      if (code !== null) add(refusals, source, code);
    },
    read: async () => (await loadMeters()).read(),
  };
}

function add(sums: Sums, source: string, label: string): void {
  const ofSource = sums.get(source) ?? new Map<string, number>();
  sums.set(source, ofSource.set(label, (ofSource.get(label) ?? 0) + 1));
}
