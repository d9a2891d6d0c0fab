import { statfsSync, statSync } from "node:fs";
import type { Config } from "../config/load.ts";
import { checkDirectory, isOpenToOthers, isOther, nameUser, nearestExisting, ownerOf } from "./files.ts";
import { type CheckResult, fail, ok, warn } from "./index.ts";

/** Where everything is kept: that we can write there, that nobody else can read it, that SQLite is safe there. */
export function checkDataDirectory({
  dataDir,
  generated,
  targets,
}: {
  readonly dataDir: string;
  readonly generated: readonly { readonly file: string }[];
  readonly targets: readonly unknown[];
}): readonly CheckResult[] {
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
export function checkUser(owner: number | null, user: number | null, deploys: boolean): CheckResult | null {
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

const MIB = 1024 ** 2;
const GIB = 1024 ** 3;

/** Bytes below which nothing can be built or kept for long. */
const TOO_LITTLE = 100 * MIB;

/** Free space where deliveries are kept and releases are built: one line for each file system. */
export function checkDisks({
  dataDir,
  targets,
}: Pick<Config, "dataDir" | "targets">): readonly CheckResult[] {
  const places = [
    { what: "the data directory", path: nearestExisting(dataDir) },
    ...targets.map(({ name, directory }) => ({ what: name, path: nearestExisting(directory) })),
  ];
  const devices = Map.groupBy(places, ({ path }) => statSync(path).dev);
  return [...devices.values()].flatMap((onDevice) => {
    const [first] = onDevice;
    if (first === undefined) return [];
    const { bavail, blocks, bsize } = statfsSync(first.path);
    return [describeSpace(onDevice.map(({ what }) => what).join(", "), bavail * bsize, blocks * bsize)];
  });
}

/** What so many free bytes of a file system mean for what is on it. */
export function describeSpace(what: string, free: number, total: number): CheckResult {
  if (total === 0)
    return warn(
      `disk of ${what}: its file system does not tell how much is free: see to it that there is room`,
    );
  const share = free / total;
  const amount = free < GIB ? `${Math.floor(free / MIB)} MiB` : `${(free / GIB).toFixed(1)} GiB`;
  const text = `disk of ${what}: ${amount} free (${Math.floor(share * 100)} %)`;
  if (free < TOO_LITTLE) return fail(`${text}: make room, or deliveries are refused and deployments fail`);
  if (free < GIB || share < 0.05) return warn(`${text}: make room soon`);
  return ok(text);
}
