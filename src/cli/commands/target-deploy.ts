import { Command, Option } from "commander";
import { ApiDeployment, ApiQueued } from "../../api/deployment.ts";
import { ApiTarget } from "../../api/target.ts";
import { AppError } from "../../lib/errors.ts";
import { findNearest } from "../../lib/text.ts";
import {
  type Admin,
  type AdminBody,
  type AdminOptions,
  findAdmin,
  type Problem,
  readAdmin,
  toAppError,
  withAdminOptions,
} from "../api/client.ts";
import { describeEnd, describeLeaving, followDeployment, followToEnd, printLines } from "../api/follow.ts";
import { readAllPages } from "../api/read-all-pages.ts";
import { checkCommit } from "../arguments.ts";
import { printJson } from "../output/list.ts";
import { makePrintable } from "../output/sanitise.ts";
import { EXIT, type Finish, type Terminal } from "../terminal.ts";

interface DeployOptions extends AdminOptions {
  readonly commit?: string;
  readonly force?: boolean;
  readonly follow?: boolean;
}

/** `hooklatch target deploy`: deploys the tip, or a commit that a person chooses. */
export function defineDeploy(terminal: Terminal, finish: Finish): Command {
  const command = new Command("deploy")
    .description("deploy the tip of its branch now, or a commit of your choice")
    .argument("<target>", "the target's name")
    .option("--commit <id>", "this commit instead of the tip, at least 7 hex digits of it", checkCommit)
    .option("--force", "also when the target is locked")
    .addOption(
      new Option(
        "-f, --follow",
        "show its output until it has ended; exit with 0 only when it succeeded",
      ).conflicts("json"),
    );
  return withAdminOptions(command).action(async (name: string, options: DeployOptions) => {
    const admin = findAdmin(options, terminal);
    const { commit, force } = options;
    const { id, json } = await queue(name, "deploy", { commit, force }, admin);
    if (options.json) return printJson(json, terminal);
    if (!options.follow) {
      terminal.out(`deployment ${id} is queued: hooklatch deployment log ${id} --follow shows it\n`);
      return;
    }
    if (terminal.isTty.stderr) terminal.err(`hooklatch: deployment ${id} is queued\n`);
    const followed = await followToEnd(admin, id, printLines(terminal), { terminal, finish });
    if (followed.kind === "refused") throw toAppError(followed);
  });
}

/** `hooklatch target rollback`: makes a release live that is still on disk, and waits until it is. */
export function defineRollback(terminal: Terminal, finish: Finish): Command {
  const command = new Command("rollback")
    .description("go back to an earlier release, without a build")
    .argument("<target>", "the target's name")
    .argument("[release]", "a release that hooklatch target show names (default: the one before)");
  return withAdminOptions(command).action(
    async (name: string, release: string | undefined, options: AdminOptions) => {
      const admin = findAdmin(options, terminal);
      const { id } = await queue(name, "rollback", { release }, admin);
      const followed = await followDeployment(admin, id, () => {}, terminal);
      if (followed.kind === "refused") throw toAppError(followed);
      if (followed.kind === "left") {
        terminal.err(`hooklatch: ${describeLeaving(id)}\n`);
        return finish(EXIT.failed);
      }
      if (followed.state !== "succeeded") throw new AppError("failed", describeEnd(id, followed));
      const told = await readAdmin(ApiDeployment, admin, {
        method: "GET",
        path: `/api/deployments/${id}`,
      });
      if (!told.ok) throw toAppError(told);
      if (options.json) return printJson(told.json, terminal);
      const back = makePrintable(told.value.release ?? "the release before");
      terminal.out(`${name} is back at ${back} (deployment ${id})\n`);
    },
  );
}

async function queue(
  name: string,
  verb: "deploy" | "rollback",
  body: AdminBody,
  admin: Admin,
): Promise<{ readonly id: number; readonly json: string }> {
  const path = `/api/targets/${encodeURIComponent(name)}/${verb}`;
  const told = await readAdmin(ApiQueued, admin, { method: "POST", path, body });
  if (!told.ok) throw await explainTargetProblem(name, told, admin);
  return { id: told.value.deployment, json: told.json };
}

/** Why the server did not do something with a target, and what to do about it. Asks it for the targets there are. */
export async function explainTargetProblem(name: string, problem: Problem, admin: Admin): Promise<AppError> {
  if (problem.code === 404) return new AppError("failed", await explainUnknown(name, admin));
  if (problem.status === "locked") {
    const lock = problem.reason ?? "locked";
    return new AppError(
      "failed",
      `target ${name} is ${lock}; hooklatch target unlock ${name} opens it, --force deploys all the same`,
    );
  }
  if (problem.status === "not locked") return new AppError("failed", `target ${name} is not locked`);
  return toAppError(problem);
}

async function explainUnknown(name: string, admin: Admin): Promise<string> {
  const told = await readAllPages(ApiTarget, admin, { path: "/api/targets" });
  const names = told.ok ? told.value.items.map((target) => makePrintable(target.name)) : [];
  const missing = `there is no target ${makePrintable(name)}`;
  if (names.length === 0) return `${missing}: the server's configuration has no [[target]]`;
  const { word, isLikely } = findNearest(name, names);
  if (isLikely) return `${missing}; did you mean ${word}?`;
  const others = names.length > MOST_NAMED ? `, and ${names.length - MOST_NAMED} others` : "";
  return `${missing}; there are ${names.slice(0, MOST_NAMED).join(", ")}${others}`;
}

const MOST_NAMED = 10;
