import { stat, statfs } from "node:fs/promises";
import { dirname } from "node:path";
import type { Disk } from "../api/status.ts";
import { systemErrorCode } from "../lib/errors.ts";

/** Reads the file systems of the directories, each once. A directory that does not exist yet counts as its parent. */
export async function readDisks(directories: readonly string[]): Promise<readonly Disk[]> {
  const disks = new Map<number, Disk>();
  for (const path of directories) {
    const found = await findDisk(path);
    if (found !== null && !disks.has(found.device)) disks.set(found.device, { ...found.disk, path });
  }
  return [...disks.values()];
}

/** Null for a path that the service may not look at. */
async function findDisk(
  path: string,
): Promise<{ readonly device: number; readonly disk: Omit<Disk, "path"> } | null> {
  try {
    const { dev } = await stat(path);
    const { bavail, blocks, bsize } = await statfs(path);
    return { device: dev, disk: { free: bavail * bsize, total: blocks * bsize } };
  } catch (error) {
    const code = systemErrorCode(error);
    if (code === "ENOENT" && dirname(path) !== path) return findDisk(dirname(path));
    if (code === "EACCES" || code === "ENOENT" || code === "ENOTDIR") return null;
    throw error;
  }
}
