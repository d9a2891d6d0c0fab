import { join } from "node:path";
import type { Store } from "../../domain/store.ts";
import { collectAccepts } from "./accept.ts";
import { openClients } from "./clients.ts";
import { openDecisionSets } from "./decisions.ts";
import { openDeliveries } from "./deliveries.ts";
import { openDeployments } from "./deployments.ts";
import { lockDirectory } from "./directory-lock.ts";
import { explainOpening } from "./fault.ts";
import { openLocks, prepareHoldBack } from "./locks.ts";
import { migrate } from "./migrate.ts";
import { openNotices } from "./notices.ts";
import { type Connection, openDatabase } from "./open.ts";
import { openOutput } from "./output.ts";
import { openPrune } from "./prune.ts";
import { openPublishedRanges } from "./published-ranges.ts";
import { openQueue } from "./queue.ts";
import { openSeen } from "./seen.ts";
import { openStatistics } from "./statistics.ts";

/**
 * Opens the SQLite store in a data directory, makes what is not there, and keeps others out until it is closed.
 * Rejects with a Fault `failed` that names the process which uses the directory, or the file that is damaged,
 * written by a newer hooklatch, not ours, or not to be written.
 */
export async function openSqlite(dataDirectory: string): Promise<Store> {
  const lock = await lockDirectory(dataDirectory);
  try {
    const store = openFile(join(dataDirectory, "hooklatch.db"));
    return {
      ...store,
      async close() {
        await store.close();
        lock.release();
      },
    };
  } catch (error) {
    lock.release();
    throw error;
  }
}

function openFile(file: string): Store {
  const connection = openDatabase(file);
  try {
    migrate(connection);
    return assembleStore(connection);
  } catch (error) {
    connection.close();
    throw explainOpening(error, file);
  }
}

/** The store over an open, migrated database. */
export function assembleStore(connection: Connection): Store {
  const seen = openSeen(connection);
  const decisionSets = openDecisionSets(connection);
  const queue = openQueue(connection);
  const holdBack = prepareHoldBack(connection);
  const { accept, flush } = collectAccepts(connection, { seen, decisionSets, queue, holdBack });
  return {
    accept,
    ...openClients(connection),
    ...openDeliveries(connection, decisionSets),
    ...openDeployments(connection, queue),
    ...openOutput(connection),
    ...openLocks(connection, queue, flush),
    ...openNotices(connection),
    ...openPublishedRanges(connection),
    ...openStatistics(connection),
    ...openPrune(connection, seen, decisionSets),
    async close() {
      flush();
      connection.close();
    },
  };
}
