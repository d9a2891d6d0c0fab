import { join } from "node:path";
import type { Store } from "../../domain/store.ts";
import { collectAccepts } from "./accept.ts";
import { openClients } from "./clients.ts";
import { openDeliveries } from "./deliveries.ts";
import { openDeployments } from "./deployments.ts";
import { explainOpening } from "./fault.ts";
import { migrate } from "./migrate.ts";
import { type Connection, openDatabase } from "./open.ts";
import { openOutput } from "./output.ts";

/**
 * Opens the SQLite store in a data directory, and makes what is not there. Rejects with a Fault `failed` that
 * names the file when it is damaged, written by a newer hooklatch, not ours, or not to be written.
 */
export async function openSqlite(dataDirectory: string): Promise<Store> {
  const connection = openDatabase(join(dataDirectory, "hooklatch.db"));
  try {
    migrate(connection);
    return assembleStore(connection);
  } catch (error) {
    connection.close();
    throw explainOpening(error, connection.file);
  }
}

/** The store over an open, migrated database. */
export function assembleStore(connection: Connection): Store {
  const { accept, flush } = collectAccepts(connection);
  return {
    accept,
    ...openClients(connection),
    ...openDeliveries(connection),
    ...openDeployments(connection),
    ...openOutput(connection),
    async close() {
      flush();
      connection.close();
    },
  };
}
