import { statfsSync } from "node:fs";
import type { Config } from "../config/load.ts";
import { type CheckResult, warn } from "./check-result.ts";
import {
  checkDirectory,
  isNotDirectory,
  isOpenToOthers,
  nameUser,
  nearestExisting,
  ownerOf,
} from "./files.ts";

/** The part of a configuration that {@link checkDataDirectory} reads. */
interface DataDirectorySettings extends Pick<Config, "dataDir"> {
  readonly generated: readonly { readonly file: string }[];
  readonly targets: readonly unknown[];
}

/** Checks that the data directory is writable and private, and on a file system that is safe for SQLite. */
export function checkDataDirectory({
  dataDir,
  generated,
  targets,
}: DataDirectorySettings): readonly CheckResult[] {
  const network = nameNetworkFileSystem(statfsSync(nearestExisting(dataDir)).type);
  const paths = isNotDirectory(dataDir) ? [] : [dataDir, ...generated.map(({ file }) => file)];
  return [
    checkDirectory("data directory", dataDir),
    ...checkUser(ownerOf(dataDir), process.getuid?.() ?? null, targets.length > 0),
    ...(network === null
      ? []
      : [
          warn(
            `data directory ${dataDir} is on ${network}, where SQLite's write-ahead log is not safe: move it to a local disk`,
          ),
        ]),
    ...paths
      .filter(isOpenToOthers)
      .map((path) => warn(`${path} is accessible to other users: run chmod go= ${path}`)),
  ];
}

/**
 * Warns if the current user is not the one that the service runs as, or if root runs the commands of repositories.
 *
 * @param owner the owner of the data directory, who is the service's user; null if it does not exist.
 */
export function checkUser(
  owner: number | null,
  user: number | null,
  hasTargets: boolean,
): readonly CheckResult[] {
  if (owner !== null && user !== null && owner !== user) {
    const name = nameUser(owner);
    return [
      warn(
        `the data directory belongs to ${name}, but the current user is ${nameUser(user)}, whose permissions may differ; run the check as the service's user: sudo -u ${quote(name)} hooklatch check`,
      ),
    ];
  }
  if (user !== 0 || !hasTargets) return [];
  return [
    warn(
      "the current user is root: a service that runs as root runs the commands of every repository as root; set User= in its systemd unit",
    ),
  ];
}

/** Advice for a configuration or a secret that the user may not read. The users are those of {@link checkUser}. */
export function adviseUnreadable(owner: number | null, user: number | null): string {
  if (owner !== null && owner === user) {
    return "the current user is the service's user: grant it access (chgrp, chmod g+r), or pass the secret with LoadCredential= and credential:NAME";
  }
  const service = owner === null ? "hooklatch" : quote(nameUser(owner));
  return `run the check as the service's user: cd / && sudo -u ${service} hooklatch check`;
}

/** Types of statfs(2) whose clients do not share the memory of SQLite's write-ahead log (sqlite.org/wal.html). */
const NETWORK_FILE_SYSTEMS: Readonly<Record<number, string>> = {
  26985: "NFS",
  20859: "SMB",
  4283649346: "CIFS",
  4266872130: "SMB",
};

/** The name of a network file system by its type in statfs(2), which may be a negative number; null for any other. */
export function nameNetworkFileSystem(type: number): string | null {
  return NETWORK_FILE_SYSTEMS[type >>> 0] ?? null;
}

/** Quotes `#1000`, which a shell would read as a comment. */
function quote(name: string): string {
  return name.startsWith("#") ? `'${name}'` : name;
}
