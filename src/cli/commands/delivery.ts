import { Command, Option } from "commander";
import { ApiDelivery, ApiDeliveryDetails, ApiReceipt } from "../../api/delivery.ts";
import { DELIVERY_STATUSES } from "../../domain/delivery.ts";
import { AppError } from "../../lib/errors.ts";
import { listCommand, printResponse, withAdminOptions } from "../admin-command.ts";
import { type AdminOptions, findAdmin, type Problem, readAdmin, toAppError } from "../api/client.ts";
import { parseId, withExamples } from "../arguments.ts";
import { deliveryColumns, formatDelivery, formatReplay } from "../output/delivery.ts";
import { makeTextPrintable } from "../output/sanitise.ts";
import type { Terminal } from "../terminal.ts";

/** `hooklatch delivery`: what was received, what was decided and why, and replaying it. */
export function delivery(terminal: Terminal): Command {
  const command = new Command("delivery")
    .description("list, show and replay the stored deliveries")
    .addCommand(defineList(terminal))
    .addCommand(defineShow(terminal))
    .addCommand(defineReplay(terminal));
  return withExamples(command, "hooklatch delivery list --status skipped");
}

const NOT_LISTED = `
Refused requests, such as those with a wrong signature, and duplicates are not
stored, but are in the server's log. A request that is not in the log did not
arrive: see the sender's own list of deliveries.`;

function defineList(terminal: Terminal): Command {
  const command = new Command("list")
    .description("list the deliveries, newest first, with their results")
    .option("--source <source>", "only deliveries to this source")
    .addOption(new Option("--status <status>", "only deliveries with this status").choices(DELIVERY_STATUSES))
    .option("--target <target>", "only deliveries about this target, deployed or not")
    .addHelpText("after", NOT_LISTED);
  const list = listCommand(
    command,
    {
      path: "/api/deliveries",
      item: ApiDelivery,
      columns: deliveryColumns,
      emptyMessage: "no deliveries yet; refused requests are only in the server's log",
      filters: ["source", "status", "target"],
    },
    terminal,
  );
  return withExamples(
    list,
    "hooklatch delivery list --target blog",
    "hooklatch delivery list --status skipped",
  );
}

interface ShowOptions extends AdminOptions {
  readonly body?: boolean;
}

function defineShow(terminal: Terminal): Command {
  const command = new Command("show")
    .description("show a delivery: the decision and the result for each target")
    .argument("<id>", "number of the delivery", parseId)
    .addOption(new Option("--body", "print only the body").conflicts("json"));
  withAdminOptions(command).action(async (id: number, options: ShowOptions) => {
    const request = { path: `/api/deliveries/${id}` };
    const response = await readAdmin(ApiDeliveryDetails, findAdmin(options, terminal), request, explain(id));
    printResponse(response, options, terminal, (value, style) =>
      options.body ? formatBody(value.body, terminal) : formatDelivery(value, style),
    );
  });
  return withExamples(
    command,
    "hooklatch delivery show 7",
    "hooklatch delivery show 7 --body > payload.json",
  );
}

/** The body as received; for a terminal escaped and with a newline at the end. */
function formatBody(body: string, { isTty }: Terminal): string {
  return isTty.stdout ? `${makeTextPrintable(body.replace(/\r?\n$/, ""))}\n` : body;
}

function defineReplay(terminal: Terminal): Command {
  const command = new Command("replay")
    .description("process a stored delivery again with the current configuration")
    .argument("<id>", "number of the delivery", parseId);
  withAdminOptions(command).action(async (id: number, options: AdminOptions) => {
    const request = { method: "POST", path: `/api/deliveries/${id}/replay` } as const;
    const response = await readAdmin(ApiReceipt, findAdmin(options, terminal), request, explain(id));
    printResponse(response, options, terminal, (value) => formatReplay(id, value));
  });
  return withExamples(command, "hooklatch delivery replay 7");
}

function explain(id: number): (problem: Problem) => AppError {
  return (problem) =>
    problem.code === 404
      ? new AppError("failed", `no delivery ${id}; list them with: hooklatch delivery list`)
      : toAppError(problem);
}
