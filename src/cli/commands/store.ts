import { Command, Option } from "commander";
import { AppError } from "../../lib/errors.ts";
import { readConfiguration } from "../configuration.ts";
import { CONFIG_OPTION, withExamples } from "../options.ts";
import type { Terminal } from "../terminal.ts";

/** `hooklatch store`: moves between SQLite and PostgreSQL. */
export function store(terminal: Terminal): Command {
  return new Command("store")
    .description("copy the database between SQLite and PostgreSQL")
    .addCommand(createCopy(terminal));
}

function createCopy(terminal: Terminal): Command {
  const command = new Command("copy")
    .description("copy the database in data_dir to the one of [store] url, or back")
    .addOption(
      new Option("--to <database>", "where to copy it").choices(["postgres", "sqlite"]).makeOptionMandatory(),
    )
    .option(...CONFIG_OPTION)
    .addHelpText(
      "after",
      "\nStop the server first, on every host. The database that is written must be empty.\nThe copy is compared with the original; when anything fails, nothing of it is kept.\nTo postgres, the deployments become those of this host; to sqlite, only those of\nthis host are copied.",
    )
    .action(
      async ({ to, config: file }: { readonly to: "postgres" | "sqlite"; readonly config?: string }) => {
        const { config } = readConfiguration(file, terminal);
        const { postgres } = config.store;
        if (postgres === null) {
          throw new AppError(
            "configuration",
            "set [store] url to the PostgreSQL database: see docs/fleet.md",
          );
        }
        const { copyStore } = await import("../../store/copy/index.ts");
        const copied = await copyStore({
          dataDirectory: config.dataDir,
          postgres: { url: postgres.url.reveal(), host: postgres.host },
          to,
        });
        for (const [table, rows] of copied) terminal.out(`${table}: ${rows.toLocaleString("en-US")} rows\n`);
        terminal.out("copied, and compared with the original\n");
      },
    );
  return withExamples(command, "hooklatch store copy --to postgres");
}
