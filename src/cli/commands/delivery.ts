import { Command, Option } from "commander";
import { ApiDelivery, ApiDeliveryDetails, ApiReceipt } from "../../api/delivery.ts";
import { ApiRefusal } from "../../api/refusal.ts";
import { DELIVERY_STATUSES } from "../../domain/delivery.ts";
import { AppError } from "../../lib/errors.ts";
import {
  type ListOptions,
  printList,
  printResponse,
  withAdminOptions,
  withListOptions,
} from "../admin-command.ts";
import { type AdminOptions, findAdmin, type Problem, readAdmin, toAppError } from "../api/client.ts";
import { parseId } from "../arguments.ts";
import { withExamples } from "../options.ts";
import { deliveryColumns, formatDelivery, formatReplay, refusalColumns } from "../output/delivery.ts";
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
Refused requests, such as those with a wrong signature, are not stored:
--refused lists the latest 1,000 since the start of the server. Duplicates are
only in its log. A request that is in neither did not arrive: see the sender's
own list of deliveries.`;

const STORED = {
  path: "/api/deliveries",
  item: ApiDelivery,
  columns: deliveryColumns,
  emptyMessage: "no deliveries yet; list refused requests with --refused",
  filters: ["source", "status", "target"],
};

const REFUSED = {
  path: "/api/refusals",
  item: ApiRefusal,
  columns: refusalColumns,
  emptyMessage: "no request was refused since the start of the server",
  filters: ["source"],
};

function defineList(terminal: Terminal): Command {
  const command = new Command("list")
    .description("list the deliveries, newest first, with their results")
    .option("--source <source>", "only deliveries to this source")
    .addOption(new Option("--status <status>", "only deliveries with this status").choices(DELIVERY_STATUSES))
    .option("--target <target>", "only deliveries about this target, deployed or not")
    .addOption(
      new Option(
        "--refused",
        "the latest refused requests instead, with the reason and what to do",
      ).conflicts(["status", "target"]),
    )
    .addHelpText("after", NOT_LISTED);
  withListOptions(command).action((options: ListOptions) =>
    options.refused === true ? printList(REFUSED, options, terminal) : printList(STORED, options, terminal),
  );
  return withExamples(
    command,
    "hooklatch delivery list --target blog",
    "hooklatch delivery list --status skipped",
    "hooklatch delivery list --refused",
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
