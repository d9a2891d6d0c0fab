import { version } from "../../package.json" with { type: "json" };
import type { Config } from "../config/load.ts";
import type { Messenger } from "../domain/messenger.ts";
import { createMetrics, type Metrics } from "../http/metrics.ts";
import type { PublicListener } from "../http/public.ts";
import { createMessengers } from "../notify/index.ts";
import { type HandleAdmin, wireAdmin } from "./admin.ts";
import type { Engine } from "./engine.ts";
import { wirePublic } from "./public.ts";

/** Everything that is made from one configuration. Another takes its place when the configuration is read again. */
export interface Setup {
  readonly config: Config;
  readonly messengers: readonly Messenger[];
}

/** A setup that answers. */
export interface WiredSetup extends Setup {
  readonly listener: PublicListener;
  readonly handleAdmin: HandleAdmin;
}

/** What does not change with the configuration. */
export interface Constants {
  readonly engine: Engine;
  readonly metrics: Metrics;
  readonly startedAt: Date;
  readonly certificateExpiresAt: () => Date | null;
  /** Whether the public listener is open: not before there is a certificate. */
  readonly isListening: () => boolean;
  /** Aborted when the server begins to stop. */
  readonly closing: AbortSignal;
}

/** The part of a setup that the engine asks for; `ended` is aborted when nothing is told any more. */
export function prepareSetup(config: Config, ended: AbortSignal): Setup {
  const options = { publicUrl: config.server.publicUrl, signal: ended };
  return { config, messengers: createMessengers(config.notify, config.targets, options) };
}

/** Begins to count, for whichever targets are configured when somebody asks. */
export function wireMetrics(
  setup: () => Setup,
  engine: Engine,
  certificateExpiresAt: Constants["certificateExpiresAt"],
): Metrics {
  const about = () => ({ version, certificateExpiresAt: certificateExpiresAt() });
  return createMetrics({ ...engine, targets: () => setup().config.targets, about });
}

/** Wires what answers on both listeners. */
export function wireSetup(setup: Setup, constants: Constants): WiredSetup {
  const { config } = setup;
  const { engine, metrics, startedAt, certificateExpiresAt, isListening, closing } = constants;
  const { listener, replay } = wirePublic(config, engine, metrics);
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
