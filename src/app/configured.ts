import { mkdirSync, rmSync } from "node:fs";
import { version } from "../../package.json";
import type { Config } from "../config/load.ts";
import type { AbandonedRun } from "../domain/deployment.ts";
import type { NotificationChannel } from "../domain/notification.ts";
import { authorise } from "../flow/authorise.ts";
import { receive } from "../flow/receive.ts";
import { recoverQueue } from "../flow/recovery.ts";
import { replay } from "../flow/replay.ts";
import { createRouter } from "../flow/route-delivery.ts";
import { createBodyBudget } from "../http/body-budget.ts";
import { createMetrics, type Metrics } from "../http/prometheus.ts";
import { createPublic, type PublicListener } from "../http/public.ts";
import { parseTrustedProxy } from "../lib/ip-address.ts";
import { createThrottledLog } from "../lib/throttled-log.ts";
import { createNotificationChannels } from "../notify/index.ts";
import { collectGarbage } from "../runtime/index.ts";
import { type HandleAdmin, wireAdmin } from "./admin.ts";
import { type Services, temporaryOf } from "./services.ts";

/** What is created from one configuration and read by the services. A reload replaces it. */
export interface PreparedConfiguration {
  readonly config: Config;
  readonly channels: readonly NotificationChannel[];
}

/** Everything that is created from one configuration. */
export interface Configured extends PreparedConfiguration {
  readonly listener: PublicListener;
  readonly handleAdmin: HandleAdmin;
}

/** What does not change with the configuration. */
export interface Constants {
  readonly services: Services;
  readonly metrics: Metrics;
  readonly startedAt: Date;
  readonly certificateExpiresAt: () => Date | null;
  /** Whether the public listener is open: not before there is a certificate. */
  readonly isListening: () => boolean;
  /** Aborted when the server begins to stop. */
  readonly closing: AbortSignal;
}

/** Prepares a configuration for the services. `ended` is aborted when no notification is sent any more. */
export function prepareConfigured(config: Config, ended: AbortSignal): PreparedConfiguration {
  const options = { publicUrl: config.server.publicUrl, signal: ended };
  return { config, channels: createNotificationChannels(config.notify, config.targets, options) };
}

/** Starts to count, for the targets that are configured when the metrics are read. */
export function wireMetrics(
  configured: () => PreparedConfiguration,
  services: Services,
  certificateExpiresAt: Constants["certificateExpiresAt"],
): Metrics {
  const about = () => ({ version, certificateExpiresAt: certificateExpiresAt() });
  return createMetrics({ ...services, targets: () => configured().config.targets, about });
}

/** Wires what responds on both listeners. */
export function createConfigured(prepared: PreparedConfiguration, constants: Constants): Configured {
  const { config } = prepared;
  const { services, metrics, startedAt, certificateExpiresAt, isListening, closing } = constants;
  const { listener, replay } = createPublicListener(config, services, metrics);
  const about = () => ({
    version,
    startedAt,
    draining: closing.aborted,
    publicUrl: config.server.publicUrl,
    certificateExpiresAt: certificateExpiresAt(),
  });
  return {
    ...prepared,
    listener,
    handleAdmin: wireAdmin(config, services, { metrics, replay, about, isListening, closing }),
  };
}

/** Wires what responds on the public listener, and what replays a stored delivery as if it came there. */
export function createPublicListener(
  { sources, targets, server }: Config,
  services: Services,
  metrics: Metrics,
) {
  const { store, clock, log, print, worker, locks, eventBus, attemptLimiter, ipAllowlist } = services;
  const targetsBySource = Map.groupBy(targets, (target) => target.source);
  const targetsOf = (source: { readonly name: string }) => targetsBySource.get(source.name) ?? [];
  const logThrottled = createThrottledLog(log, clock);
  const flowServices = {
    store,
    clock,
    log,
    logThrottled,
    attemptLimiter,
    print,
    publish: eventBus.publish,
    wakeWorker: worker.wake,
    routeDelivery: createRouter({ targetsOf, locks, clock }),
  };
  return {
    listener: createPublic({
      sources,
      maxBody: server.maxBody,
      bodyBudget: createBodyBudget(server.maxUnverified, collectGarbage),
      trustedProxies: server.trustedProxies.map(parseTrustedProxy),
      isAllowed: ipAllowlist.isAllowed,
      log,
      logThrottled,
      logErrorThrottled: createThrottledLog(log, clock, "error"),
      receive: (source, request) => receive(source, request, flowServices),
      authorise: (source, handshake, request) => authorise(source, handshake, request, flowServices),
      count: metrics.count,
    }),
    replay: (id: number) => replay(id, sources, flowServices),
  };
}

/** Recovers what the last run left, before anything is claimed or routed. */
export async function applyConfiguration(
  { config, channels }: PreparedConfiguration,
  { store, clock, log, eventBus, locks, ipAllowlist }: Services,
): Promise<readonly AbandonedRun[]> {
  // The payload files of a killed run are of no use any more.
  rmSync(temporaryOf(config), { recursive: true, force: true });
  mkdirSync(temporaryOf(config), { mode: 0o700 });
  const services = { store, clock, log, publish: eventBus.publish };
  const abandoned = await recoverQueue(config.targets, channels, services);
  await locks.load();
  await ipAllowlist.load();
  return abandoned;
}
