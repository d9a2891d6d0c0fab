import { fullName } from "../../src/cli/index.ts";
import { EXIT } from "../../src/cli/terminal.ts";
import { readHelp } from "../../test/docs/cli-page.ts";
import { describeConfiguration } from "../../test/docs/configuration-page.ts";

/** Columns of a terminal, without the indentation of a manual page. */
const WIDTH = 72;

/** hooklatch(1), with the help of each command. */
export async function describeCommands(version: string, time: Date): Promise<string> {
  const [overview, ...commands] = await readHelp(WIDTH);
  if (overview === undefined) throw new Error("the program has no help");
  return [
    title("HOOKLATCH", 1, "User Commands", version, time),
    ".SH NAME\nhooklatch \\- receive webhooks, store every delivery, deploy what was pushed",
    ".SH SYNOPSIS\n.B hooklatch\n.RI [ options ]\n.RI [ command ]",
    `.SH DESCRIPTION\n${verbatim(overview.help)}`,
    ".SH COMMANDS",
    ...commands.map(({ command, help }) => `.SS ${escapeText(fullName(command))}\n${verbatim(help)}`),
    `.SH EXIT STATUS
.TP
.B ${EXIT.done}
The command is done.
.TP
.B ${EXIT.failed}
It failed.
.TP
.B ${EXIT.wrong}
The command line or the configuration is wrong.`,
    `.SH ENVIRONMENT
.TP
.B HOOKLATCH_CONFIG
The configuration file.
.TP
.B HOOKLATCH_DATA_DIR
The data directory, where the configuration names none.
.TP
.B HOOKLATCH_ADMIN_TOKEN
The token for the admin listener of a server on another machine.`,
    `.SH FILES
.TP
.I /etc/hooklatch/hooklatch.toml
The configuration.
.TP
.I /var/lib/hooklatch
The data directory of the service.`,
    ".SH SEE ALSO\n.BR hooklatch.toml (5),\n.BR git (1),\n.BR systemctl (1)\n",
  ].join("\n");
}

/** hooklatch.toml(5): docs/configuration.md. */
export function describeKeys(version: string, time: Date): string {
  return [
    title("HOOKLATCH.TOML", 5, "File Formats", version, time),
    ".SH NAME\nhooklatch.toml \\- configuration of hooklatch",
    ".SH DESCRIPTION",
    toRoff(describeConfiguration()),
    ".SH SEE ALSO\n.BR hooklatch (1)\n",
  ].join("\n");
}

function title(name: string, section: number, manual: string, version: string, time: Date): string {
  return `.TH ${name} ${section} "${time.toISOString().slice(0, 10)}" "hooklatch ${version}" "${manual}"`;
}

function verbatim(text: string): string {
  return `.EX\n${text.trimEnd().split("\n").map(escapeText).join("\n")}\n.EE`;
}

/** Writes the Markdown of a generated page, without its title, contents and comments, as a manual page. */
function toRoff(markdown: string): string {
  const blocks = markdown.trim().split(/\n{2,}/);
  return blocks.flatMap((block) => toBlock(block) ?? []).join("\n");
}

function toBlock(block: string): string | null {
  if (/^(# |<!--|- \[[^\]]*\]\(#)/.test(block)) return null;
  const [, level, heading = ""] = /^(##+) (.*)$/.exec(block) ?? [];
  if (level !== undefined) return `.${level === "##" ? "SH" : "SS"} ${toInline(heading)}`;
  if (block.startsWith("|")) return verbatim(block.replaceAll(/[`]/g, ""));
  if (!block.startsWith("- ")) return `.PP\n${toInline(block)}`;
  const items = block.slice(2).split("\n- ");
  return items.map((item) => `.IP \\(bu 2\n${toInline(item.replaceAll(/\n\s+/g, "\n"))}`).join("\n");
}

/** Code is bold, and a link is its text. */
function toInline(markdown: string): string {
  const plain = markdown.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1").replaceAll("**", "");
  const lines = plain.split("\n").map(escapeText).join("\n");
  return lines.replaceAll(/`([^`]*)`/g, "\\fB$1\\fR");
}

function escapeText(text: string): string {
  return text
    .replaceAll("\\", "\\e")
    .replaceAll("-", "\\-")
    .replace(/^(?=[.'])/, "\\&");
}
