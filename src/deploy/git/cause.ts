import { statfs } from "node:fs/promises";
import type { FailureCode } from "../../domain/codes.ts";

/** How many of git's last lines are searched for the cause of a failure, beside the first that reports an error. */
const REMEMBERED_LINES = 40;

/** How git and git-lfs begin the report of an error. */
const ERROR = /^(?:fatal|error)(?:: | transferring )/;

/** Remembers the part of a command's output that can explain its failure. */
export function createErrorMemory() {
  let first: string | null = null;
  const last: string[] = [];
  return {
    add(line: string): void {
      last.push(line);
      if (last.length <= REMEMBERED_LINES) return;
      const dropped = last.shift();
      if (first === null && dropped !== undefined && ERROR.test(dropped)) first = dropped;
    },
    lines: (): readonly string[] => (first === null ? last : [first, ...last]),
  };
}

/** System errors as git quotes them (errno(3)), and the code of the deployment that each one ends. */
const SYSTEM_CAUSES: readonly (readonly [text: string, code: FailureCode])[] = [
  ["No space left on device", "disk_full"],
  ["Disk quota exceeded", "disk_full"],
  ["Read-only file system", "directory_unusable"],
];

/** Messages of git after a failed write that do not name the cause. */
const UNWRITTEN = /unable to write|write error|Out of diskspace|cannot create/;

/** Bytes of free space below which a failure to write is one of a full disk. */
const FULL = 64 * 1024;

/** Whether the disk of a directory is full. False where that cannot be read. */
export async function isDiskFull(directory: string): Promise<boolean> {
  const found = await statfs(directory).catch(() => null);
  return found !== null && found.bavail * found.bsize < FULL;
}

/**
 * Finds the line with the cause of a failure, and its code where it has one: an error of the system, or else the first
 * report of an error, since git goes on to report its consequences. When that only says that the remote could not be read,
 * the line before it has the cause ("Permission denied (publickey)."). An empty reason when nothing was printed.
 * `isFull` says whether the disk was full after the failure.
 */
export function findCause(
  lines: readonly string[],
  isFull: boolean,
): {
  readonly code: FailureCode | null;
  readonly reason: string;
} {
  const printed = lines.filter((line) => line.trim() !== "");
  for (const [text, code] of SYSTEM_CAUSES) {
    const line = printed.find((each) => each.includes(text));
    if (line !== undefined) return { code, reason: withoutPrefix(line) };
  }
  const unwritten = printed.find((line) => UNWRITTEN.test(line));
  if (unwritten !== undefined && (isFull || unwritten.includes("Out of diskspace"))) {
    return { code: "disk_full", reason: `No space left on device: ${withoutPrefix(unwritten)}` };
  }
  const at = printed.findIndex((line) => ERROR.test(line));
  const isUnreadable = printed[at]?.startsWith("fatal: Could not read from remote repository") ?? false;
  const line = printed[isUnreadable && at > 0 ? at - 1 : at] ?? printed.at(-1) ?? "";
  return { code: null, reason: withoutPrefix(line) };
}

/** git-lfs names the object, then the cause: `error transferring "<oid>": [0] remote missing object <oid>`. */
function withoutPrefix(line: string): string {
  return line.replace(/^(?:fatal|error): |^error transferring "\w+": (?:\[\d+\] )?/, "");
}
