import { existsSync, readFileSync } from "node:fs";
import { AppError } from "../../lib/errors.ts";
import type { Terminal } from "../terminal.ts";
import { type Action, apply, type Found, formatMode, inspect, originalOf, userCommands } from "./actions.ts";
import type { Host } from "./host.ts";
import { CONFIG_FILE, DATA_DIRECTORY, type Plan } from "./plan.ts";

/** What became of the plan. */
export interface SetUp {
  /** Whether the configuration is the one of the plan, so that the values for the sender are known. */
  readonly isConfigured: boolean;
}

/**
 * Does what is missing of a plan and prints a line for each action; with `isDryRun` it prints everything that it would
 * write, and changes nothing. Throws an {@link AppError} `failed` when something cannot be written; a repetition
 * continues there.
 */
export async function setUp(
  { actions, hasSystemd }: Plan,
  isDryRun: boolean,
  host: Host,
  { out }: Pick<Terminal, "out">,
): Promise<SetUp> {
  const configuration = actions.find((action) => action.kind === "file" && action.path === CONFIG_FILE);
  const isConfigured =
    configuration === undefined || (await inspect(configuration, host)).kind !== "different";
  let isUnitNew = false;
  for (const action of actions) {
    const found = await inspect(action, host);
    const isNew = found.kind === "missing" || found.kind === "placeholder";
    if (isNew && !isConfigured && isForConfiguration(action)) {
      out(`skipped  ${nameOf(action)}: ${CONFIG_FILE} has other content and may not use it\n`);
      continue;
    }
    if (isNew && !isDryRun) await apply(action, host);
    out(describe(action, found, isDryRun));
    if (isNew && isDryRun) out(preview(action));
    isUnitNew ||= isNew && action.kind === "file" && action.path.startsWith("/etc/systemd/");
  }
  if (isUnitNew) {
    const command = ["systemctl", "daemon-reload"];
    out(`${isDryRun ? "would run" : "ran     "} ${command.join(" ")}\n`);
    const { exitCode, lines } = isDryRun ? { exitCode: 0, lines: [] } : await host.run(command);
    if (exitCode !== 0) throw new AppError("failed", `${command.join(" ")} failed: ${lines.join("; ")}`);
  }
  if (!hasSystemd) out("\nsystemd does not run here: no unit and no polkit rule are written.\n");
  else if (actions.some(isRule) && !hasPolkit(host)) {
    out("\npolkit is not installed, and without it no rule takes effect: apt-get install polkitd\n");
  }
  return { isConfigured };
}

/** Whether the action creates a secret or the directory of a site, which the configuration names. */
function isForConfiguration(action: Action): boolean {
  if (action.kind === "file") return action.content.kind === "secret";
  return (
    action.kind === "directory" && action.owner === "hooklatch:hooklatch" && action.path !== DATA_DIRECTORY
  );
}

function isRule(action: Action): boolean {
  return action.kind === "file" && action.path.endsWith(".rules");
}

function hasPolkit({ root }: Host): boolean {
  return ["/usr/lib/polkit-1/polkitd", "/usr/libexec/polkitd", "/usr/libexec/polkit-1/polkitd"].some((path) =>
    existsSync(root + path),
  );
}

function nameOf(action: Action): string {
  return action.kind === "user" ? `user and group ${action.name}` : action.path;
}

function describe(action: Action, found: Found, isDryRun: boolean): string {
  const name = nameOf(action);
  const details = action.kind === "user" ? "" : ` (mode ${formatMode(action.mode)}, ${action.owner})`;
  switch (found.kind) {
    case "missing":
      return `${isDryRun ? "would create" : "created "} ${name}${details}\n`;
    case "placeholder":
      return `${isDryRun ? "would create" : "created "} ${name}${details}; the earlier file, which has comments only, ${isDryRun ? "becomes" : "is now"} ${originalOf(name)}\n`;
    case "same":
      return `exists   ${name}\n`;
    case "hidden":
      return `unknown  ${name}: only root may look\n`;
    case "different":
      return `differs  ${name}, and is not changed:\n${found.differences.map((each) => `           ${each}\n`).join("")}`;
  }
}

/** What a dry run would do, line by line. */
function preview(action: Action): string {
  const lines =
    action.kind === "user"
      ? userCommands(action).shadow.map((command) => command.join(" "))
      : action.kind === "directory"
        ? []
        : action.content.kind === "secret"
          ? ["(32 random bytes)"]
          : action.content.kind === "copy"
            ? [`(a copy of ${action.content.of})`]
            : action.content.text.trimEnd().split("\n");
  return lines
    .map((line) => `    ${line}`.trimEnd())
    .map((line) => `${line}\n`)
    .join("");
}

/** The text of a secret file; null if it is missing, or if this user may not read it. */
export function readSecretFile(path: string, { root }: Host): string | null {
  try {
    return readFileSync(root + path, "utf8").trim();
  } catch {
    return null;
  }
}
