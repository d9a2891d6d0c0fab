import { readdir, readFile } from "node:fs/promises";
import { Counter, Gauge, Histogram, Registry } from "prom-client";
import type { RefusalCode } from "../domain/codes.ts";
import type { Deployment } from "../domain/deployment.ts";
import { hasExpired } from "../domain/lock.ts";
import type { Store } from "../domain/store.ts";
import type { Clock } from "../lib/clock.ts";

/** The number of responses of a source with the same `status` word and code. */
export interface ResponseCount {
  readonly source: string;
  readonly status: string;
  readonly code: RefusalCode | null;
  readonly count: number;
}

/** The services that the metrics read from. */
export interface MeterServices {
  readonly store: Pick<Store, "readStatistics" | "listLocks" | "host" | "fleet">;
  readonly clock: Clock;
  /** The targets of the current configuration. */
  readonly targets: () => readonly { readonly name: string }[];
  readonly about: () => { readonly version: string; readonly certificateExpiresAt: Date | null };
  readonly responses: () => Iterable<ResponseCount>;
}

/** The library's metrics. */
export interface Meters {
  countEnded(deployment: Deployment): void;
  read(): Promise<{ readonly text: string; readonly contentType: string }>;
}

/** In seconds. Deployments take seconds to minutes. */
const DURATION_BUCKETS = [0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800];

/** Creates the metrics. Figures that are stored elsewhere are read when the metrics are read. */
export function createMeters(services: MeterServices): Meters {
  const registry = new Registry();
  const registers = [registry];
  measureRequests(services, registers);
  const readStore = measureStore(services, registers);
  const readCertificate = measureServer(services, registers);
  measureProcess(registers);

  // The name of the only host is of no use.
  const host: { host?: string } = services.store.fleet === null ? {} : { host: services.store.host };
  const hostLabel = Object.keys(host);
  const ended = new Counter({
    name: "hooklatch_deployments_total",
    help: "Deployments that ended since the start, by target, state and, unless they succeeded, code",
    labelNames: ["target", "state", "code", ...hostLabel],
    registers,
  });
  const durations = new Histogram({
    name: "hooklatch_deployment_duration_seconds",
    help: "Duration of deployments, by target",
    labelNames: ["target", ...hostLabel],
    buckets: DURATION_BUCKETS,
    registers,
  });
  return {
    countEnded({ target, state, code, startedAt, endedAt }) {
      ended.inc({ target, state, ...(code !== null && { code }), ...host });
      if (startedAt === null || endedAt === null) return;
      durations.observe({ target, ...host }, (endedAt.getTime() - startedAt.getTime()) / 1000);
    },
    async read() {
      await readStore();
      readCertificate();
      return { text: await registry.metrics(), contentType: registry.contentType };
    },
  };
}

function measureRequests({ responses }: MeterServices, registers: Registry[]): void {
  new Counter({
    name: "hooklatch_deliveries_total",
    help: "Responses of the public listener since the start, by source and status word",
    labelNames: ["source", "status"],
    registers,
    collect() {
      this.reset();
      for (const { source, status, count } of responses()) this.inc({ source, status }, count);
    },
  });
  new Counter({
    name: "hooklatch_refusals_total",
    help: "Requests that the public listener refused since the start, by source and code",
    labelNames: ["source", "code"],
    registers,
    collect() {
      this.reset();
      for (const { source, code, count } of responses()) if (code !== null) this.inc({ source, code }, count);
    },
  });
}

/** Returns a function that reads the store for all of its metrics at once. */
function measureStore({ store, targets, clock }: MeterServices, registers: Registry[]): () => Promise<void> {
  const createGauge = (name: string, help: string) => new Gauge({ name, help, registers });
  const queued = createGauge("hooklatch_deployments_queued", "Queued deployments");
  const running = createGauge("hooklatch_deployments_running", "Running deployments");
  const bytes = createGauge("hooklatch_store_bytes", "Size of the database files");
  const locked = new Gauge({
    name: "hooklatch_target_locked",
    help: "1 while the target is locked",
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

/** Returns a function that reads the certificate. Its metric is created once there is a certificate. */
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
      help: "Expiry of the certificate, in Unix time",
      registers,
    });
    expiry.set(expiresAt.getTime() / 1000);
  };
}

/**
 * Measures the process under the names that Prometheus's client libraries share. prom-client's own default metrics also
 * measure the event loop and the garbage collector, which this runtime does not report.
 */
function measureProcess(registers: Registry[]): void {
  new Counter({
    name: "process_cpu_seconds_total",
    help: "Processor time, in seconds",
    registers,
    collect() {
      const { user, system } = process.cpuUsage();
      this.reset();
      this.inc((user + system) / 1e6);
    },
  });
  const createGauge = (name: string, help: string, read: () => number | Promise<number>) =>
    new Gauge({
      name,
      help,
      registers,
      async collect() {
        this.set(await read());
      },
    });
  const startedAt = Math.round(Date.now() / 1000 - process.uptime());
  createGauge("process_start_time_seconds", "Start of the process, in Unix time", () => startedAt);
  createGauge("process_resident_memory_bytes", "Resident memory", () => process.memoryUsage.rss());
  // /proc exists only on Linux.
  if (process.platform !== "linux") return;
  createGauge(
    "process_open_fds",
    "Open files and sockets",
    async () => (await readdir("/proc/self/fd")).length,
  );
  createGauge("process_max_fds", "Limit of open files and sockets", async () => {
    const limits = await readFile("/proc/self/limits", "utf8");
    return Number(/^Max open files +(\d+)/m.exec(limits)?.[1] ?? Number.POSITIVE_INFINITY);
  });
}
