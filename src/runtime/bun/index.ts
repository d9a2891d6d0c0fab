import { Database } from "bun:sqlite";
import type { OutgoingRequest } from "../../lib/http-client.ts";
import type { Argon2Cost, ChildProcess, SpawnOptions, SqliteDatabase, SqliteValues } from "../contract.ts";

export { sendDatagram } from "./datagram.ts";
export { openHttpServer } from "./http-server.ts";
export { receiveInThread, startThread } from "./thread.ts";

export function sendRequest(url: URL, request: OutgoingRequest): Promise<Response> {
  const { method = "GET", headers, body, signal, proxy, socketPath, ca, insecure = false } = request;
  return fetch(url, {
    method,
    headers: new Headers(headers),
    // The type excludes views of shared memory, which no caller has.
    ...(body === undefined ? {} : { body: body as string | Uint8Array<ArrayBuffer> }),
    signal,
    redirect: "manual",
    keepalive: false,
    ...(proxy === "none" ? { proxy: false } : {}),
    ...(socketPath === undefined ? {} : { unix: socketPath }),
    tls: { rejectUnauthorized: !insecure, ...(ca === undefined ? {} : { ca }) },
  });
}

export function spawnProcess(argv: readonly string[], { cwd, env }: SpawnOptions): ChildProcess {
  const child = Bun.spawn({
    cmd: [...argv],
    cwd,
    env,
    stdin: "ignore",
    stdout: "pipe",
    stderr: "ignore",
    // Calls setsid(2).
    detached: true,
  });
  const exited = child.exited.then(() => ({
    exitCode: child.exitCode,
    signal: child.signalCode === null ? null : String(child.signalCode),
  }));
  return { pid: child.pid, stdout: child.stdout, exited };
}

export function openSqlite(file: string, access?: "read-only"): SqliteDatabase {
  const options = access === "read-only" ? { readonly: true } : {};
  const database = new Database(file, { strict: true, ...options });
  return {
    prepare: <Row>(sql: string) => database.prepare<Row, SqliteValues>(sql),
    execute(sql) {
      database.run(sql);
    },
    get inTransaction() {
      return database.inTransaction;
    },
    close() {
      // Without `true`, prepared statements would keep the file open.
      database.close(true);
    },
  };
}

export function sqliteErrorCode(error: unknown): number | null {
  if (!(error instanceof Error) || error.name !== "SQLiteError" || !("errno" in error)) return null;
  return typeof error.errno === "number" ? error.errno : null;
}

export function compressZstd(bytes: Uint8Array, level: number): Uint8Array {
  // Half the time of node:zlib. The type excludes views of shared memory, which no caller has.
  return Bun.zstdCompressSync(bytes as Uint8Array<ArrayBuffer>, { level });
}

export async function hashArgon2id(password: string, cost: Argon2Cost): Promise<string> {
  return Bun.password.hash(password, { algorithm: "argon2id", ...cost });
}

export function verifyArgon2id(password: string, hash: string): Promise<boolean> {
  return Bun.password.verify(password, hash);
}

export function stringWidth(text: string): number {
  return Bun.stringWidth(text);
}

export function truncateColumns(text: string, columns: number): string {
  const cut = Bun.sliceAnsi(text, 0, columns, "…");
  // Bun exceeds the width by one if a wide character precedes the ellipsis.
  return Bun.stringWidth(cut) <= columns ? cut : Bun.sliceAnsi(text, 0, columns - 1, "…");
}

export function wrapColumns(text: string, columns: number): readonly string[] {
  return Bun.wrapAnsi(text, columns, { hard: true }).split("\n");
}

export function collectGarbage(): void {
  Bun.gc(true);
}
