import { type Config, loadConfig } from "../../src/config/load.ts";
import { configOf } from "../config/home.ts";
import { lists } from "../config/lists.ts";

/** The default settings of the public listener. */
export const SERVER: Config["server"] = configOf(
  loadConfig(undefined, { env: {}, cwd: "/nowhere" }, lists, { systemFile: "/nowhere/hooklatch.toml" }),
).server;

/** The default settings with overrides. The protocol is HTTPS if there is a certificate. */
export function serverWith(settings: Partial<Config["server"]>): Config["server"] {
  return { ...SERVER, protocol: settings.tls ? "https" : "http", ...settings };
}
