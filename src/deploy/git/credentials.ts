import type { RepositoryAccess, Target } from "../../domain/target.ts";
import { quoteForShell } from "../../lib/text.ts";

type Environment = Readonly<Record<string, string>>;

/** Seconds that a host may take to answer at all. */
const CONNECT_TIMEOUT = 20;

/**
 * How git reaches the target's repository, as variables for git alone and never for a step. `env` is the environment
 * that they are added to: an ssh command of its own is kept where `access` says nothing of ssh, and so are its
 * settings for git. The token stands in a variable, so it is in no argument list and in no file, and goes to the
 * clone URL's own origin only.
 */
export function credentialEnvironment(target: Target, env: Environment): Record<string, string> {
  const { access, repository } = target;
  if (repository === null) return {};
  return { ...sshVariables(target, env), ...tokenVariables(repository.cloneUrl, access.token, env) };
}

/** No host is talked to whose key is not known (ssh_config(5)): nobody is there to be asked. */
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
  // Git gives the command to a shell (git(1), GIT_SSH_COMMAND).
  return { GIT_SSH_COMMAND: ["ssh", ...options.map((option) => `-o ${quoteForShell(option)}`)].join(" ") };
}

/** A path as one word of ssh's configuration, in which `%` begins a token. */
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
  // Forges go by the token alone and take any user name.
  const credentials = Buffer.from(`x-access-token:${token.reveal()}`).toString("base64");
  const settings = addSettings(env, [
    [headerSetting(url.origin), `Authorization: Basic ${credentials}`],
    // A redirect leads to where nobody said that the token may go.
    [`http.${url.origin}/.followRedirects`, "false"],
    // When it is refused, that is the answer: nobody else's password is tried in its place.
    [`credential.${url.origin}.helper`, ""],
  ]);
  // Nor does it come into the log where somebody traces git's requests (git(1), GIT_TRACE_REDACT).
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
