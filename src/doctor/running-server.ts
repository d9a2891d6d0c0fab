import { readdirSync, readFileSync, readlinkSync, realpathSync } from "node:fs";
import { join } from "node:path";
import { systemErrorCode } from "../lib/errors.ts";

/** Whether a server uses a data directory. `unknown` where this user may not examine the directory or the process. */
export type RunningServer =
  | { readonly kind: "running"; readonly pid: number }
  | { readonly kind: "none" | "unknown" };

/** Finds the process that has the lock of a data directory, without locking it. */
export function findRunningServer(dataDir: string): RunningServer {
  const written = attempt(() => readFileSync(join(dataDir, "hooklatch.pid"), "utf8"));
  if (written.kind === "failed") return { kind: isMissing(written.code) ? "none" : "unknown" };
  const pid = Number(written.value);
  if (!Number.isSafeInteger(pid) || pid <= 0) return { kind: "unknown" };
  const lock = attempt(() => realpathSync(join(dataDir, "hooklatch.lock")));
  const directory = `/proc/${pid}/fd`;
  const open = attempt(() => readdirSync(directory));
  // Without /proc/self, this system has no such file for any process.
  if (open.kind === "failed") {
    const isGone = isMissing(open.code) && attempt(() => readdirSync("/proc/self")).kind === "read";
    return { kind: isGone ? "none" : "unknown" };
  }
  if (lock.kind === "failed") return { kind: isMissing(lock.code) ? "none" : "unknown" };
  // A killed server may have left its number to another process.
  const isHolder = open.value.some((name) => {
    const link = attempt(() => readlinkSync(join(directory, name)));
    return link.kind === "read" && link.value === lock.value;
  });
  return isHolder ? { kind: "running", pid } : { kind: "none" };
}

function isMissing(code: string | null): boolean {
  return code === "ENOENT" || code === "ENOTDIR";
}

type Read<Value> =
  | { readonly kind: "read"; readonly value: Value }
  | { readonly kind: "failed"; readonly code: string | null };

function attempt<Value>(read: () => Value): Read<Value> {
  try {
    return { kind: "read", value: read() };
  } catch (error) {
    return { kind: "failed", code: systemErrorCode(error) };
  }
}
