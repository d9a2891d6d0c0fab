import { type Config, loadConfig } from "../../../src/config/load.ts";
import { configOf } from "../../config/home.ts";
import { lists } from "../../config/lists.ts";

/** A public listener with everything left at what the configuration's defaults are. */
export const SERVER: Config["server"] = configOf(
  loadConfig(undefined, { env: {}, cwd: "/nowhere" }, lists, { systemFile: "/nowhere/hooklatch.toml" }),
).server;

/** The same with other settings; with a certificate it speaks HTTPS. */
export function serverWith(settings: Partial<Config["server"]>): Config["server"] {
  return { ...SERVER, protocol: settings.tls ? "https" : "http", ...settings };
}
