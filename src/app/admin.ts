import type { Config } from "../config/load.ts";
import { layouts } from "../deploy/layouts/index.ts";
import type { Layout } from "../domain/layout.ts";
import type { Store } from "../domain/store.ts";
import type { Target } from "../domain/target.ts";
import { createOperator } from "../flow/operator.ts";
import type { ReplayOutcome } from "../flow/replay.ts";
import { createHostCheck } from "../http/admin/host-check.ts";
import { type About, createAdmin } from "../http/admin/index.ts";
import type { Metrics } from "../http/prometheus.ts";
import { type Listener, openListener } from "../http/server/listen.ts";
import type { Log } from "../lib/log.ts";
import { equalInConstantTime } from "../providers/hmac.ts";
import type { Services } from "./services.ts";

/** Answers a request, where its Host header is the admin listener's own. */
export type HandleAdmin = ReturnType<typeof createAdmin>;

/** What the admin listener is told beside the engine and the configuration. */
export interface AdminParts {
  readonly metrics: Metrics;
  readonly replay: (id: number) => Promise<ReplayOutcome>;
  readonly about: () => About;
  readonly isListening: () => boolean;
  /** Aborted when the server begins to stop. */
  readonly closing: AbortSignal;
}

/** Wires what answers on the admin listener. */
export function wireAdmin(
  { admin, sources, targets }: Config,
  engine: Services,
  parts: AdminParts,
): HandleAdmin {
  const { store, clock, log, locks, worker, broadcast } = engine;
  const { publish } = broadcast;
  const { isListening, ...others } = parts;
  return createAdmin({
    token: admin.token,
    equal: equalInConstantTime,
    log,
    clock,
    sources,
    targets,
    store,
    broadcast,
    releasesOf,
    steering: createOperator({ store, clock, log, targets, locks, worker, publish, releasesOf }),
    canKeep: () => (isListening() ? canWrite(store, clock.now()) : Promise.resolve(false)),
    ...others,
  });
}

function canWrite(store: Store, now: Date): Promise<boolean> {
  return store.probe(now).then(
    () => true,
    () => false,
  );
}

/** The names of the target's complete releases, newest first; null where its layout keeps none, or it has no git step. */
async function releasesOf({ repository, layout, directory }: Target): Promise<readonly string[] | null> {
  const known: Readonly<Record<string, Layout>> = layouts;
  return repository === null ? null : ((await known[layout]?.releasesOf?.(directory)) ?? null);
}

/**
 * Opens the admin listener. On its default port it gives way to whatever is there: that people can look at the
 * server matters less than that deliveries are taken.
 */
export async function openAdmin({ admin }: Config, handle: HandleAdmin, log: Log): Promise<Listener | null> {
  const isOwnHost = createHostCheck(admin.host);
  try {
    return await openListener({
      ...admin,
      maxBody: MOST_ASKED,
      certificate: null,
      handle: (request) => handle(request, isOwnHost),
    });
  } catch (error) {
    if (admin.isConfigured) throw error;
    log.warn({ err: error }, "no admin listener: set [admin] port to a free one");
    return null;
  }
}

/** Bytes of the largest body that the admin listener reads. */
const MOST_ASKED = 64 * 1024;
