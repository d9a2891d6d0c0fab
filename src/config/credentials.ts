import type { Provider } from "../domain/provider.ts";
import type { CommitStatus, RepositoryAccess, WatchedRepository } from "../domain/target.ts";
import type { ReadContext } from "./read/context.ts";
import { child } from "./read/issues.ts";
import { warnOfPlainHttp } from "./read/network.ts";
import { resolvePath } from "./read/paths.ts";
import { transportOf } from "./repository.ts";
import { loadToken } from "./secrets.ts";
import type { TargetSettings } from "./target-schema.ts";

/** Reads how a target's repository is reached. The files need not exist: `check` and each deployment look. */
export function readCredentials(
  target: TargetSettings,
  repository: WatchedRepository | null | undefined,
  context: ReadContext,
): RepositoryAccess {
  const { values, place } = target;
  const toPath = (key: "ssh_key" | "known_hosts") => {
    const { [key]: path } = values;
    return path === undefined ? null : resolvePath(path, context.directory, child(place, key), context);
  };
  if (values.token !== undefined) loadToken(values.token, child(place, "token"), context);
  if (repository) checkTransport(target, repository, context);
  return Object.freeze({
    sshKey: toPath("ssh_key"),
    knownHosts: toPath("known_hosts"),
    token: values.token ?? null,
  });
}

/** Advice for a token with a transport other than https. It does not repeat the URL, which may hold a secret. */
const TOKEN_ADVICE = {
  http: "over http anyone on the network path could read the token: use https",
  ssh: 'for ssh, set "ssh_key" instead, or use an https URL',
  git: "the git protocol has no authentication: use an https URL, or remove the token",
  file: "a local repository needs no token: remove it",
} as const;

function checkTransport(
  { has, place }: TargetSettings,
  { cloneUrl }: WatchedRepository,
  { issues }: ReadContext,
): void {
  const transport = transportOf(cloneUrl);
  if (has("token") && transport !== "https") {
    issues.fault(child(place, "token"), `needs an https "clone_url"; ${TOKEN_ADVICE[transport]}`);
  }
  if (transport === "ssh") return;
  for (const key of ["ssh_key", "known_hosts"] as const) {
    if (!has(key)) continue;
    issues.warn(
      child(place, key),
      'has no effect: "clone_url" is not an ssh address such as "git@github.com:octocat/blog.git"',
    );
  }
}

/**
 * Reads where a target's commit statuses are sent; null when they are not. Without a provider, because the source is
 * faulty, a missing `status_url` is no fault.
 */
export function readCommitStatus(
  target: TargetSettings,
  provider: Provider | undefined,
  context: ReadContext,
): CommitStatus | null {
  const { has, place, values } = target;
  const at = child(place, "status_url");
  if (values.status_token !== undefined) {
    loadToken(values.status_token, child(place, "status_token"), context);
  }
  if (has("status_url") && !has("status_token")) context.issues.fault(at, 'needs "status_token"');
  if (
    has("status_token") &&
    !has("status_url") &&
    provider !== undefined &&
    provider.statusApi === undefined
  ) {
    context.issues.fault(
      at,
      `is missing: provider "${provider.name}" has no default API, so set the base URL of the forge's API`,
    );
  }
  const url = values.status_url ?? (has("status_url") ? undefined : provider?.statusApi);
  if (values.status_token === undefined || url === undefined) return null;
  warnOfPlainHttp(new URL(url), at, context);
  return Object.freeze({ token: values.status_token, apiUrl: new URL(url).href.replace(/\/+$/, "") });
}
