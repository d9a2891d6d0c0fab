import { createHttpClient } from "../lib/http-client.ts";
import * as bun from "./bun/index.ts";
import type { Runtime } from "./contract.ts";

export type * from "./contract.ts";

/** The runtime this program runs on. */
export const {
  openHttpServer,
  spawnProcess,
  openSqlite,
  sqliteErrorCode,
  compressZstd,
  startThread,
  receiveInThread,
  hashArgon2id,
  verifyArgon2id,
  stringWidth,
  truncateColumns,
  wrapColumns,
  collectGarbage,
}: Runtime = bun;

/** The client for every outgoing request. */
export const httpClient = createHttpClient(bun.sendRequest);
