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

/** Everything that is made from one configuration. Another takes its place when the configuration is read again. */
export interface PreparedConfiguration {
  readonly config: Config;
  readonly messengers: readonly NotificationChannel[];
}

/** A setup that answers. */
export interface Configured extends PreparedConfiguration {
  readonly listener: PublicListener;
  readonly handleAdmin: HandleAdmin;
}

/** What does not change with the configuration. */
export interface Constants {
  readonly engine: Services;
  readonly metrics: Metrics;
  readonly startedAt: Date;
  readonly certificateExpiresAt: () => Date | null;
  /** Whether the public listener is open: not before there is a certificate. */
  readonly isListening: () => boolean;
  /** Aborted when the server begins to stop. */
  readonly closing: AbortSignal;
}

/** The part of a setup that the engine asks for; `ended` is aborted when nothing is told any more. */
export function prepareConfigured(config: Config, ended: AbortSignal): PreparedConfiguration {
  const options = { publicUrl: config.server.publicUrl, signal: ended };
  return { config, messengers: createNotificationChannels(config.notify, config.targets, options) };
}

/** Begins to count, for whichever targets are configured when somebody asks. */
export function wireMetrics(
  setup: () => PreparedConfiguration,
  engine: Services,
  certificateExpiresAt: Constants["certificateExpiresAt"],
): Metrics {
  const about = () => ({ version, certificateExpiresAt: certificateExpiresAt() });
  return createMetrics({ ...engine, targets: () => setup().config.targets, about });
}

/** Wires what answers on both listeners. */
export function createConfigured(setup: PreparedConfiguration, constants: Constants): Configured {
  const { config } = setup;
  const { engine, metrics, startedAt, certificateExpiresAt, isListening, closing } = constants;
  const { listener, replay } = createPublicListener(config, engine, metrics);
  const about = () => ({
    version,
    startedAt,
    draining: closing.aborted,
    publicUrl: config.server.publicUrl,
    certificateExpiresAt: certificateExpiresAt(),
  });
  return {
    ...setup,
    listener,
    handleAdmin: wireAdmin(config, engine, { metrics, replay, about, isListening, closing }),
  };
}

/** Wires what answers on the public listener, and what runs a kept delivery again as it would. */
export function createPublicListener(
  { sources, targets, server }: Config,
  engine: Services,
  metrics: Metrics,
) {
  const { store, clock, log, print, worker, locks, broadcast, guesses, allowances } = engine;
  const targetsBySource = Map.groupBy(targets, (target) => target.source);
  const targetsOf = (source: { readonly name: string }) => targetsBySource.get(source.name) ?? [];
  const decide = createRouter({ targetsOf, locks, clock });
  const complain = createThrottledLog(log, clock);
  const { publish } = broadcast;
  const tools = { store, clock, log, complain, decide, guesses, print, publish, wake: worker.wake };
  return {
    listener: createPublic({
      sources,
      maxBody: server.maxBody,
      unverified: createBodyBudget(server.maxUnverified, collectGarbage),
      trustedProxies: server.trustedProxies.map(parseTrustedProxy),
      isAllowed: allowances.isAllowed,
      complain,
      complainOfFault: createThrottledLog(log, clock, "error"),
      receive: (source, request) => receive(source, request, tools),
      authorise: (source, handshake, request) => authorise(source, handshake, request, tools),
      count: metrics.count,
      log,
    }),
    replay: (id: number) => replay(id, sources, tools),
  };
}

/** Takes up what the last run left, before anything is claimed or decided. */
export async function applyConfiguration(
  { config, messengers }: PreparedConfiguration,
  { store, clock, log, broadcast, locks, allowances }: Services,
): Promise<readonly AbandonedRun[]> {
  // What a killed run left there, payloads of deployments, is of no use any more.
  rmSync(temporaryOf(config), { recursive: true, force: true });
  mkdirSync(temporaryOf(config), { mode: 0o700 });
  const { publish } = broadcast;
  const tools = { store, clock, log, publish, subscribers: messengers };
  const abandoned = await recoverQueue(config.targets, tools);
  await locks.load();
  await allowances.load();
  return abandoned;
}
