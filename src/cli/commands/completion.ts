import { Command } from "commander";
import { ApiTarget } from "../../api/target.ts";
import { findAdmin } from "../api/client.ts";
import { readAllPages } from "../api/read-all-pages.ts";
import { writeBash } from "../completion/bash.ts";
import { writeFish } from "../completion/fish.ts";
import { type CompletedCommand, readCommands } from "../completion/tree.ts";
import { writeZsh } from "../completion/zsh.ts";
import type { Terminal } from "../terminal.ts";

/** Every shell that is completed in: its script, and how it is put to use. */
const SHELLS: readonly {
  readonly name: string;
  readonly write: (commands: readonly CompletedCommand[]) => string;
  readonly use: string;
}[] = [
  { name: "bash", write: writeBash, use: 'eval "$(hooklatch completion bash)"    # in ~/.bashrc' },
  {
    name: "zsh",
    write: writeZsh,
    use: "source <(hooklatch completion zsh)    # in ~/.zshrc, after compinit",
  },
  {
    name: "fish",
    write: writeFish,
    use: "hooklatch completion fish > ~/.config/fish/completions/hooklatch.fish",
  },
];

/** How long the names of the targets may take, in milliseconds: somebody waits with a finger on the key. */
const PATIENCE = 2000;

/** `hooklatch completion bash|zsh|fish`: prints what makes a shell complete the commands, options and targets. */
export function completion(terminal: Terminal): Command {
  const command = new Command("completion").description("print what makes your shell complete hooklatch");
  for (const { name, write, use } of SHELLS) {
    const shell = new Command(name)
      .description(`for ${name}`)
      .addHelpText("after", `\nExample: ${use}`)
      .action(() => {
        if (command.parent !== null) terminal.out(write(readCommands(command.parent)));
      });
    command.addCommand(shell);
  }
  const examples = SHELLS.map(({ use }) => `  ${use}`).join("\n");
  return command
    .addHelpText("after", `\nExamples:\n${examples}`)
    .addCommand(defineTargets(terminal), { hidden: true });
}

/** What the scripts ask for the names of the targets. It fails in silence: nobody reads errors while typing. */
function defineTargets(terminal: Terminal): Command {
  return new Command("targets").description("the names of the targets").action(async () => {
    try {
      const told = await readAllPages(ApiTarget, findAdmin({}, terminal), {
        path: "/api/targets",
        signal: AbortSignal.timeout(PATIENCE),
      });
      // A shell may take a name for more than a word, so only plain ones are told.
      const names = told.ok
        ? told.value.items.map(({ name }) => name).filter((name) => /^[\w.-]+$/.test(name))
        : [];
      for (const name of names) terminal.out(`${name}\n`);
    } catch {
      // There is no server to ask, say: then there is nothing to offer.
    }
  });
}
