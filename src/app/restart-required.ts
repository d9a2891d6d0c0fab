import { isDeepStrictEqual } from "node:util";
import type { Config } from "../config/load.ts";

/** The settings that need a restart, by their names in the configuration. */
const NEED_RESTART: Readonly<Record<string, (config: Config) => unknown>> = {
  "[server] host": ({ server }) => server.host,
  "[server] port": ({ server }) => server.port,
  "[server] log_format": ({ server }) => server.logFormat,
  "[server.tls]": ({ server }) => server.tls,
  "[server.acme]": ({ server }) => server.acme,
  "[admin] host": ({ admin }) => admin.host,
  "[admin] port": ({ admin }) => admin.port,
  "[store] url": ({ store }) => store.postgres?.url.reveal(),
  "[store] host": ({ store }) => store.postgres?.host,
  "[store] rollout_patience": ({ store }) => store.postgres?.patience,
};

/** The settings that differ and need a restart. */
export function listRestartRequired(current: Config, next: Config): readonly string[] {
  return Object.entries(NEED_RESTART)
    .filter(([, read]) => !isDeepStrictEqual(read(current), read(next)))
    .map(([setting]) => setting);
}
