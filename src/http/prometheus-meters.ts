import { Counter, Gauge, Histogram, Registry } from "prom-client";
import type { Deployment } from "../domain/deployment.ts";
import { hasExpired } from "../domain/lock.ts";
import type { Store } from "../domain/store.ts";
import type { Clock } from "../lib/clock.ts";
import { registerProcessMetrics } from "./process-metrics.ts";

/** Sums by source and one more label. */
type Sums = ReadonlyMap<string, ReadonlyMap<string, number>>;

/** Where the meters read from. */
export interface MeterServices {
  readonly store: Pick<Store, "readStatistics" | "listLocks">;
  readonly clock: Clock;
  /** The targets that are configured now. */
  readonly targets: () => readonly { readonly name: string }[];
  readonly about: () => { readonly version: string; readonly certificateExpiresAt: Date | null };
  /** Responses by source and `status` word. */
  readonly responses: Sums;
  /** Refusals by source and code. */
  readonly refusals: Sums;
}

/** The metrics with their names. */
export interface Meters {
  countEnded(deployment: Deployment): void;
  read(): Promise<{ readonly text: string; readonly contentType: string }>;
}

/** In seconds: deployments take seconds to minutes. */
const DURATION_BUCKETS = [0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800];

/** Creates the meters. What is stored elsewhere is read when the metrics are. */
export function createMeters(services: MeterServices): Meters {
  const registry = new Registry();
  const registers = [registry];
  measureRequests(services, registers);
  const readStore = measureStore(services, registers);
  const readCertificate = measureServer(services, registers);
  registerProcessMetrics(registers);

  const ended = new Counter({
    name: "hooklatch_deployments_total",
    help: "Deployments that have ended since the start, by target, state and, unless they succeeded, code",
    labelNames: ["target", "state", "code"],
    registers,
  });
  const durations = new Histogram({
    name: "hooklatch_deployment_duration_seconds",
    help: "How long deployments ran, by target",
    labelNames: ["target"],
    buckets: DURATION_BUCKETS,
    registers,
  });
  return {
    countEnded({ target, state, code, startedAt, endedAt }) {
      ended.inc(code === null ? { target, state } : { target, state, code });
      if (startedAt === null || endedAt === null) return;
      durations.observe({ target }, (endedAt.getTime() - startedAt.getTime()) / 1000);
    },
    async read() {
      await readStore();
      readCertificate();
      return { text: await registry.metrics(), contentType: registry.contentType };
    },
  };
}

function measureRequests({ responses, refusals }: MeterServices, registers: Registry[]): void {
  new Counter({
    name: "hooklatch_deliveries_total",
    help: "Responses of the public listener since the start, by source and status word",
    labelNames: ["source", "status"],
    registers,
    collect() {
      this.reset();
      for (const [source, sums] of responses) {
        for (const [status, sum] of sums) this.inc({ source, status }, sum);
      }
    },
  });
  new Counter({
    name: "hooklatch_refusals_total",
    help: "Requests that the public listener refused since the start, by source and code",
    labelNames: ["source", "code"],
    registers,
    collect() {
      this.reset();
      for (const [source, sums] of refusals) {
        for (const [code, sum] of sums) this.inc({ source, code }, sum);
      }
    },
  });
}

/** Returns what reads the store's metrics: one query serves several. */
function measureStore({ store, targets, clock }: MeterServices, registers: Registry[]): () => Promise<void> {
  const createGauge = (name: string, help: string) => new Gauge({ name, help, registers });
  const queued = createGauge("hooklatch_deployments_queued", "Deployments that are queued");
  const running = createGauge("hooklatch_deployments_running", "Deployments that run");
  const bytes = createGauge("hooklatch_store_bytes", "The size of the store's files on disk");
  const locked = new Gauge({
    name: "hooklatch_target_locked",
    help: "1 while a lock prevents deliveries from deploying the target",
    labelNames: ["target"],
    registers,
  });
  return async () => {
    const statistics = await store.readStatistics();
    queued.set(statistics.queued);
    running.set(statistics.running);
    bytes.set(statistics.bytes);
    const locks = (await store.listLocks()).filter((lock) => !hasExpired(lock, clock.now()));
    const names = new Set(locks.map(({ target }) => target));
    locked.reset();
    for (const { name } of targets()) locked.set({ target: name }, names.has(name) ? 1 : 0);
  };
}

/** Returns what reads the certificate: the first one may come long after the start, and its metric with it. */
function measureServer({ about }: MeterServices, registers: Registry[]): () => void {
  new Gauge({
    name: "hooklatch_info",
    help: "The running version",
    labelNames: ["version"],
    registers,
  }).set({ version: about().version }, 1);
  let expiry: Gauge | null = null;
  return () => {
    const expiresAt = about().certificateExpiresAt;
    if (expiresAt === null) return;
    expiry ??= new Gauge({
      name: "hooklatch_certificate_expiry_timestamp_seconds",
      help: "When the certificate expires, in Unix time",
      registers,
    });
    expiry.set(expiresAt.getTime() / 1000);
  };
}
