import { Counter, Gauge, Histogram, Registry } from "prom-client";
import { type Deployment, hasEnded } from "../domain/deployment.ts";
import { hasExpired } from "../domain/lock.ts";
import type { Store } from "../domain/store.ts";
import type { EventBus } from "../flow/event-bus.ts";
import type { Clock } from "../lib/clock.ts";
import { registerProcessMetrics } from "./process-metrics.ts";

/** What is counted for Prometheus. */
export interface Metrics {
  /** Counts an answer of a source by its `status` word. Both come from a bounded set. */
  count(source: string, status: string): void;
  /** All figures as they are now, in the Prometheus text format. */
  read(): Promise<{ readonly text: string; readonly contentType: string }>;
}

/** What the metrics are taken from. */
export interface MetricsTools extends Omit<MeterTools, "answers"> {
  readonly broadcast: Pick<EventBus, "subscribe">;
}

/**
 * Starts to count. The library is loaded when the first deployment ends or somebody asks, since that takes as long
 * as a tenth of the whole start; until then, and on the way of every delivery, a sum in memory is all there is.
 */
export function createMetrics({ broadcast, ...tools }: MetricsTools): Metrics {
  const answers = new Map<string, Map<string, number>>();
  let meters: Promise<Meters> | null = null;

  function loadMeters(): Promise<Meters> {
    meters ??= import("./prometheus.ts").then(({ createMeters }) => createMeters({ ...tools, answers }));
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

/** What the figures are read from. */
export interface MeterTools {
  readonly store: Pick<Store, "readStatistics" | "listLocks">;
  readonly clock: Clock;
  /** The targets that are configured now. */
  readonly targets: () => readonly { readonly name: string }[];
  readonly about: () => { readonly version: string; readonly certificateExpiresAt: Date | null };
  /** How often each source gave each answer. */
  readonly answers: ReadonlyMap<string, ReadonlyMap<string, number>>;
}

/** The figures with their names. */
export interface Meters {
  noteEnd(deployment: Deployment): void;
  read(): Promise<{ readonly text: string; readonly contentType: string }>;
}

/** Deployments take seconds to minutes. */
const DURATION_BUCKETS = [0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800];

/** Makes the meters. What is kept elsewhere is read when somebody asks. */
export function createMeters(tools: MeterTools): Meters {
  const registry = new Registry();
  const registers = [registry];
  measureAnswers(tools.answers, registers);
  const readStore = measureStore(tools, registers);
  const noteCertificate = measureServer(tools, registers);
  registerProcessMetrics(registers);

  const ended = new Counter({
    name: "hooklatch_deployments_total",
    help: "Deployments that have ended since the start, by target and state",
    labelNames: ["target", "state"],
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
    noteEnd({ target, state, startedAt, endedAt }) {
      ended.inc({ target, state });
      if (startedAt === null || endedAt === null) return;
      durations.observe({ target }, (endedAt.getTime() - startedAt.getTime()) / 1000);
    },
    async read() {
      await readStore();
      noteCertificate();
      return { text: await registry.metrics(), contentType: registry.contentType };
    },
  };
}

function measureAnswers(answers: MeterTools["answers"], registers: Registry[]): void {
  new Counter({
    name: "hooklatch_deliveries_total",
    help: "Answers on the public listener since the start, by source and status word",
    labelNames: ["source", "status"],
    registers,
    collect() {
      this.reset();
      for (const [source, sums] of answers) {
        for (const [status, sum] of sums) this.inc({ source, status }, sum);
      }
    },
  });
}

/** Gives what reads the figures anew: several come from one question to the store. */
function measureStore({ store, targets, clock }: MeterTools, registers: Registry[]): () => Promise<void> {
  const gauge = (name: string, help: string) => new Gauge({ name, help, registers });
  const queued = gauge("hooklatch_deployments_queued", "Deployments that wait");
  const running = gauge("hooklatch_deployments_running", "Deployments that run");
  const bytes = gauge("hooklatch_store_bytes", "What the store's files take on disk");
  const locked = new Gauge({
    name: "hooklatch_target_locked",
    help: "1 while a person's lock keeps deliveries from deploying the target",
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

/** Gives what notes the certificate: the first one may come long after the start, and its figure with it. */
function measureServer({ about }: MeterTools, registers: Registry[]): () => void {
  new Gauge({
    name: "hooklatch_info",
    help: "Which version runs",
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
