import { Command } from "commander";
import { ApiReloaded } from "../../api/reload.ts";
import { MissingTokenError } from "../../config/admin-access.ts";
import { AppError } from "../../lib/errors.ts";
import { printResponse, withAdminOptions } from "../admin-command.ts";
import {
  type AdminOptions,
  type AdminResponse,
  findAdmin,
  type Problem,
  readAdmin,
  toAppError,
} from "../api/client.ts";
import { UnreachableError } from "../api/request.ts";
import { withExamples } from "../options.ts";
import { makePrintable } from "../output/sanitise.ts";
import type { Terminal } from "../terminal.ts";

/** `hooklatch reload`: makes the running server use its changed configuration. */
export function reload(terminal: Terminal): Command {
  const command = new Command("reload").description(
    "check the configuration, then make the running server use it; print what needs a restart",
  );
  withAdminOptions(command).action(async (options: AdminOptions) => {
    const response = await requestReload(options, terminal).catch((error: unknown) => {
      throw options.adminUrl === undefined ? explainUnfound(error) : error;
    });
    printResponse(response, options, terminal, formatReloaded);
  });
  return withExamples(command, "hooklatch reload");
}

async function requestReload(options: AdminOptions, terminal: Terminal): Promise<AdminResponse<ApiReloaded>> {
  const admin = findAdmin(options, terminal);
  return readAdmin(ApiReloaded, admin, { method: "POST", path: "/api/reload" }, explain);
}

const OLD_ACCESS =
  "after a change of [admin] or data_dir, the server still uses the old ones: send it SIGHUP (systemctl reload hooklatch), or pass its old admin URL as --admin-url";

/** The changed configuration leads to the admin listener, and may be what the server has to reload. */
function explainUnfound(error: unknown): unknown {
  const isUnfound = error instanceof UnreachableError || error instanceof MissingTokenError;
  return isUnfound ? new AppError(error.code, `${error.message}\n${OLD_ACCESS}`, error) : error;
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
