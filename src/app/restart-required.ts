import { isDeepStrictEqual } from "node:util";
import type { Config } from "../config/load.ts";

/** What is bound when the server starts, by the names that it has in the configuration. */
const FIXED: Readonly<Record<string, (config: Config) => unknown>> = {
  "[server] host": ({ server }) => server.host,
  "[server] port": ({ server }) => server.port,
  "[server.tls]": ({ server }) => server.tls,
  "[server.acme]": ({ server }) => server.acme,
  "[admin] host": ({ admin }) => admin.host,
  "[admin] port": ({ admin }) => admin.port,
};

/** The settings that differ and cannot change while the server runs. */
export function listRestartRequired(now: Config, next: Config): readonly string[] {
  return Object.entries(FIXED)
    .filter(([, read]) => !isDeepStrictEqual(read(now), read(next)))
    .map(([name]) => name);
}
