import type { Target } from "../../domain/target.ts";
import type { Secret } from "../../lib/secret.ts";
import { quoteForShell } from "../../lib/text.ts";

type Environment = Readonly<Record<string, string>>;

/** Seconds that a host may take to accept the connection. */
const CONNECT_TIMEOUT = 20;

/**
 * The credentials of the target's repository as environment variables, for git alone and never for a step. `env` is the
 * environment that they are added to; its own ssh command stays where the target configures nothing for ssh. The token
 * is in a variable, so that it is in no argument list and no file, and is sent only to the clone URL's origin.
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
  const options = ["BatchMode=yes", "StrictHostKeyChecking=yes", `ConnectTimeout=${CONNECT_TIMEOUT}`];
  if (sshKey !== null) options.push("IdentitiesOnly=yes", `IdentityFile=${quoteForSsh(sshKey)}`);
  if (knownHosts !== null) {
    options.push(`UserKnownHostsFile=${quoteForSsh(knownHosts)}`, "GlobalKnownHostsFile=/dev/null");
  }
  // Git runs the command in a shell (git(1), GIT_SSH_COMMAND).
  return { GIT_SSH_COMMAND: ["ssh", ...options.map((option) => `-o ${quoteForShell(option)}`)].join(" ") };
}

/** A path as one word of ssh's configuration, where `%` begins a token. */
function quoteForSsh(path: string): string {
  return `"${path.replaceAll(/["\\]/g, "\\$&").replaceAll("%", "%%")}"`;
}

/** The token as HTTP Basic (RFC 7617), in settings that git reads from variables (git-config(1), GIT_CONFIG_COUNT). */
function tokenVariables(cloneUrl: string, token: Secret | null, env: Environment): Record<string, string> {
  const url = URL.canParse(cloneUrl) ? new URL(cloneUrl) : null;
  if (url?.protocol !== "https:" || !token?.loaded) return {};
  // Forges check the token alone and accept any user name.
  const credentials = Buffer.from(`x-access-token:${token.reveal()}`).toString("base64");
  const settings = [
    [headerSetting(url.origin), `Authorization: Basic ${credentials}`],
    // A redirect could send the token elsewhere.
    [`http.${url.origin}/.followRedirects`, "false"],
    // When the token is rejected, git must not try other credentials.
    [`credential.${url.origin}.helper`, ""],
  ];
  const first = Number(env.GIT_CONFIG_COUNT) || 0;
  const variables = settings.flatMap(([key = "", value = ""], index) => [
    [`GIT_CONFIG_KEY_${first + index}`, key],
    [`GIT_CONFIG_VALUE_${first + index}`, value],
  ]);
  return {
    ...Object.fromEntries(variables),
    GIT_CONFIG_COUNT: String(first + settings.length),
    // Keeps the token out of the output of a traced git (git(1), GIT_TRACE_REDACT).
    GIT_TRACE_REDACT: "1",
  };
}

function headerSetting(origin: string): string {
  return `http.${origin}/.extraHeader`;
}

/** Whether the environment has a token for this origin. */
export function hasToken(env: Environment, origin: string): boolean {
  return Object.values(env).includes(headerSetting(origin));
}
