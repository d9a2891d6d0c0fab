import type { Command } from "commander";

/** The `--config` option of every command that reads the configuration. */
export const CONFIG_OPTION = [
  "-c, --config <file>",
  "configuration file (default: $HOOKLATCH_CONFIG, else ./hooklatch.toml, else /etc/hooklatch/hooklatch.toml)",
] as const;

/** Ends the help of a command with examples. */
export function withExamples(command: Command, ...examples: readonly string[]): Command {
  const lines = examples.map((example) => `\n  ${example}`).join("");
  return command.addHelpText("after", `\nExample${examples.length > 1 ? "s" : ""}:${lines}`);
}
