import { randomBytes } from "node:crypto";
import { constants, zstdCompressSync } from "node:zlib";
import cliTruncate from "cli-truncate";
import { argon2id, argon2Verify } from "hash-wasm";
import columnsOf from "string-width";
import wrapAnsi from "wrap-ansi";
import type { Argon2Cost, ChildProcess, SpawnOptions } from "../contract.ts";

export { sendDatagram } from "./datagram.ts";
export { sendRequest } from "./http-client.ts";
export { openHttpServer } from "./http-server.ts";
export { openSqlite, sqliteErrorCode } from "./sqlite.ts";
export { receiveInThread, startThread } from "./thread.ts";

export function spawnProcess(
  [program = "", ...args]: readonly string[],
  options: SpawnOptions,
): ChildProcess {
  const { pid, stdout, status } = new Deno.Command(program, {
    ...options,
    args,
    clearEnv: true,
    stdin: "null",
    stdout: "piped",
    stderr: "null",
    // Calls setsid(2).
    detached: true,
  }).spawn();
  // The code of a signal is 128 and its number.
  const exited = status.then(({ code, signal }) => ({ exitCode: signal === null ? code : null, signal }));
  return { pid, stdout, exited };
}

export function compressZstd(bytes: Uint8Array, level: number): Uint8Array {
  return zstdCompressSync(bytes, {
    params: { [constants.ZSTD_c_compressionLevel]: level },
    pledgedSrcSize: bytes.length,
  });
}

export async function hashArgon2id(password: string, { memoryCost, timeCost }: Argon2Cost): Promise<string> {
  return argon2id({
    password,
    salt: randomBytes(32),
    parallelism: 1,
    iterations: timeCost,
    memorySize: memoryCost,
    hashLength: 32,
    outputType: "encoded",
  });
}

export async function verifyArgon2id(password: string, hash: string): Promise<boolean> {
  // The library rejects an empty password, which matches nothing.
  return password !== "" && argon2Verify({ password, hash });
}

export function stringWidth(text: string): number {
  return columnsOf(text);
}

export function truncateColumns(text: string, columns: number): string {
  return cliTruncate(text, columns);
}

export function wrapColumns(text: string, columns: number): readonly string[] {
  return wrapAnsi(text, columns, { hard: true }).split("\n");
}

/** V8 has no function for it. It collects by itself. */
export function collectGarbage(): void {}
