import { resolve } from "node:path";
import type { Provider } from "../domain/provider.ts";
import type { CommitStatus, RepositoryAccess, WatchedRepository } from "../domain/target.ts";
import type { ReadContext } from "./read/context.ts";
import { child } from "./read/issues.ts";
import { parseHttpUrl, warnOfPlainHttp } from "./read/network.ts";
import { transportOf } from "./repository.ts";
import type { TargetSection } from "./schema.ts";
import { loadToken } from "./secrets.ts";

/**
 * How the target's repository is reached. Whether the files are there is not asked: they belong to the world,
 * which may change.
 */
export function readCredentials(
  section: TargetSection,
  watch: WatchedRepository | null | undefined,
  ground: ReadContext,
): RepositoryAccess {
  const { values, place } = section;
  const at = (path: string | undefined) => (path === undefined ? null : resolve(ground.directory, path));
  if (values.token !== undefined) loadToken(values.token, child(place, "token"), ground);
  if (watch) checkTransport(section, watch, ground);
  return Object.freeze({
    sshKey: at(values.ssh_key),
    knownHosts: at(values.known_hosts),
    token: values.token ?? null,
  });
}

/** What to do where there is a token and another transport than https; an address itself may hold a secret. */
const NO_TOKEN = {
  http: "an http URL, on which everybody on the way could read the token: write https",
  ssh: 'an address for ssh: name a key in "ssh_key" instead, or write an https URL',
  git: "a git URL, which asks for no token: write an https URL, or leave the token out",
  file: "one on this machine: leave the token out",
} as const;

function checkTransport(
  { has, place }: TargetSection,
  { cloneUrl }: WatchedRepository,
  { report }: ReadContext,
): void {
  const transport = transportOf(cloneUrl);
  if (has("token") && transport !== "https") {
    report.fault(
      child(place, "token"),
      `expected an https "clone_url" beside it, found ${NO_TOKEN[transport]}`,
    );
  }
  if (transport === "ssh") return;
  for (const key of ["ssh_key", "known_hosts"] as const) {
    if (!has(key)) continue;
    report.warn(
      child(place, key),
      'is for ssh only, but "clone_url" is no address for ssh, such as "git@github.com:octocat/blog.git"',
    );
  }
}

/** Where GitHub takes commit statuses (docs.github.com/rest/commits/statuses). */
const GITHUB_API = "https://api.github.com";

/**
 * Where the forge is told how each commit fared; null for a target that tells none.
 * Without a provider, because the source is faulty, no API's base is asked for.
 */
export function readCommitStatus(
  section: TargetSection,
  provider: Provider | undefined,
  ground: ReadContext,
): CommitStatus | null {
  const { has, place, values } = section;
  const at = child(place, "status_url");
  if (values.status_token !== undefined) {
    loadToken(values.status_token, child(place, "status_token"), ground);
  }
  if (has("status_url") && !has("status_token")) {
    ground.report.fault(at, 'expected "status_token" beside it, found none');
  }
  if (has("status_token") && !has("status_url") && provider !== undefined && provider.name !== "github") {
    ground.report.fault(
      at,
      `expected the base of the forge's API, which provider "${provider.name}" does not tell, found nothing`,
    );
  }
  const apiUrl = readApiUrl(section, ground);
  if (values.status_token === undefined || apiUrl === undefined) return null;
  return Object.freeze({ token: values.status_token, apiUrl });
}

/** Without a slash at its end. */
function readApiUrl({ place, values }: TargetSection, ground: ReadContext): string | undefined {
  const text = values.status_url ?? GITHUB_API;
  const at = child(place, "status_url");
  const url = parseHttpUrl(text);
  if (url === undefined || /[?#]/.test(text)) {
    ground.report.fault(
      at,
      `expected a URL such as "${GITHUB_API}", without user, password, query or fragment`,
    );
    return undefined;
  }
  warnOfPlainHttp(url, at, ground);
  return url.href.replace(/\/+$/, "");
}
