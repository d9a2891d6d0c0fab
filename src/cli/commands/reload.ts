import { Command } from "commander";
import { ApiReloaded } from "../../api/reload.ts";
import { AppError } from "../../lib/errors.ts";
import { printResponse, withAdminOptions } from "../admin-command.ts";
import { type AdminOptions, findAdmin, type Problem, readAdmin, toAppError } from "../api/client.ts";
import { withExamples } from "../options.ts";
import { makePrintable } from "../output/sanitise.ts";
import type { Terminal } from "../terminal.ts";

/** `hooklatch reload`: makes the running server use its changed configuration. */
export function reload(terminal: Terminal): Command {
  const command = new Command("reload").description(
    "check the configuration, then make the running server use it; print what needs a restart",
  );
  withAdminOptions(command).action(async (options: AdminOptions) => {
    const admin = findAdmin(options, terminal);
    const response = await readAdmin(ApiReloaded, admin, { method: "POST", path: "/api/reload" }, explain);
    printResponse(response, options, terminal, formatReloaded);
  });
  return withExamples(command, "hooklatch reload");
}

function explain(problem: Problem): AppError {
  return problem.faults.length === 0
    ? toAppError(problem)
    : new AppError("configuration", problem.faults.join("\n"));
}

function formatReloaded({ need_restart, warnings }: ApiReloaded): string {
  const lines = [
    ...warnings.map((line) => `warn  ${makePrintable(line)}`),
    ...need_restart.map((setting) => `warn  ${makePrintable(setting)} keeps its old value until a restart`),
    "ok    the server uses the configuration",
  ];
  return `${lines.join("\n")}\n`;
}
