import { statfsSync } from "node:fs";
import { checkDirectory, isOpenToOthers, isOther, nameUser, nearestExisting, ownerOf } from "./files.ts";
import { type Remark, warn } from "./remark.ts";

/** Where everything is kept: that we can write there, that nobody else can read it, that SQLite is safe there. */
export function checkDataDirectory({
  dataDir,
  generated,
  targets,
}: {
  readonly dataDir: string;
  readonly generated: readonly { readonly file: string }[];
  readonly targets: readonly unknown[];
}): readonly Remark[] {
  const place = checkDirectory("data directory", dataDir);
  const user = checkUser(ownerOf(dataDir), process.getuid?.() ?? null, targets.length > 0);
  const network = nameNetworkFileSystem(statfsSync(nearestExisting(dataDir)).type);
  // What stands in its place is not to be made private but to be moved away.
  const ours = isOther(dataDir) ? [] : [dataDir, ...generated.map(({ file }) => file)];
  const loose = ours.filter(isOpenToOthers);
  return [
    place,
    ...(user === null ? [] : [user]),
    ...(network === null
      ? []
      : [
          warn(
            `data directory ${dataDir} is on ${network}, where SQLite's write-ahead log is not safe: choose one on a local disk`,
          ),
        ]),
    ...loose.map((path) => warn(`${path} is open to others on this machine: chmod go= ${path}`)),
  ];
}

/**
 * Whether this is the user to look as. Whoever the data directory belongs to is the one the service runs as; `owner`
 * is null before there is one.
 */
export function checkUser(owner: number | null, user: number | null, deploys: boolean): Remark | null {
  if (owner !== null && user !== null && owner !== user) {
    const name = nameUser(owner);
    return warn(
      `the data directory belongs to ${name}, and this is ${nameUser(user)}: what may be read and written here tells little; run it as the service's user: sudo -u ${quote(name)} hooklatch check`,
    );
  }
  if (user !== 0 || !deploys) return null;
  return warn(
    "this is root: a service of root's runs the commands of every repository as root; give it a user of its own (User= in systemd)",
  );
}

/** What somebody does who may not read what the service has to: `owner` and `user` are as in {@link checkUser}. */
export function adviseReader(owner: number | null, user: number | null): string {
  if (owner !== null && owner === user) {
    return "this is the service's user: let it read that (chgrp, chmod g+r), or hand it a secret by LoadCredential= and credential:NAME";
  }
  const service = owner === null ? "hooklatch" : quote(nameUser(owner));
  return `run it as the service's user, where that one may read: cd / && sudo -u ${service} hooklatch check`;
}

/** The types of statfs(2) on which WAL's shared memory is not shared by all who write (sqlite.org/wal.html). */
const NETWORK_FILE_SYSTEMS: Readonly<Record<number, string>> = {
  26985: "NFS",
  20859: "SMB",
  4283649346: "CIFS",
  4266872130: "SMB",
};

/** The name of a file system on which several machines write; null for any other. */
export function nameNetworkFileSystem(type: number): string | null {
  // The number is 32 bits wide, and some are read as negative.
  return NETWORK_FILE_SYSTEMS[type >>> 0] ?? null;
}

function quote(name: string): string {
  return name.startsWith("#") ? `'${name}'` : name;
}
