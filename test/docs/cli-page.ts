import type { Command } from "commander";
import { createProgram, fullName } from "../../src/cli/index.ts";
import type { Terminal } from "../../src/cli/terminal.ts";
import { systemClock } from "../../src/lib/clock.ts";

const INTRODUCTION = `# Command line

This page is generated from the program's own help: \`hooklatch --help\` prints the overview, and \`--help\` works on every
command.

- Commands for a running server find its admin listener through the configuration, or with \`--admin-url\` and the token in
  \`$HOOKLATCH_ADMIN_TOKEN\`. They use no proxy.
- Output is formatted for a terminal, and plain otherwise. \`--json\` prints the response of the [admin API](api.md).
- Errors are printed to standard error, one line each.
`;

/** Writes docs/cli.md: the help of each command. */
export async function describeCommandLine(): Promise<string> {
  const sections = (await readHelp(100)).map(({ command, help }) => {
    const heading = command.parent === null ? "Overview" : fullName(command);
    return `\n## ${heading}\n\n\`\`\`text\n${help.trimEnd()}\n\`\`\`\n`;
  });
  return INTRODUCTION + sections.join("");
}

/** The help of the program and of each command, for a terminal with so many columns. */
export async function readHelp(
  columns: number,
): Promise<readonly { readonly command: Command; readonly help: string }[]> {
  let help = "";
  const terminal: Terminal = {
    env: {},
    cwd: "/",
    executable: null,
    clock: systemClock,
    isTty: { stdout: false, stderr: false },
    columns,
    out: (text) => {
      help += text;
    },
    err: () => {},
    log: () => {},
    readSecret: () => Promise.reject(new Error("there is no input")),
    onHangUp: () => {},
    untilStopped: () => new Promise(() => {}),
    abort: () => {},
  };
  const program = await createProgram(terminal, () => {});
  return listVisible(program).map((command) => {
    help = "";
    command.outputHelp();
    return { command, help };
  });
}

/** A command and the commands below it that its help shows. */
function listVisible(command: Command): readonly Command[] {
  const help = command.createHelp();
  // The implicit help command has no parent.
  const visible = help.visibleCommands(command).filter(({ parent }) => parent === command);
  return [command, ...visible.flatMap(listVisible)];
}
