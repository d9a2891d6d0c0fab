import { Command, Option } from "commander";
import { ApiCancelled, ApiDeployment } from "../../api/deployment.ts";
import { DEPLOYMENT_STATES } from "../../domain/deployment.ts";
import { AppError } from "../../lib/errors.ts";
import {
  ADMIN_URL_OPTION,
  type AdminOptions,
  findAdmin,
  type Problem,
  readAdmin,
  readProblem,
  requestAdmin,
  toAppError,
  withAdminOptions,
} from "../api/client.ts";
import { followToEnd, printLines } from "../api/follow.ts";
import { readId } from "../arguments.ts";
import { CONFIG_OPTION } from "../configuration.ts";
import { operatorName } from "../operator-name.ts";
import { describeDeployment, formatDeployment } from "../output/deployment.ts";
import { printJson, showsList, withPageOptions } from "../output/list.ts";
import { createStyle } from "../output/style.ts";
import type { Finish, Terminal } from "../terminal.ts";

/** `hooklatch deployment list|show|log|cancel`: what ran, what it printed, and ending it. */
export function deployment(terminal: Terminal, finish: Finish): Command {
  return new Command("deployment")
    .description("what was deployed, what it printed, and how it ended")
    .addHelpText("after", "\nExample: hooklatch deployment log 12 --follow")
    .addCommand(defineList(terminal))
    .addCommand(defineShow(terminal))
    .addCommand(defineLog(terminal, finish))
    .addCommand(defineCancel(terminal));
}

function defineList(terminal: Terminal): Command {
  const command = new Command("list")
    .description("the deployments, newest first")
    .option("--target <target>", "only those of this target")
    .addOption(new Option("--state <state>", "only those in this state").choices(DEPLOYMENT_STATES))
    .option("--source <source>", "only those that a delivery of this source asked for");
  return showsList(
    withPageOptions(command),
    {
      path: "/api/deployments",
      item: ApiDeployment,
      columns: describeDeployment,
      whenEmpty: "nothing was deployed yet: hooklatch delivery list tells what came and why",
      filters: ["target", "state", "source"],
    },
    terminal,
  );
}

function defineShow(terminal: Terminal): Command {
  const command = new Command("show")
    .description("one deployment: what it deployed in place of what, its steps, and how it ended")
    .argument("<id>", "the deployment's number", readId);
  return withAdminOptions(command).action(async (id: number, options: AdminOptions) => {
    const admin = findAdmin(options, terminal);
    const told = await readAdmin(ApiDeployment, admin, { method: "GET", path: `/api/deployments/${id}` });
    if (!told.ok) throw explainProblem(id, told);
    if (options.json) return printJson(told.json, terminal);
    terminal.out(formatDeployment(told.value, createStyle(terminal)));
  });
}

interface LogOptions extends AdminOptions {
  readonly follow?: boolean;
}

function defineLog(terminal: Terminal, finish: Finish): Command {
  return new Command("log")
    .description("what a deployment's commands printed")
    .argument("<id>", "the deployment's number", readId)
    .option("-f, --follow", "wait for more until it has ended; exit with 0 only when it succeeded")
    .option(...CONFIG_OPTION)
    .option(...ADMIN_URL_OPTION)
    .action(async (id: number, options: LogOptions) => {
      const admin = findAdmin(options, terminal);
      const print = printLines(terminal);
      if (options.follow) {
        const followed = await followToEnd(admin, id, print, { terminal, finish });
        if (followed.kind === "refused") throw explainProblem(id, followed);
        return;
      }
      const answer = await requestAdmin(admin, { method: "GET", path: `/api/deployments/${id}/log` });
      if (answer.code !== 200) throw explainProblem(id, readProblem(answer, admin));
      const lines = answer.text.split("\n");
      if (lines.at(-1) === "") lines.pop();
      if (lines.length === 0) terminal.err(`hooklatch: deployment ${id} has printed nothing\n`);
      for (const line of lines) print(line);
    });
}

interface CancelOptions extends AdminOptions {
  readonly by?: string;
}

function defineCancel(terminal: Terminal): Command {
  const command = new Command("cancel")
    .description("end a deployment that waits or runs; what was live stays live")
    .argument("<id>", "the deployment's number", readId)
    .option("--by <who>", "who cancels it (default: your user name)");
  return withAdminOptions(command).action(async (id: number, options: CancelOptions) => {
    const admin = findAdmin(options, terminal);
    const body = { by: options.by ?? operatorName(admin, terminal) };
    const request = { method: "POST", path: `/api/deployments/${id}/cancel`, body } as const;
    const told = await readAdmin(ApiCancelled, admin, request);
    if (!told.ok) throw explainProblem(id, told);
    if (options.json) return printJson(told.json, terminal);
    terminal.out(
      told.value.status === "cancelled"
        ? `deployment ${id} is cancelled; it had not begun\n`
        : `deployment ${id} is being ended: hooklatch deployment show ${id} tells when it has\n`,
    );
  });
}

function explainProblem(id: number, problem: Problem): AppError {
  if (problem.code === 404) {
    return new AppError(
      "failed",
      `there is no deployment ${id}: hooklatch deployment list shows those there are`,
    );
  }
  if (problem.status === "ended") {
    return new AppError(
      "failed",
      `deployment ${id} has ended already: hooklatch deployment show ${id} tells how`,
    );
  }
  return toAppError(problem);
}
