import { hostname } from "node:os";
import { Command } from "commander";
import { AppError } from "../../lib/errors.ts";
import { currentUser } from "../../lib/os-user.ts";
import { quoteForShell } from "../../lib/text.ts";
import { withAdminUrl } from "../admin-command.ts";
import {
  type Admin,
  type AdminOptions,
  explainRejectedToken,
  findAdmin,
  requestAdmin,
} from "../api/client.ts";
import { withExamples } from "../options.ts";
import { makePrintable } from "../output/sanitise.ts";
import type { Terminal } from "../terminal.ts";

/** `hooklatch dashboard`: where the dashboard is, and how to log in. */
export function dashboard(terminal: Terminal): Command {
  const command = new Command("dashboard").description(
    "print the address of the dashboard, and how to reach it from another machine",
  );
  withAdminUrl(command).action(async (options: AdminOptions) => {
    const admin = findAdmin(options, terminal);
    // Also fails when the server does not run.
    const { code } = await requestAdmin(admin, { path: "/" });
    if (code === 401) throw new AppError("failed", explainRejectedToken(admin));
    if (code === 404) {
      throw new AppError(
        "failed",
        "the dashboard is off: set [admin] dashboard = true and reload the server",
      );
    }
    if (code !== 200) throw new AppError("failed", `unexpected response (${code}) from ${admin.url}`);
    terminal.out(describeDashboard(admin, terminal));
  });
  return withExamples(command, "hooklatch dashboard");
}

function describeDashboard(admin: Admin, terminal: Terminal): string {
  const { isRemote, tokenOrigin } = admin;
  const address = admin.url.endsWith("/") ? admin.url : `${admin.url}/`;
  const token = `Log in with the admin token: ${explainToken(tokenOrigin)}\n`;
  if (isRemote) return `${address}\n\n${token}`;
  const { host, port } = new URL(address);
  const user = currentUser().USER ?? terminal.env.USER ?? "USER";
  const tunnel = `ssh -N -L ${port}:${host} ${user}@${hostname()}`;
  return `${address}

${token}
From another machine, open a tunnel and then http://127.0.0.1:${port}/ there:
  ${makePrintable(tunnel)}
`;
}

/** Where a person finds the token. It is never printed: terminals and their logs keep what they show. */
export function explainToken(origin: string): string {
  const [, kind, name = ""] = /^(file|env|credential):(.*)$/s.exec(origin) ?? [];
  if (kind === "file")
    return makePrintable(`cat ${/^[\w@%+=:,./-]+$/.test(name) ? name : quoteForShell(name)}`);
  if (kind === "env") return makePrintable(`the value of $${name} in the environment of the server`);
  if (kind === "credential") return makePrintable(`the credential ${name} of the service`);
  return origin.startsWith("$")
    ? makePrintable(`the value of ${origin}`)
    : "token in [admin] of the configuration";
}
