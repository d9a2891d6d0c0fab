import { Command } from "commander";
import { createJsonSchema } from "../../config/json-schema.ts";
import { providers } from "../../providers/index.ts";
import { withExamples } from "../options.ts";
import type { Terminal } from "../terminal.ts";

/** `hooklatch schema`: prints the JSON Schema of the configuration file. */
export function schema(terminal: Terminal): Command {
  const command = new Command("schema")
    .description("print the JSON Schema of hooklatch.toml, with which editors complete it")
    .addHelpText(
      "after",
      '\nEditors with Taplo, such as VS Code with "Even Better TOML", use it when the first\nline of the file is "#:schema ./hooklatch.schema.json".',
    )
    .action(() => terminal.out(`${JSON.stringify(createJsonSchema(providers), null, 2)}\n`));
  return withExamples(command, "hooklatch schema > hooklatch.schema.json");
}
