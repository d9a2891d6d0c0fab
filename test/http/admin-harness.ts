import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Source } from "../../src/domain/source.ts";
import type { Store } from "../../src/domain/store.ts";
import type { Target } from "../../src/domain/target.ts";
import { createAttemptLimiter } from "../../src/flow/attempt-limiter.ts";
import { createEventBus, type EventBus } from "../../src/flow/event-bus.ts";
import { createLocks } from "../../src/flow/locks.ts";
import { createOperator } from "../../src/flow/operator.ts";
import { createRefusals, type Refusals } from "../../src/flow/refusals.ts";
import type { ReplayOutcome } from "../../src/flow/replay.ts";
import { type AdminServices, createAdmin } from "../../src/http/admin/index.ts";
import { createMetrics, type Metrics } from "../../src/http/prometheus.ts";
import { github } from "../../src/providers/github/index.ts";
import { equalInConstantTime } from "../../src/providers/hmac.ts";
import { stores } from "../../src/store/index.ts";
import { TestClock } from "../support/clock.ts";
import { logInto, secretOf } from "../support/public.ts";
import { targetOf } from "../support/target.ts";

export const TOKEN = "an-admin-token-of-the-tests";
export const HOST = "127.0.0.1:9001";
export const RELEASES = ["20261121T203000Z-bbbbbbbbbbbb", "20261121T202900Z-aaaaaaaaaaaa"];

/** The parts of a request that differ from the default: no body, a valid token and a valid Host. */
export interface RequestParts {
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
  readonly signal?: AbortSignal;
  /** The client's address; not known by default. */
  readonly peer?: string | null;
}

export interface AdminHarness {
  readonly store: Store;
  readonly eventBus: EventBus;
  readonly metrics: Metrics;
  readonly refusals: Refusals;
  readonly log: string[];
  /** The ids of the deliveries that were replayed. */
  readonly replayed: number[];
  readonly clock: TestClock;
  /** Starts the shutdown of the server. */
  stop(): void;
  request(method: string, path: string, parts?: RequestParts): Promise<Response>;
  /** Sends the request without changes. */
  send(request: Request, peer?: string | null): Promise<Response>;
  /** Returns the first 500 deployments, deliveries and clients of the store, and all locks. */
  readStore(): Promise<unknown>;
  close(): Promise<void>;
}

/** The source of the server. */
export const SOURCE: Source = {
  name: "github",
  provider: "github",
  path: "/github-webhook",
  handler: github.createHandler({ secrets: [secretOf("a secret that no response contains")] }),
  print: false,
  keepHeaders: [],
  answer: { kind: "receipt" },
  onRedelivery: "run",
  allow: null,
};

/** Opens the admin listener with a real store in a temporary directory and without a port. */
export async function openAdmin(own: Partial<AdminServices> = {}): Promise<AdminHarness> {
  const directory = await mkdtemp(join(tmpdir(), "hooklatch-test-"));
  const store = await stores.sqlite(directory);
  const log: string[] = [];
  const replayed: number[] = [];
  const closing = new AbortController();
  const clock = new TestClock({ start: "2026-11-21T20:30:00Z" });
  const eventBus = createEventBus(clock);
  const targets: readonly Target[] = [
    targetOf("blog"),
    targetOf("docs", { repository: null, layout: "worktree" }),
  ];
  const releasesOf = async ({ layout }: Target) => (layout === "releases" ? RELEASES : null);
  const services = { store, clock, log: logInto(log), eventBus, publish: eventBus.publish };
  const worker = { wake() {}, cancel: () => false };
  const about = () => ({
    version: "1.2.3",
    startedAt: new Date("2026-11-21T20:00:00Z"),
    draining: closing.signal.aborted,
    publicUrl: "https://hooks.example.com",
    certificateExpiresAt: new Date("2027-01-01T00:00:00Z"),
  });
  const refusals = createRefusals({ clock, logThrottled: () => {} });
  const metrics = createMetrics({ ...services, targets: () => targets, about });
  const admin = createAdmin({
    ...services,
    targets,
    token: secretOf(TOKEN),
    hosts: ["hooklatch.internal"],
    reload: async () => ({ kind: "not ready" }),
    dashboard: true,
    adminAttempts: createAttemptLimiter(clock),
    readDisks: async () => [{ path: "/var/lib/hooklatch", free: 8_000_000_000, total: 20_000_000_000 }],
    equal: equalInConstantTime,
    sources: [SOURCE],
    operator: createOperator({
      ...services,
      targets: () => targets,
      locks: createLocks({ ...services, targets: () => targets, wakeWorker() {} }),
      worker,
      releasesOf,
    }),
    replay: async (id): Promise<ReplayOutcome> => {
      replayed.push(id);
      if (id !== 1) return { kind: "unknown delivery" };
      const request = { target: "blog", trigger: "replay", commit: null, choice: null } as const;
      const { deployment, superseded } = await store.queueDeployment(request, clock.now());
      const receipt = { delivery: 7, deployments: [deployment], superseded, redeliveryOf: null };
      return { kind: "stored", status: "ok", reason: null, receipt };
    },
    releasesOf,
    refusals,
    canAccept: async () => true,
    metrics,
    about,
    closing: closing.signal,
    ...own,
  });
  return {
    store,
    eventBus,
    metrics,
    refusals,
    log,
    replayed,
    clock,
    stop: () => closing.abort(),
    request(method, path, { body, headers = {}, signal, peer = null } = {}) {
      const own: Record<string, string> = { host: HOST, authorization: `Bearer ${TOKEN}`, ...headers };
      if (body !== undefined && own["content-type"] === undefined) own["content-type"] = "application/json";
      const text = typeof body === "string" ? body : JSON.stringify(body);
      const init = { method, headers: own, ...(body === undefined ? {} : { body: text }) };
      return admin(
        new Request(`http://${HOST}${path}`, { ...init, ...(signal && { signal }) }),
        "127.0.0.1",
        peer,
      );
    },
    send: (request, peer = null) => admin(request, "127.0.0.1", peer),
    async readStore() {
      const range = { limit: 500, before: null };
      return [
        await store.listDeployments({ target: null, state: null, source: null }, range),
        await store.listDeliveries({ source: null, status: null, target: null }, range),
        await store.listClients(null, range),
        await store.listLocks(),
      ];
    },
    async close() {
      closing.abort();
      await store.close();
      await rm(directory, { recursive: true });
    },
  };
}
