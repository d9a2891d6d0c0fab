import * as runtime from "#runtime";
import { createHttpClient } from "../lib/http-client.ts";
import type { Runtime } from "./contract.ts";

export type * from "./contract.ts";

/** The runtime this program runs on: the conditions of `imports` in package.json choose it. */
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
  sendDatagram,
  collectGarbage,
}: Runtime = runtime;

/** The client for every outgoing request. */
export const httpClient = createHttpClient(runtime.sendRequest);
