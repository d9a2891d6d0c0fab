import { Command, Option } from "commander";
import { ApiCancelled, ApiDeployment } from "../../api/deployment.ts";
import { ApiPage } from "../../api/page.ts";
import { ApiStatus } from "../../api/status.ts";
import { parseDeliveryId } from "../../domain/delivery.ts";
import { DEPLOYMENT_STATES } from "../../domain/deployment.ts";
import { AppError } from "../../lib/errors.ts";
import { listCommand, printResponse, withAdminOptions, withAdminUrl } from "../admin-command.ts";
import {
  type Admin,
  type AdminOptions,
  findAdmin,
  operatorName,
  type Problem,
  readAdmin,
  readProblem,
  requestAdmin,
  toAppError,
} from "../api/client.ts";
import { followToEnd, linePrinter } from "../api/follow.ts";
import { explainUnknownTarget } from "../api/unknown-name.ts";
import { parseId } from "../arguments.ts";
import { withExamples } from "../options.ts";
import { deploymentColumns, formatDeployment } from "../output/deployment.ts";
import { makePrintable } from "../output/sanitise.ts";
import type { Finish, Terminal } from "../terminal.ts";

/** `hooklatch deployment`: what ran, what it printed, and cancelling it. */
export function deployment(terminal: Terminal, finish: Finish): Command {
  const command = new Command("deployment")
    .description("list, show and cancel deployments, and print their output")
    .addCommand(defineList(terminal))
    .addCommand(defineShow(terminal))
    .addCommand(defineLog(terminal, finish))
    .addCommand(defineCancel(terminal));
  return withExamples(command, "hooklatch deployment log 12 --follow");
}

function defineList(terminal: Terminal): Command {
  const command = new Command("list")
    .description("list the deployments, newest first")
    .option("--target <target>", "only deployments of this target")
    .addOption(new Option("--state <state>", "only deployments in this state").choices(DEPLOYMENT_STATES))
    .option("--source <source>", "only deployments from deliveries to this source")
    .option("--host <host>", "only deployments on this host");
  const list = listCommand(
    command,
    {
      path: "/api/deployments",
      item: ApiDeployment,
      columns: deploymentColumns,
      emptyMessage: "no deployments yet; see what was received with: hooklatch delivery list",
      filters: ["target", "state", "source", "host"],
    },
    terminal,
  );
  return withExamples(list, "hooklatch deployment list --target blog --state failed");
}

function defineShow(terminal: Terminal): Command {
  const command = new Command("show")
    .description("show a deployment: commits, steps, result")
    .argument("<id>", "number of the deployment", parseId);
  withAdminOptions(command).action(async (id: number, options: AdminOptions) => {
    const admin = findAdmin(options, terminal);
    const request = { path: `/api/deployments/${id}` };
    const response = await readAdmin(ApiDeployment, admin, request, explain(id));
    const isOneOfSeveral = options.json !== true && (await hasSeveralHosts(admin));
    printResponse(response, options, terminal, (deployment, style) =>
      formatDeployment(deployment, style, isOneOfSeveral),
    );
  });
  return withExamples(command, "hooklatch deployment show 12");
}

/** Where the store has one host, its name is of no use. */
async function hasSeveralHosts(admin: Admin): Promise<boolean> {
  const { value } = await readAdmin(ApiStatus, admin, { path: "/api/status" });
  return value.hosts !== null;
}

interface LogOptions extends AdminOptions {
  readonly follow?: boolean;
}

const FOLLOW = [
  "-f, --follow",
  "continue until the deployment ends; exit with 0 only if it succeeded",
] as const;

function defineLog(terminal: Terminal, finish: Finish): Command {
  const command = new Command("log")
    .description("print the output of a deployment")
    .argument("<id>", "number of the deployment", parseId)
    .option(...FOLLOW);
  withAdminUrl(command).action((id: number, options: LogOptions) =>
    printLog(findAdmin(options, terminal), id, options, terminal, finish),
  );
  return withExamples(command, "hooklatch deployment log 12", "hooklatch deployment log 12 --follow");
}

/** `hooklatch logs`: short for `hooklatch deployment log`, also of the newest deployment of a target. */
export function logs(terminal: Terminal, finish: Finish): Command {
  const command = new Command("logs")
    .description("print the output of the newest deployment, of all or of a target")
    .argument("[target]", "name of the target, or number of a deployment (default: the newest deployment)")
    .option(...FOLLOW);
  withAdminUrl(command).action(async (of: string | undefined, options: LogOptions) => {
    const admin = findAdmin(options, terminal);
    const id = parseDeliveryId(of ?? "") ?? (await findNewest(of, admin, terminal));
    return printLog(admin, id, options, terminal, finish);
  });
  return withExamples(command, "hooklatch logs blog --follow", "hooklatch logs 12");
}

/** The number of the newest deployment of a target, or of all. Throws an {@link AppError} when there is none. */
async function findNewest(
  target: string | undefined,
  admin: Admin,
  { isTty, err }: Terminal,
): Promise<number> {
  const request = { path: "/api/deployments", query: { target, limit: 1 } };
  const { value } = await readAdmin(ApiPage(ApiDeployment), admin, request);
  const [newest] = value.items;
  if (newest === undefined) {
    const unknown = target === undefined ? null : await explainUnknownTarget(target, admin);
    const of = target === undefined ? "" : ` of target ${makePrintable(target)}`;
    throw new AppError("failed", unknown ?? `no deployment${of} yet`);
  }
  const { id, target: name, state } = newest;
  if (isTty.stderr) err(`hooklatch: deployment ${id} of ${makePrintable(name)} (${state})\n`);
  return id;
}

async function printLog(
  admin: Admin,
  id: number,
  { follow = false }: LogOptions,
  terminal: Terminal,
  finish: Finish,
): Promise<void> {
  if (follow) return followToEnd(admin, id, terminal, finish, explain(id));
  const response = await requestAdmin(admin, { path: `/api/deployments/${id}/log` });
  if (response.code !== 200) throw explain(id)(readProblem(response, admin));
  const lines = response.text.split("\n");
  if (lines.at(-1) === "") lines.pop();
  if (lines.length === 0) terminal.err(`hooklatch: ${await explainSilence(id, admin)}\n`);
  lines.forEach(linePrinter(terminal));
}

/** Says why a deployment has no output: it may wait for another one of its target, which is named. */
async function explainSilence(id: number, admin: Admin): Promise<string> {
  const { value } = await readAdmin(ApiDeployment, admin, { path: `/api/deployments/${id}` }, explain(id));
  if (value.state !== "queued") return `deployment ${id} has printed nothing`;
  const query = { target: value.target, host: value.host, state: "running", limit: 1 };
  const running = await readAdmin(ApiPage(ApiDeployment), admin, { path: "/api/deployments", query });
  const queued = `deployment ${id} is queued and has printed nothing`;
  const [first] = running.value.items;
  if (first === undefined)
    return value.reason === null ? queued : `${queued}: ${makePrintable(value.reason)}`;
  return `${queued}; deployment ${first.id} of the target runs: hooklatch logs ${first.id}`;
}

interface CancelOptions extends AdminOptions {
  readonly by?: string;
}

function defineCancel(terminal: Terminal): Command {
  const command = new Command("cancel")
    .description("cancel a queued or running deployment; the live release stays")
    .argument("<id>", "number of the deployment", parseId)
    .option("--by <name>", "who cancels it (default: your user name)");
  withAdminOptions(command).action(async (id: number, options: CancelOptions) => {
    const admin = findAdmin(options, terminal);
    const body = { by: options.by ?? operatorName(admin, terminal) };
    const request = { method: "POST", path: `/api/deployments/${id}/cancel`, body } as const;
    const response = await readAdmin(ApiCancelled, admin, request, explain(id));
    printResponse(response, options, terminal, ({ status }) =>
      status === "cancelled"
        ? `deployment ${id} is cancelled; it had not started\n`
        : `deployment ${id} is being cancelled; see the result with: hooklatch deployment show ${id}\n`,
    );
  });
  return withExamples(command, "hooklatch deployment cancel 12");
}

function explain(id: number): (problem: Problem) => AppError {
  return (problem) => {
    if (problem.code === 404) {
      return new AppError("failed", `no deployment ${id}; list them with: hooklatch deployment list`);
    }
    if (problem.status === "ended") {
      const show = `hooklatch deployment show ${id}`;
      return new AppError("failed", `deployment ${id} has already ended; see the result with: ${show}`);
    }
    return toAppError(problem);
  };
}
