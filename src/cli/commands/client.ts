import { Command } from "commander";
import { ApiClient, ApiRevoked } from "../../api/client.ts";
import { AppError } from "../../lib/errors.ts";
import { listCommand, printResponse, withAdminOptions } from "../admin-command.ts";
import { type AdminOptions, findAdmin, type Problem, readAdmin, toAppError } from "../api/client.ts";
import { explainUnknownSource } from "../api/unknown-name.ts";
import { checkAddress } from "../arguments.ts";
import { withExamples } from "../options.ts";
import { formatTime, type Style } from "../output/style.ts";
import type { Column } from "../output/table.ts";
import type { Terminal } from "../terminal.ts";

/** `hooklatch client`: the addresses that may POST because they showed a verify token. */
export function client(terminal: Terminal): Command {
  const command = new Command("client")
    .description("list and revoke the addresses that showed a verify token")
    .addCommand(defineList(terminal))
    .addCommand(defineRevoke(terminal));
  return withExamples(command, "hooklatch client revoke 192.0.2.1");
}

function defineList(terminal: Terminal): Command {
  const command = new Command("list")
    .description("list the known clients, the last authorised first")
    .option("--source <source>", "only clients of this source");
  const list = listCommand(
    command,
    {
      path: "/api/clients",
      item: ApiClient,
      columns: clientColumns,
      emptyMessage: "no clients: no address has shown a verify token yet",
      filters: ["source"],
    },
    terminal,
  );
  return withExamples(list, "hooklatch client list --source webhook");
}

interface RevokeOptions extends AdminOptions {
  readonly source?: string;
}

function defineRevoke(terminal: Terminal): Command {
  const command = new Command("revoke")
    .description("revoke an address; it must show the token again")
    .argument("<address>", "IP address of the client", checkAddress)
    .option("--source <source>", "only at this source (default: at every source)");
  withAdminOptions(command).action(async (address: string, options: RevokeOptions) => {
    const { source } = options;
    const path = `/api/clients/${encodeURIComponent(address)}`;
    const request = { method: "DELETE", path, query: { source } } as const;
    const admin = findAdmin(options, terminal);
    const explain = async (problem: Problem) => {
      const isUnknown = problem.code === 404 && source !== undefined;
      const unknown = isUnknown ? await explainUnknownSource(source, admin) : null;
      return unknown === null ? explainProblem(address, source, problem) : new AppError("failed", unknown);
    };
    const response = await readAdmin(ApiRevoked, admin, request, explain);
    printResponse(response, options, terminal, ({ clients }) =>
      clients.map((each) => `${each.address} is revoked at source ${each.source}\n`).join(""),
    );
  });
  return withExamples(command, "hooklatch client revoke 192.0.2.1 --source webhook");
}

function explainProblem(address: string, source: string | undefined, problem: Problem): AppError {
  if (problem.code !== 404) return toAppError(problem);
  const where = source === undefined ? "any source" : `source ${source}`;
  return new AppError(
    "failed",
    `${address} is not authorised at ${where}; list the clients with: hooklatch client list`,
  );
}

/** The columns of a list of clients. */
function clientColumns(style: Style): readonly Column<ApiClient>[] {
  const isExpired = ({ expires_at }: ApiClient) => style.now.getTime() > Date.parse(expires_at);
  return [
    { heading: "ADDRESS", text: ({ address }) => address },
    { heading: "SOURCE", text: ({ source }) => source },
    { heading: "AUTHORISED", text: ({ authorised_at }) => formatTime(authorised_at, style) },
    { heading: "EXPIRES", text: ({ expires_at }) => formatTime(expires_at, style) },
    {
      heading: "MAY POST",
      text: (client) => (isExpired(client) ? "no, expired" : "yes"),
      colour: (client) => (isExpired(client) ? "yellow" : "green"),
    },
  ];
}
