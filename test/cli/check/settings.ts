import { type Config, loadConfig } from "../../../src/config/load.ts";
import { configOf } from "../../config/home.ts";
import { lists } from "../../config/lists.ts";

/** A public listener with everything left at what the configuration's defaults are. */
export const SERVER: Config["server"] = configOf(
  loadConfig(undefined, { env: {}, cwd: "/nowhere" }, lists, "/nowhere/hooklatch.toml"),
).server;
