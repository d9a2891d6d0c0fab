import { Command, Option } from "commander";
import { Fault } from "../domain/fault.ts";
import { DeploymentAnswer, QueuedAnswer } from "./admin-answers.ts";
import {
  type Admin,
  type AdminBody,
  type AdminOptions,
  findAdmin,
  readAdmin,
  toFault,
  withAdminOptions,
} from "./admin-client.ts";
import { checkCommit } from "./arguments.ts";
import { describeEnd, describeLeaving, followDeployment, followToEnd, printLines } from "./follow.ts";
import { printJson } from "./list.ts";
import { makePrintable } from "./printable-text.ts";
import { explainTargetProblem } from "./target-problem.ts";
import { EXIT, type Finish, type Terminal } from "./terminal.ts";

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
    if (followed.kind === "refused") throw toFault(followed);
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
      if (followed.kind === "refused") throw toFault(followed);
      if (followed.kind === "left") {
        terminal.err(`hooklatch: ${describeLeaving(id)}\n`);
        return finish(EXIT.failed);
      }
      if (followed.state !== "succeeded") throw new Fault("failed", describeEnd(id, followed));
      const told = await readAdmin(DeploymentAnswer, admin, {
        method: "GET",
        path: `/api/deployments/${id}`,
      });
      if (!told.ok) throw toFault(told);
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
  const told = await readAdmin(QueuedAnswer, admin, { method: "POST", path, body });
  if (!told.ok) throw await explainTargetProblem(name, told, admin);
  return { id: told.value.deployment, json: told.json };
}
