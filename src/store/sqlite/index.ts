import { join } from "node:path";
import type { Store } from "../../domain/store.ts";
import { createClients } from "./clients.ts";
import { type Connection, openDatabase } from "./connection.ts";
import { createGroupCommit } from "./deliveries/group-commit.ts";
import { createDeliveries } from "./deliveries/index.ts";
import { createSeenIndex } from "./deliveries/seen-index.ts";
import { createDeployments } from "./deployments/index.ts";
import { createOutput } from "./deployments/output.ts";
import { createQueue } from "./deployments/queue.ts";
import { lockDirectory } from "./directory-lock.ts";
import { describeOpenError } from "./errors.ts";
import { createLocks, prepareRecordBlocked } from "./locks.ts";
import { migrate } from "./migrate.ts";
import { createNotifications } from "./notifications.ts";
import { createPublishedRanges } from "./published-ranges.ts";
import { createRetention } from "./retention.ts";
import { createStatistics } from "./statistics.ts";

/**
 * Opens the SQLite store in a data directory, creates what is missing, and locks the directory until the store is
 * closed. Rejects with an {@link AppError} `failed` that names the process that uses the directory, or the file that is
 * damaged, written by a newer hooklatch, another program's or not writable.
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
    throw describeOpenError(error, file);
  }
}

/** Assembles the store over an open, migrated database. */
export function assembleStore(connection: Connection): Store {
  const seen = createSeenIndex(connection);
  const queue = createQueue(connection);
  const recordBlocked = prepareRecordBlocked(connection);
  const { accept, flush } = createGroupCommit(connection, { seen, queue, recordBlocked });
  return {
    accept,
    ...createClients(connection),
    ...createDeliveries(connection),
    ...createDeployments(connection, queue),
    ...createOutput(connection),
    ...createLocks(connection, queue, flush),
    ...createNotifications(connection),
    ...createPublishedRanges(connection),
    ...createStatistics(connection),
    ...createRetention(connection, seen),
    async close() {
      flush();
      connection.close();
    },
  };
}
