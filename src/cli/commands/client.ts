import { Command } from "commander";
import { ApiClient, ApiRevoked } from "../../api/client.ts";
import { AppError } from "../../lib/errors.ts";
import { type AdminOptions, findAdmin, readAdmin, toAppError, withAdminOptions } from "../api/client.ts";
import { checkAddress } from "../arguments.ts";
import { printJson, showsList, withPageOptions } from "../output/list.ts";
import { type Style, showTime } from "../output/style.ts";
import type { Column } from "../output/table.ts";
import type { Terminal } from "../terminal.ts";

/** `hooklatch client list|revoke`: the addresses that showed a verify token and may POST for a while. */
export function client(terminal: Terminal): Command {
  return new Command("client")
    .description("the addresses that showed a source's verify token and may POST for a while")
    .addHelpText("after", "\nExample: hooklatch client revoke 192.0.2.1")
    .addCommand(defineList(terminal))
    .addCommand(defineRevoke(terminal));
}

function defineList(terminal: Terminal): Command {
  const command = new Command("list")
    .description("the clients that are known, the last authorised first")
    .option("--source <source>", "only those of this source");
  return showsList(
    withPageOptions(command),
    {
      path: "/api/clients",
      item: ApiClient,
      columns: describeClient,
      whenEmpty: "nobody has shown a verify token yet, so there are no clients",
      filters: ["source"],
    },
    terminal,
  );
}

function describeClient(look: Style): readonly Column<ApiClient>[] {
  return [
    { heading: "ADDRESS", text: ({ address }) => address },
    { heading: "SOURCE", text: ({ source }) => source },
    { heading: "AUTHORISED", text: ({ authorised_at }) => showTime(authorised_at, look) },
    { heading: "EXPIRES", text: ({ expires_at }) => showTime(expires_at, look) },
    {
      heading: "MAY POST",
      text: (one) => (hasExpired(one, look) ? "no, its time ran out" : "yes"),
      colour: (one) => (hasExpired(one, look) ? "yellow" : "green"),
    },
  ];
}

function hasExpired({ expires_at }: ApiClient, { now }: Style): boolean {
  return now.getTime() > Date.parse(expires_at);
}

interface RevokeOptions extends AdminOptions {
  readonly source?: string;
}

function defineRevoke(terminal: Terminal): Command {
  const command = new Command("revoke")
    .description("let an address POST no more, until it shows the token again")
    .argument("<address>", "the client's IP address", checkAddress)
    .option("--source <source>", "at this source alone (default: at all)");
  return withAdminOptions(command).action(async (address: string, options: RevokeOptions) => {
    const admin = findAdmin(options, terminal);
    const { source } = options;
    const path = `/api/clients/${encodeURIComponent(address)}`;
    const told = await readAdmin(ApiRevoked, admin, { method: "DELETE", path, query: { source } });
    if (!told.ok && told.code === 404) {
      const where = source === undefined ? "any source" : `source ${source}`;
      throw new AppError(
        "failed",
        `${address} is not authorised at ${where}: hooklatch client list shows who is`,
      );
    }
    if (!told.ok) throw toAppError(told);
    if (options.json) return printJson(told.json, terminal);
    for (const one of told.value.clients) {
      terminal.out(`${one.address} may POST to source ${one.source} no more\n`);
    }
  });
}
