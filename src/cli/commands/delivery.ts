import { Command, Option } from "commander";
import { ApiDelivery, ApiDeliveryDetails, ApiReceipt } from "../../api/delivery.ts";
import { DELIVERY_STATUSES } from "../../domain/delivery.ts";
import { AppError } from "../../lib/errors.ts";
import {
  type AdminOptions,
  findAdmin,
  type Problem,
  readAdmin,
  readProblem,
  requestAdmin,
  toAppError,
  withAdminOptions,
} from "../api/client.ts";
import { readId } from "../arguments.ts";
import { describeDelivery, formatDelivery, formatReplay } from "../output/delivery.ts";
import { printJson, showsList, withPageOptions } from "../output/list.ts";
import { makeTextPrintable } from "../output/sanitise.ts";
import { createStyle } from "../output/style.ts";
import type { Terminal } from "../terminal.ts";

/** `hooklatch delivery list|show|replay`: what came, what was decided and why, and running it again. */
export function delivery(terminal: Terminal): Command {
  return new Command("delivery")
    .description("what came, what was decided and why, and running it again")
    .addHelpText("after", "\nExample: hooklatch delivery list --status skipped")
    .addCommand(defineList(terminal))
    .addCommand(defineShow(terminal))
    .addCommand(defineReplay(terminal));
}

function defineList(terminal: Terminal): Command {
  const command = new Command("list")
    .description("the deliveries, newest first, and what became of each")
    .option("--source <source>", "only those of this source")
    .addOption(
      new Option("--status <status>", "only those answered with this word").choices(DELIVERY_STATUSES),
    )
    .option("--target <target>", "only those that are about this target, deployed or not")
    .addHelpText("after", `\n${NOT_KEPT}`);
  return showsList(
    withPageOptions(command),
    {
      path: "/api/deliveries",
      item: ApiDelivery,
      columns: describeDelivery,
      whenEmpty:
        "no delivery is kept yet: one that was refused, such as for a wrong signature, is in the log alone",
      filters: ["source", "status", "target"],
    },
    terminal,
  );
}

const NOT_KEPT = `What is not here was not kept: it was refused (a wrong signature, say), it repeated one that is here, or it
never came. The server's log tells of the first two, the sender's own list of deliveries of all.`;

interface ShowOptions extends AdminOptions {
  readonly body?: boolean;
}

function defineShow(terminal: Terminal): Command {
  const command = new Command("show")
    .description("one delivery: what was decided target by target, and what became of it")
    .argument("<id>", "the delivery's number", readId)
    .addOption(new Option("--body", "print its body alone").conflicts("json"));
  return withAdminOptions(command).action(async (id: number, options: ShowOptions) => {
    const admin = findAdmin(options, terminal);
    const told = await readAdmin(ApiDeliveryDetails, admin, { method: "GET", path: `/api/deliveries/${id}` });
    if (!told.ok) throw explainProblem(id, told);
    if (options.json) return printJson(told.json, terminal);
    if (options.body) return printBody(told.value.body, terminal);
    terminal.out(formatDelivery(told.value, createStyle(terminal)));
  });
}

function explainProblem(id: number, problem: Problem): AppError {
  if (problem.code !== 404) return toAppError(problem);
  return new AppError(
    "failed",
    `there is no delivery ${id}: hooklatch delivery list shows those that are kept`,
  );
}

/** The body as it came; on a terminal without what a terminal obeys, and with a newline at its end. */
function printBody(body: string, { isTty, out }: Terminal): void {
  out(isTty.stdout ? `${makeTextPrintable(body.replace(/\r?\n$/, ""))}\n` : body);
}

function defineReplay(terminal: Terminal): Command {
  const command = new Command("replay")
    .description(
      "read and match a kept delivery again, as today's configuration says, and run what it asks for",
    )
    .argument("<id>", "the delivery's number", readId);
  return withAdminOptions(command).action(async (id: number, options: AdminOptions) => {
    const admin = findAdmin(options, terminal);
    const request = { method: "POST", path: `/api/deliveries/${id}/replay` } as const;
    if (terminal.isTty.stdout && !options.json) {
      const told = await readAdmin(ApiReceipt, admin, request);
      if (!told.ok) throw explainProblem(id, told);
      return terminal.out(formatReplay(id, told.value));
    }
    const answer = await requestAdmin(admin, request);
    if (answer.code >= 300) throw explainProblem(id, readProblem(answer, admin));
    if (options.json) printJson(answer.text, terminal);
    else terminal.out(`${answer.code} ${makeTextPrintable(answer.text)}\n`);
  });
}
