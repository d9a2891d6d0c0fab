import { chmodSync, lstatSync, renameSync, rmSync, type Stats } from "node:fs";
import { connect } from "node:net";
import { dirname } from "node:path";
import { AppError, systemErrorCode } from "../../lib/errors.ts";

/** Its owner and group may connect: a proxy is given access by being in the group. */
const MODE = 0o660;

/** Where a socket is opened: there it gets its mode before anybody looks for it at its own path. */
export function temporaryPathOf(path: string): string {
  return `${path}.new`;
}

/**
 * Makes way for a new socket: one that a killed server left is removed. Rejects with a {@link AppError} `failed` when
 * somebody listens there, or when there is something that is no socket.
 */
export async function removeStaleSocket(path: string): Promise<void> {
  for (const each of [path, temporaryPathOf(path)]) {
    const found = look(each);
    if (found === null) continue;
    if (!found.isSocket()) {
      throw new AppError(
        "failed",
        `${each} is there and is no socket; remove it, or name another path in host`,
      );
    }
    if (await isListenedOn(each)) {
      throw new AppError("failed", `the socket ${each} is in use; is another hooklatch running?`);
    }
    rmSync(each, { force: true });
  }
}

/** Puts the socket that was opened as a draft to its own path. Gives what removes it, unless it was replaced since. */
export function publishSocket(path: string): () => void {
  chmodSync(temporaryPathOf(path), MODE);
  renameSync(temporaryPathOf(path), path);
  const placed = look(path);
  return () => {
    const found = look(path);
    if (found !== null && found.ino === placed?.ino && found.dev === placed.dev)
      rmSync(path, { force: true });
  };
}

/** Why a socket could not be opened, as a {@link AppError}. */
export function describeSocketError(path: string, error: unknown): AppError {
  const code = systemErrorCode(error);
  const why =
    code === "ENOENT"
      ? `: the directory ${dirname(path)} does not exist`
      : code === "EACCES"
        ? `: this user may not write to ${dirname(path)}`
        : ` (${code ?? error})`;
  return new AppError("failed", `the socket ${path} cannot be opened${why}`, error);
}

function look(path: string): Stats | null {
  return lstatSync(path, { throwIfNoEntry: false }) ?? null;
}

/** Only a refused connection proves that nobody is there; a socket that we may not connect to has an owner. */
function isListenedOn(path: string): Promise<boolean> {
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
