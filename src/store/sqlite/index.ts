import { statSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import type { PublishedRangesStore } from "../../domain/published-ranges.ts";
import type { Store } from "../../domain/store.ts";
import { AppError } from "../../lib/errors.ts";
import { createStore, type StoreActs, type StoreEngine } from "../group.ts";
import { createClients } from "./clients.ts";
import { type Connection, examineDatabase, openDatabase } from "./connection.ts";
import { createAcceptGroup } from "./deliveries/accept-group.ts";
import { createCiResults } from "./deliveries/ci-results.ts";
import { createDeliveries } from "./deliveries/index.ts";
import { createSeenIndex } from "./deliveries/seen-index.ts";
import { createDeployments } from "./deployments/index.ts";
import { createOutput } from "./deployments/output.ts";
import { createQueue } from "./deployments/queue.ts";
import { lockDirectory } from "./directory-lock.ts";
import { describeOpenError } from "./errors.ts";
import { createLocks, prepareRecordBlocked } from "./locks.ts";
import { migrate, rejectNewer } from "./migrate.ts";
import { createNotifications } from "./notifications.ts";
import { createRetention } from "./retention.ts";

/**
 * Opens the SQLite store in a data directory, creates what is missing, and locks the directory until the store is
 * closed. Rejects with an {@link AppError} `failed` that names the process that uses the directory, or the file that is
 * damaged, another program's, not writable or written by a newer hooklatch.
 */
export async function openSqlite(dataDirectory: string): Promise<Store> {
  return createStore(await openEngine(dataDirectory));
}

/** Opens the engine of the store as {@link openSqlite} does. */
export async function openEngine(dataDirectory: string): Promise<StoreEngine> {
  const unlock = await lockDirectory(dataDirectory);
  try {
    return openFile(join(dataDirectory, "hooklatch.db"), unlock);
  } catch (error) {
    unlock();
    throw error;
  }
}

function openFile(file: string, onClosed: () => void): StoreEngine {
  rejectNewerFile(file);
  const connection = openDatabase(file);
  try {
    migrate(connection);
    return assembleEngine(connection, onClosed);
  } catch (error) {
    connection.close();
    throw describeOpenError(error, file);
  }
}

/** A file that a newer hooklatch wrote stays as it is, byte for byte. */
function rejectNewerFile(file: string): void {
  try {
    examineDatabase(file, (database) => rejectNewer(database, file));
  } catch (error) {
    if (error instanceof AppError) throw error;
    // Damaged, or not readable: opening it reports that.
  }
}

/** Assembles the engine of the store, whose only host is this machine, over an open, migrated database. */
export function assembleEngine(connection: Connection, onClosed: () => void): StoreEngine {
  const host = hostname();
  const seen = createSeenIndex(connection);
  const queue = createQueue(connection, host);
  const recordBlocked = prepareRecordBlocked(connection);
  const acts: StoreActs = {
    ...createClients(connection),
    ...createDeliveries(connection),
    ...createCiResults(connection),
    ...createDeployments(connection, queue, host),
    ...createOutput(connection),
    ...createLocks(connection, queue),
    ...createNotifications(connection),
    ...createPublishedRanges(connection),
    ...createStatistics(connection),
    ...createRetention(connection, seen),
    async close() {
      connection.close();
      onClosed();
    },
  };
  return {
    ...createAcceptGroup(connection, { seen, queue, recordBlocked }),
    act: (name, args) =>
      (acts[name] as (...given: typeof args) => ReturnType<StoreActs[typeof name]>)(...args),
  };
}

function createPublishedRanges(connection: Connection): PublishedRangesStore {
  type Row = { ranges: string; fetched_at: number };
  const upsert = connection.prepare<never, Row & { list: string }>(`
    INSERT OR REPLACE INTO published_ranges (list, ranges, fetched_at) VALUES ($list, $ranges, $fetched_at)`);
  const select = connection.prepare<Row, { list: string }>(
    "SELECT ranges, fetched_at FROM published_ranges WHERE list = $list",
  );
  return {
    storeRanges: (list, ranges, at) =>
      connection.attempt(
        () => void upsert.run({ list, ranges: JSON.stringify(ranges), fetched_at: at.getTime() }),
      ),
    readRanges: (list) =>
      connection.attempt(() => {
        const row = select.get({ list });
        if (row === null) return null;
        return { ranges: JSON.parse(row.ranges) as string[], at: new Date(row.fetched_at) };
      }),
  };
}

function createStatistics(connection: Connection): Pick<Store, "readStatistics" | "probe"> {
  const count = connection.prepare<{ queued: number; running: number }>(`
    SELECT (SELECT count(*) FROM deployment WHERE state = 'queued') AS queued,
      (SELECT count(*) FROM deployment WHERE state = 'running') AS running`);
  const write = connection.prepare<never, { at: number }>("UPDATE probe SET at = $at");
  const sizeOf = (file: string) => statSync(file, { throwIfNoEntry: false })?.size ?? 0;
  return {
    readStatistics: () =>
      connection.attempt(() => {
        const { queued = 0, running = 0 } = count.get({}) ?? {};
        return { bytes: sizeOf(connection.file) + sizeOf(`${connection.file}-wal`), queued, running };
      }),
    probe: (now) => connection.attempt(() => void write.run({ at: now.getTime() })),
  };
}
