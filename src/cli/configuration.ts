import {
  type Config,
  type ConfigIssue,
  describeIssue,
  type Lists,
  type LoadOptions,
  loadConfig,
} from "../config/load.ts";
import { layouts } from "../deploy/layouts/index.ts";
import { AppError } from "../lib/errors.ts";
import { providers } from "../providers/index.ts";
import type { Terminal } from "./terminal.ts";

/** What the configuration may name. */
const lists: Lists = { providers, layouts: Object.keys(layouts) };

/** The words of `--config`, the same on every command that has it. */
export const CONFIG_OPTION = [
  "-c, --config <file>",
  "the configuration; else $HOOKLATCH_CONFIG, ./hooklatch.toml, /etc/hooklatch/hooklatch.toml",
] as const;

/** Reads the configuration. Throws a {@link AppError} `configuration` with one line a fault. */
export function readConfiguration(
  file: string | undefined,
  terminal: Terminal,
  options: LoadOptions = {},
): { readonly config: Config; readonly warnings: readonly ConfigIssue[] } {
  const loaded = loadConfig(file, terminal, lists, options);
  if (loaded.kind === "loaded") return loaded;
  throw new AppError("configuration", loaded.faults.map(describeIssue).join("\n"));
}
