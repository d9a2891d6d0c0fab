import { chmodSync, lstatSync, renameSync, rmSync, type Stats } from "node:fs";
import { connect } from "node:net";
import { dirname } from "node:path";
import { AppError, systemErrorCode } from "../../lib/errors.ts";

/** The owner and the group may connect: a proxy gets access through the group. */
const MODE = 0o660;

/** Where a socket is bound. It gets its mode there, before it appears at its own path. */
export function temporaryPathOf(path: string): string {
  return `${path}.new`;
}

/**
 * Removes a socket that a killed server left behind. Rejects with an {@link AppError} `failed` when a server listens on
 * it, or when the path is not a socket.
 */
export async function removeStaleSocket(path: string): Promise<void> {
  for (const each of [path, temporaryPathOf(path)]) {
    const found = statOf(each);
    if (found === null) continue;
    if (!found.isSocket()) {
      throw new AppError("failed", `${each} exists and is not a socket: remove it, or choose another host`);
    }
    if (await isListening(each)) {
      throw new AppError("failed", `the socket ${each} is in use: is another hooklatch running?`);
    }
    rmSync(each, { force: true });
  }
}

/**
 * Moves a bound socket from its temporary path to its own. Returns a function that removes it, unless another socket
 * has replaced it.
 */
export function publishSocket(path: string): () => void {
  chmodSync(temporaryPathOf(path), MODE);
  renameSync(temporaryPathOf(path), path);
  const published = statOf(path);
  return () => {
    const found = statOf(path);
    if (found !== null && found.ino === published?.ino && found.dev === published.dev) {
      rmSync(path, { force: true });
    }
  };
}

/** Converts the error of a socket that could not be opened to an {@link AppError} `failed`. */
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

function statOf(path: string): Stats | null {
  return lstatSync(path, { throwIfNoEntry: false }) ?? null;
}

/** Only a refused connection proves that no server listens; a socket without permission to connect has an owner. */
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
