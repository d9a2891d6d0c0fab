import { Command } from "commander";
import { ApiStatus } from "../../api/status.ts";
import { printResponse, withAdminOptions } from "../admin-command.ts";
import { type AdminOptions, findAdmin, readAdmin } from "../api/client.ts";
import { withExamples } from "../options.ts";
import { formatStatus } from "../output/status.ts";
import type { Terminal } from "../terminal.ts";

/** `hooklatch status`: what the running server serves, and what it does now. */
export function status(terminal: Terminal): Command {
  const command = new Command("status").description(
    "show the running server: sources, queue, store, certificate",
  );
  withAdminOptions(command).action(async (options: AdminOptions) => {
    const response = await readAdmin(ApiStatus, findAdmin(options, terminal), { path: "/api/status" });
    printResponse(response, options, terminal, formatStatus);
  });
  return withExamples(command, "hooklatch status", "hooklatch status --json");
}
