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

/** The providers and layouts of this program. */
export const LISTS: Lists = { providers, layouts: Object.keys(layouts) };

/** A valid configuration. */
export interface ReadConfiguration {
  readonly config: Config;
  readonly warnings: readonly ConfigIssue[];
}

/**
 * Reads the configuration. Throws an {@link AppError} `configuration` with one line per fault.
 *
 * @param advise returns lines to add to the faults.
 */
export function readConfiguration(
  file: string | undefined,
  terminal: Terminal,
  options: LoadOptions = {},
  advise: (faults: readonly ConfigIssue[]) => readonly string[] = () => [],
): ReadConfiguration {
  const loaded = loadConfig(file, terminal, LISTS, options);
  if (loaded.kind === "loaded") return loaded;
  const lines = [...loaded.faults.map(describeIssue), ...advise(loaded.faults)];
  throw new AppError("configuration", lines.join("\n"));
}
