import type { Static, TSchema } from "@sinclair/typebox";
import { Command, Option } from "commander";
import { ApiDeployment, ApiQueued } from "../../api/deployment.ts";
import { ApiLocked, ApiTarget, ApiTargetDetails, ApiUnlocked } from "../../api/target.ts";
import { AppError } from "../../lib/errors.ts";
import { shortenCommit } from "../../lib/text.ts";
import { listCommand, printResponse, withAdminOptions } from "../admin-command.ts";
import {
  type Admin,
  type AdminOptions,
  type AdminRequest,
  type AdminResponse,
  type ExplainProblem,
  findAdmin,
  operatorName,
  readAdmin,
  toAppError,
} from "../api/client.ts";
import { describeFollowed, followDeployment, followToEnd } from "../api/follow.ts";
import { explainUnknownTarget } from "../api/unknown-name.ts";
import { checkCommit, checkDuration, checkText } from "../arguments.ts";
import { withExamples } from "../options.ts";
import { formatQueuedOnHosts } from "../output/deployment.ts";
import { makePrintable } from "../output/sanitise.ts";
import { formatLocked, formatTarget, targetColumns, toHostRows } from "../output/target.ts";
import { EXIT, type Finish, type Terminal } from "../terminal.ts";

/** `hooklatch target`: what is live, and deploying, rolling back and locking it. */
export function target(terminal: Terminal, finish: Finish): Command {
  const command = new Command("target")
    .description("list, deploy, roll back, lock and unlock targets")
    .addCommand(defineList(terminal))
    .addCommand(defineShow(terminal))
    .addCommand(defineDeploy(terminal, finish, "hooklatch target deploy"))
    .addCommand(defineRollback(terminal, finish, "hooklatch target rollback"))
    .addCommand(defineLock(terminal))
    .addCommand(defineUnlock(terminal));
  return withExamples(command, "hooklatch target deploy blog --follow");
}

/** `hooklatch deploy`: short for `hooklatch target deploy`. */
export function deploy(terminal: Terminal, finish: Finish): Command {
  return defineDeploy(terminal, finish, "hooklatch deploy");
}

/** `hooklatch rollback`: short for `hooklatch target rollback`. */
export function rollback(terminal: Terminal, finish: Finish): Command {
  return defineRollback(terminal, finish, "hooklatch rollback");
}

function defineList(terminal: Terminal): Command {
  const command = listCommand(
    new Command("list")
      .description("list the targets: live commit, state, lock")
      .option("--host <host>", "only targets that are deployed on this host"),
    {
      path: "/api/targets",
      item: ApiTarget,
      columns: targetColumns,
      toRows: (targets, { host }) => toHostRows(targets, host === undefined ? undefined : String(host)),
      emptyMessage: "no targets: add a [[target]] to the server's configuration",
      filters: ["host"],
      allPages: true,
    },
    terminal,
  );
  return withExamples(command, "hooklatch target list");
}

function defineShow(terminal: Terminal): Command {
  const command = new Command("show")
    .description("show a target and its releases")
    .argument("<target>", "name of the target");
  withAdminOptions(command).action(async (name: string, options: AdminOptions) => {
    const response = await requestTarget(ApiTargetDetails, name, "", {}, findAdmin(options, terminal));
    printResponse(response, options, terminal, formatTarget);
  });
  return withExamples(command, "hooklatch target show blog");
}

interface DeployOptions extends AdminOptions {
  readonly commit?: string;
  readonly force?: boolean;
  readonly follow?: boolean;
}

function defineDeploy(terminal: Terminal, finish: Finish, words: string): Command {
  const command = new Command("deploy")
    .description("deploy the tip of the branch, or another commit")
    .argument("<target>", "name of the target")
    .option("--commit <id>", "deploy this commit: at least 7 hex digits of its id", checkCommit)
    .option("--force", "deploy a locked target too")
    .addOption(
      new Option(
        "-f, --follow",
        "print the output until the deployment ends; exit with 0 only if it succeeded (not with --json)",
      ).conflicts("json"),
    );
  withAdminOptions(command).action(async (name: string, options: DeployOptions) => {
    const admin = findAdmin(options, terminal);
    const { commit, force } = options;
    const request = { method: "POST", body: { commit: commit?.toLowerCase(), force } } as const;
    const response = await requestTarget(ApiQueued, name, "/deploy", request, admin);
    if (!options.follow) {
      return printResponse(response, options, terminal, (queued) => `${formatQueuedOnHosts(queued)}\n`);
    }
    const { deployments } = response.value;
    for (const { id, host } of deployments) {
      const where = deployments.length > 1 ? ` on host ${makePrintable(host)}` : "";
      const why = await explainWait(id, admin);
      if (terminal.isTty.stderr || where !== "" || why !== "")
        terminal.err(`hooklatch: deployment ${id}${where} is queued${why}\n`);
      await followToEnd(admin, id, terminal, finish, toAppError);
    }
  });
  return withExamples(command, `${words} blog --follow`, `${words} blog --commit 1a2b3c4 --force`);
}

/** What a deployment waits for on other hosts, to append to a sentence; empty where it waits for nothing. */
async function explainWait(id: number, admin: Admin): Promise<string> {
  const { value } = await readAdmin(ApiDeployment, admin, { path: `/api/deployments/${id}` });
  return value.state === "queued" && value.reason !== null ? `: ${makePrintable(value.reason)}` : "";
}

const ROLLBACK_WAITS = `
The command waits until the rollback has ended. With --json it then prints the
deployment, as deployment show --json does; on several hosts, one line for each.`;

function defineRollback(terminal: Terminal, finish: Finish, words: string): Command {
  const command = new Command("rollback")
    .description("make an earlier release live, without a build")
    .argument("<target>", "name of the target")
    .argument("[release]", "a release that `hooklatch target show` lists (default: the previous one)")
    .addHelpText("after", ROLLBACK_WAITS);
  withAdminOptions(command).action(
    async (name: string, release: string | undefined, options: AdminOptions) => {
      const admin = findAdmin(options, terminal);
      const request = { method: "POST", body: { release } } as const;
      const { value } = await requestTarget(ApiQueued, name, "/rollback", request, admin);
      for (const { id } of value.deployments) {
        const followed = await followDeployment(admin, id, { terminal, onLine() {}, explain: toAppError });
        if (followed.kind === "stopped") {
          terminal.err(`hooklatch: ${describeFollowed(id, followed)}\n`);
          return finish(EXIT.failed);
        }
        if (followed.state !== "succeeded") throw new AppError("failed", describeFollowed(id, followed));
        const response = await readAdmin(ApiDeployment, admin, { path: `/api/deployments/${id}` });
        printResponse(response, options, terminal, ({ host, release, commit }) => {
          const live = release === null ? "the previous release" : `release ${makePrintable(release)}`;
          const of = commit === null ? "" : `commit ${makePrintable(shortenCommit(commit))}, `;
          const on = value.deployments.length > 1 ? ` on host ${makePrintable(host)}` : "";
          return `${name} is rolled back to ${live}${on} (${of}deployment ${id})\n`;
        });
      }
    },
  );
  return withExamples(command, `${words} blog`, `${words} blog 20261121T203000Z-0123456789ab`);
}

interface LockOptions extends AdminOptions {
  readonly reason: string;
  readonly for?: string;
  readonly by?: string;
}

function defineLock(terminal: Terminal): Command {
  const command = new Command("lock")
    .description('lock a target: pushes are held, and deliveries of queue = "all" wait, until it is unlocked')
    .argument("<target>", "name of the target")
    .requiredOption("--reason <text>", "why the target is locked (required)", checkText)
    .option("--for <duration>", "unlock after this time, such as 2h (default: only by hand)", checkDuration)
    .option("--by <name>", "who locks it (default: your user name)", checkText);
  withAdminOptions(command).action(async (name: string, options: LockOptions) => {
    const admin = findAdmin(options, terminal);
    const { reason, by = operatorName(admin, terminal) } = options;
    const request = { method: "POST", body: { reason, by, for: options.for } } as const;
    const response = await requestTarget(ApiLocked, name, "/lock", request, admin);
    printResponse(response, options, terminal, formatLocked);
  });
  return withExamples(command, 'hooklatch target lock blog --reason "release freeze" --for 2h');
}

function defineUnlock(terminal: Terminal): Command {
  const command = new Command("unlock")
    .description("unlock a target and deploy the newest push, or the whole queue, that the lock held")
    .argument("<target>", "name of the target");
  withAdminOptions(command).action(async (name: string, options: AdminOptions) => {
    const admin = findAdmin(options, terminal);
    const response = await requestTarget(ApiUnlocked, name, "/unlock", { method: "POST" }, admin);
    printResponse(
      response,
      options,
      terminal,
      ({ reason }) => `${name} is unlocked: ${makePrintable(reason)}\n`,
    );
  });
  return withExamples(command, "hooklatch target unlock blog");
}

/** Requests `/api/targets/<name>`, or an action such as `/lock` below it. */
function requestTarget<Schema extends TSchema>(
  schema: Schema,
  name: string,
  action: string,
  request: Omit<AdminRequest, "path">,
  admin: Admin,
): Promise<AdminResponse<Static<Schema>>> {
  const path = `/api/targets/${encodeURIComponent(name)}${action}`;
  return readAdmin(schema, admin, { ...request, path }, explain(name, admin));
}

function explain(name: string, admin: Admin): ExplainProblem {
  return async (problem) => {
    if (problem.code === 404)
      return new AppError(
        "failed",
        (await explainUnknownTarget(name, admin)) ?? `no target ${makePrintable(name)}`,
      );
    if (problem.status === "locked") {
      const unlock = `unlock it with: hooklatch target unlock ${name}, or pass --force`;
      return new AppError("failed", `target ${name} is ${problem.reason ?? "locked"}; ${unlock}`);
    }
    if (problem.status === "not locked") return new AppError("failed", `target ${name} is not locked`);
    return toAppError(problem);
  };
}
