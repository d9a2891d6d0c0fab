import type { RepositoryAccess, Target } from "../../domain/target.ts";
import { quoteForShell } from "../../lib/text.ts";

type Environment = Readonly<Record<string, string>>;

/** Seconds that a host may take to accept the connection. */
const CONNECT_TIMEOUT = 20;

/**
 * The credentials of the target's repository as variables, for git alone and never for a step. `env` is the environment
 * that they are added to: its own ssh command stays where `access` sets nothing for ssh, and so do its git settings. The
 * token is in a variable, so that no argument list and no file has it, and is sent only to the clone URL's origin.
 */
export function credentialEnvironment(target: Target, env: Environment): Record<string, string> {
  const { access, repository } = target;
  if (repository === null) return {};
  return { ...sshVariables(target, env), ...tokenVariables(repository.cloneUrl, access.token, env) };
}

/** ssh connects only to hosts whose key is known (ssh_config(5)), since it cannot ask. */
function sshVariables({ access, passEnv }: Target, env: Environment): Record<string, string> {
  const { sshKey, knownHosts } = access;
  const hasOwn = ["GIT_SSH_COMMAND", "GIT_SSH"].some((name) => name in env || passEnv.includes(name));
  if (sshKey === null && knownHosts === null && hasOwn) return {};
  const options = [
    "BatchMode=yes",
    "StrictHostKeyChecking=yes",
    `ConnectTimeout=${CONNECT_TIMEOUT}`,
    ...(sshKey === null ? [] : ["IdentitiesOnly=yes", `IdentityFile=${quoteForSsh(sshKey)}`]),
    ...(knownHosts === null
      ? []
      : [`UserKnownHostsFile=${quoteForSsh(knownHosts)}`, "GlobalKnownHostsFile=/dev/null"]),
  ];
  // Git runs the command in a shell (git(1), GIT_SSH_COMMAND).
  return { GIT_SSH_COMMAND: ["ssh", ...options.map((option) => `-o ${quoteForShell(option)}`)].join(" ") };
}

/** A path as one word of ssh's configuration, where `%` begins a token. */
function quoteForSsh(path: string): string {
  return `"${path.replaceAll(/["\\]/g, "\\$&").replaceAll("%", "%%")}"`;
}

/** The token as HTTP Basic (RFC 7617), through settings in the environment (git-config(1), GIT_CONFIG_COUNT). */
function tokenVariables(
  cloneUrl: string,
  token: RepositoryAccess["token"],
  env: Environment,
): Record<string, string> {
  const url = URL.canParse(cloneUrl) ? new URL(cloneUrl) : null;
  if (url?.protocol !== "https:" || !token?.loaded) return {};
  // Forges check the token alone and accept any user name.
  const credentials = Buffer.from(`x-access-token:${token.reveal()}`).toString("base64");
  const settings = addSettings(env, [
    [headerSetting(url.origin), `Authorization: Basic ${credentials}`],
    // A redirect could send the token elsewhere.
    [`http.${url.origin}/.followRedirects`, "false"],
    // When the token is refused, git must not try other credentials.
    [`credential.${url.origin}.helper`, ""],
  ]);
  // Keeps the token out of the log of a traced git (git(1), GIT_TRACE_REDACT).
  return { ...settings, GIT_TRACE_REDACT: "1" };
}

function addSettings(env: Environment, settings: readonly (readonly [string, string])[]) {
  const before = Number(env.GIT_CONFIG_COUNT) || 0;
  const variables: Record<string, string> = { GIT_CONFIG_COUNT: String(before + settings.length) };
  for (const [index, [key, value]] of settings.entries()) {
    variables[`GIT_CONFIG_KEY_${before + index}`] = key;
    variables[`GIT_CONFIG_VALUE_${before + index}`] = value;
  }
  return variables;
}

function headerSetting(origin: string): string {
  return `http.${origin}/.extraHeader`;
}

/** Whether the environment has a token for this origin. */
export function hasToken(env: Environment, origin: string): boolean {
  return Object.values(env).includes(headerSetting(origin));
}
