import { join } from "node:path";
import type { Store } from "../../../src/domain/store.ts";
import { migrate } from "../../../src/store/sqlite/migrate.ts";
import { type Connection, openDatabase } from "../../../src/store/sqlite/open.ts";
import { assembleStore } from "../../../src/store/sqlite/store.ts";
import { makeDirectory } from "../directory.ts";

/** A store over a connection that a test may use past it, in a directory of its own. */
export interface Assembled {
  readonly directory: Awaited<ReturnType<typeof makeDirectory>>;
  readonly connection: Connection;
  readonly store: Store;
}

export async function assemble(): Promise<Assembled> {
  const directory = await makeDirectory();
  const connection = openDatabase(join(directory.path, "hooklatch.db"));
  migrate(connection);
  return { directory, connection, store: assembleStore(connection) };
}

/** How many rows a table has. */
export function countRows(connection: Connection, table: string): number | undefined {
  return connection.prepare<{ count: number }>(`SELECT count(*) AS count FROM ${table}`).get({})?.count;
}
