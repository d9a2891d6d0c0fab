import { resolve } from "node:path";
import { Command } from "commander";
import { loadSqliteDirectory } from "../../config/data-directory.ts";
import { formatBytes } from "../../lib/text.ts";
import { backUps } from "../../store/index.ts";
import { CONFIG_OPTION, withExamples } from "../options.ts";
import { makePrintable } from "../output/sanitise.ts";
import type { Terminal } from "../terminal.ts";

/** `hooklatch backup`: copies the database, also while the server runs. */
export function backup(terminal: Terminal): Command {
  const command = new Command("backup")
    .description("copy the SQLite database to a file, also while the server runs")
    .argument("<file>", "file to create; it must not exist")
    .option(...CONFIG_OPTION)
    .addHelpText(
      "after",
      "\nRun it as the user of the service, or as root. The copy contains payloads. It\ndoes not contain the generated secrets, the configuration and the files of your\nsites: docs/operations.md shows how to back up and restore all.",
    )
    .action((file: string, { config }: { readonly config?: string }) => {
      const bytes = backUps.sqlite(loadSqliteDirectory(config, terminal), resolve(terminal.cwd, file));
      terminal.out(`wrote ${makePrintable(file)} (${formatBytes(bytes)}, mode 0600)\n`);
    });
  return withExamples(command, "sudo -u hooklatch hooklatch backup /var/backups/hooklatch/hooklatch.db");
}
