import { Command } from "commander";
import { findDataDirectory } from "../../config/data-directory.ts";
import { type ConfigIssue, describeIssue } from "../../config/load.ts";
import { adviseUnreadable } from "../../doctor/data-directory.ts";
import { ownerOf } from "../../doctor/files.ts";
import { type CheckResult, checkAll } from "../../doctor/index.ts";
import { withExamples } from "../arguments.ts";
import { CONFIG_OPTION, readConfiguration } from "../configuration.ts";
import { makeTextPrintable } from "../output/sanitise.ts";
import { EXIT, type Finish, type Terminal } from "../terminal.ts";

/** `hooklatch check`: prints one line per finding, and exits with 1 if one has the level `fail`. */
export function check(terminal: Terminal, finish: Finish): Command {
  const command = new Command("check")
    .description("check the configuration and everything it refers to; change nothing")
    .option(...CONFIG_OPTION)
    .action(async ({ config: file }: { config?: string }) => {
      const advise = (faults: readonly ConfigIssue[]) => adviseOnFaults(faults, file, terminal);
      const { config, warnings } = readConfiguration(file, terminal, {}, advise);
      const first =
        config.file === null ? "no configuration file; using the defaults" : `configuration ${config.file}`;
      const results: readonly CheckResult[] = [
        { level: "ok", text: first },
        ...warnings.map((warning) => ({ level: "warn", text: describeIssue(warning) }) as const),
        ...(await checkAll(config, terminal)),
      ];
      for (const { level, text } of results) terminal.out(`${level.padEnd(4)} ${makeTextPrintable(text)}\n`);
      if (results.some(({ level }) => level === "fail")) finish(EXIT.failed);
    });
  return withExamples(command, "hooklatch check", "hooklatch check --config /etc/hooklatch/hooklatch.toml");
}

/** The user of the service may read files that another user may not. */
function adviseOnFaults(
  faults: readonly ConfigIssue[],
  file: string | undefined,
  terminal: Terminal,
): readonly string[] {
  if (!faults.some(({ code }) => code === "permission_denied")) return [];
  const dataDir = findDataDirectory(file, terminal);
  return [adviseUnreadable(dataDir === null ? null : ownerOf(dataDir), process.getuid?.() ?? null)];
}
