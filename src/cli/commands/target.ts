import { Command } from "commander";
import { ApiLocked, ApiTarget, ApiTargetDetails, ApiUnlocked } from "../../api/target.ts";
import { type AdminOptions, findAdmin, readAdmin, withAdminOptions } from "../api/client.ts";
import { checkDuration, checkWords } from "../arguments.ts";
import { operatorName } from "../operator-name.ts";
import { printJson, showsList } from "../output/list.ts";
import { makePrintable } from "../output/sanitise.ts";
import { createStyle, showMoment } from "../output/style.ts";
import { describeTarget, formatTarget } from "../output/target.ts";
import type { Finish, Terminal } from "../terminal.ts";
import { defineDeploy, defineRollback, explainTargetProblem } from "./target-deploy.ts";

/** `hooklatch target list|show|deploy|rollback|lock|unlock`: what is live, and deciding what is. */
export function target(terminal: Terminal, finish: Finish): Command {
  return new Command("target")
    .description("what is live, and deploying, going back, locking by hand")
    .addHelpText("after", "\nExample: hooklatch target deploy blog --follow")
    .addCommand(defineList(terminal))
    .addCommand(defineShow(terminal))
    .addCommand(defineDeploy(terminal, finish))
    .addCommand(defineRollback(terminal, finish))
    .addCommand(defineLock(terminal))
    .addCommand(defineUnlock(terminal));
}

function defineList(terminal: Terminal): Command {
  return showsList(
    new Command("list").description("the targets: what is live, what runs, what failed, what is locked"),
    {
      path: "/api/targets",
      item: ApiTarget,
      columns: describeTarget,
      whenEmpty: "there are no targets: a [[target]] in the server's configuration makes one",
      filters: [],
      isWhole: true,
    },
    terminal,
  );
}

function defineShow(terminal: Terminal): Command {
  const command = new Command("show")
    .description("one target, with the releases that are on disk")
    .argument("<target>", "the target's name");
  return withAdminOptions(command).action(async (name: string, options: AdminOptions) => {
    const admin = findAdmin(options, terminal);
    const told = await readAdmin(ApiTargetDetails, admin, { method: "GET", path: pathOf(name) });
    if (!told.ok) throw await explainTargetProblem(name, told, admin);
    if (options.json) return printJson(told.json, terminal);
    terminal.out(formatTarget(told.value, createStyle(terminal)));
  });
}

interface LockOptions extends AdminOptions {
  readonly reason: string;
  readonly for?: string;
  readonly by?: string;
}

function defineLock(terminal: Terminal): Command {
  const command = new Command("lock")
    .description("keep pushes from being deployed; they are kept, and unlocking deploys the newest")
    .argument("<target>", "the target's name")
    .requiredOption("--reason <text>", "why, for those whose pushes wait (required)", checkWords)
    .option("--for <duration>", 'how long, such as "2h" (default: until it is unlocked)', checkDuration)
    .option("--by <who>", "who locks it (default: your user name)", checkWords);
  return withAdminOptions(command).action(async (name: string, options: LockOptions) => {
    const admin = findAdmin(options, terminal);
    const body = {
      reason: options.reason,
      by: options.by ?? operatorName(admin, terminal),
      for: options.for,
    };
    const told = await readAdmin(ApiLocked, admin, { method: "POST", path: `${pathOf(name)}/lock`, body });
    if (!told.ok) throw await explainTargetProblem(name, told, admin);
    if (options.json) return printJson(told.json, terminal);
    const until = told.value.target.locked?.until ?? null;
    const end = until === null ? "" : ` until ${makePrintable(showMoment(until, createStyle(terminal)))}`;
    terminal.out(
      `${name} is locked${end}: pushes wait, and hooklatch target unlock ${name} deploys the newest\n`,
    );
  });
}

function defineUnlock(terminal: Terminal): Command {
  const command = new Command("unlock")
    .description("let pushes be deployed again, beginning with the newest that came meanwhile")
    .argument("<target>", "the target's name");
  return withAdminOptions(command).action(async (name: string, options: AdminOptions) => {
    const admin = findAdmin(options, terminal);
    const path = `${pathOf(name)}/unlock`;
    const told = await readAdmin(ApiUnlocked, admin, { method: "POST", path });
    if (!told.ok) throw await explainTargetProblem(name, told, admin);
    if (options.json) return printJson(told.json, terminal);
    terminal.out(`${name} is unlocked: ${makePrintable(told.value.reason)}\n`);
  });
}

function pathOf(name: string): string {
  return `/api/targets/${encodeURIComponent(name)}`;
}
