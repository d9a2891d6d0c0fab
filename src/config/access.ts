import { resolve } from "node:path";
import type { RepositoryAccess, Watch } from "../domain/target.ts";
import { transportOf } from "./clone-url.ts";
import { under } from "./finding.ts";
import type { Ground } from "./ground.ts";
import type { TargetSection } from "./schema.ts";
import { loadToken } from "./secret.ts";

/**
 * How the target's repository is reached. Whether the files are there is not asked: they belong to the world,
 * which may change.
 */
export function readAccess(
  section: TargetSection,
  watch: Watch | null | undefined,
  ground: Ground,
): RepositoryAccess {
  const { values, place } = section;
  const at = (path: string | undefined) => (path === undefined ? null : resolve(ground.directory, path));
  if (values.token !== undefined) loadToken(values.token, under(place, "token"), ground);
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

function checkTransport({ has, place }: TargetSection, { cloneUrl }: Watch, { report }: Ground): void {
  const transport = transportOf(cloneUrl);
  if (has("token") && transport !== "https") {
    report.fault(
      under(place, "token"),
      `expected an https "clone_url" beside it, found ${NO_TOKEN[transport]}`,
    );
  }
  if (transport === "ssh") return;
  for (const key of ["ssh_key", "known_hosts"] as const) {
    if (!has(key)) continue;
    report.warn(
      under(place, key),
      'is for ssh only, but "clone_url" is no address for ssh, such as "git@github.com:octocat/blog.git"',
    );
  }
}
