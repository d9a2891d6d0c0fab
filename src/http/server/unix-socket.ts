import { lstatSync, renameSync, rmSync, type Stats } from "node:fs";
import { connect } from "node:net";
import { dirname } from "node:path";
import { AppError, systemErrorCode } from "../../lib/errors.ts";

/** The path at which a socket is bound. It is moved to its own path, where it may replace the one of an older server. */
export function temporaryPathOf(path: string): string {
  return `${path}.new`;
}

/**
 * Removes a socket that a killed server left. Rejects with an {@link AppError} `failed` when a server listens on it, or
 * when the path is not a socket.
 */
export async function removeStaleSocket(path: string): Promise<void> {
  for (const each of [path, temporaryPathOf(path)]) {
    const stats = readStats(each);
    if (stats === null) continue;
    if (!stats.isSocket()) {
      throw new AppError("failed", `${each} exists and is not a socket: remove it, or choose another host`);
    }
    if (await isListening(each)) {
      throw new AppError("failed", `the socket ${each} is in use: is another hooklatch running?`);
    }
    rmSync(each, { force: true });
  }
}

/**
 * Moves a bound socket from its temporary path to its own. Returns a function that removes it, unless another socket has
 * replaced it.
 */
export function publishSocket(path: string): () => void {
  renameSync(temporaryPathOf(path), path);
  const published = readStats(path);
  return () => {
    const current = readStats(path);
    if (current !== null && current.ino === published?.ino && current.dev === published.dev) {
      rmSync(path, { force: true });
    }
  };
}

/** The error of a socket that cannot be opened, as an {@link AppError} `failed`. */
export function describeSocketError(path: string, error: unknown): AppError {
  const code = systemErrorCode(error);
  const why =
    code === "ENOENT"
      ? `the directory ${dirname(path)} does not exist`
      : code === "EACCES"
        ? `this user may not write to ${dirname(path)}`
        : String(code ?? error);
  return new AppError("failed", `cannot open the socket ${path}: ${why}`, error);
}

function readStats(path: string): Stats | null {
  return lstatSync(path, { throwIfNoEntry: false }) ?? null;
}

/** Any error other than a refused connection, such as a missing permission, means that a server may be listening. */
function isListening(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path });
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", (error) => {
      resolve(!["ECONNREFUSED", "ENOENT"].includes(systemErrorCode(error) ?? ""));
    });
  });
}
