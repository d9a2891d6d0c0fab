import { statfsSync, statSync } from "node:fs";
import type { Config } from "../../config/load.ts";
import { nearestExisting } from "./files.ts";
import { fail, ok, type Remark, warn } from "./remark.ts";

const MIB = 1024 ** 2;
const GIB = 1024 ** 3;

/** Bytes below which nothing can be built or kept for long. */
const TOO_LITTLE = 100 * MIB;

/** Free space where deliveries are kept and releases are built: one line for each file system. */
export function checkDisks({ dataDir, targets }: Pick<Config, "dataDir" | "targets">): readonly Remark[] {
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
export function describeSpace(what: string, free: number, total: number): Remark {
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
