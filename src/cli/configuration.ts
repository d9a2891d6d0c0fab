import {
  type Config,
  describeFinding,
  type Finding,
  type Lists,
  type LoadOptions,
  loadConfig,
} from "../config/load.ts";
import { layouts } from "../deploy/index.ts";
import { Fault } from "../domain/fault.ts";
import { providers } from "../providers/index.ts";
import type { Terminal } from "./terminal.ts";

/** What the configuration may name. */
const lists: Lists = { providers, layouts: Object.keys(layouts) };

/** The words of `--config`, the same on every command that has it. */
export const CONFIG_OPTION = [
  "-c, --config <file>",
  "the configuration; else $HOOKLATCH_CONFIG, ./hooklatch.toml, /etc/hooklatch/hooklatch.toml",
] as const;

/** Reads the configuration. Throws a {@link Fault} `configuration` with one line a fault. */
export function readConfiguration(
  file: string | undefined,
  terminal: Terminal,
  options: LoadOptions = {},
): { readonly config: Config; readonly warnings: readonly Finding[] } {
  const loaded = loadConfig(file, terminal, lists, options);
  if (loaded.ok) return loaded;
  throw new Fault("configuration", loaded.faults.map(describeFinding).join("\n"));
}
