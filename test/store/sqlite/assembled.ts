import { join } from "node:path";
import type { Store } from "../../../src/domain/store.ts";
import { createStore } from "../../../src/store/group.ts";
import { type Connection, openDatabase } from "../../../src/store/sqlite/connection.ts";
import { assembleEngine } from "../../../src/store/sqlite/index.ts";
import { migrate } from "../../../src/store/sqlite/migrate.ts";
import { makeDirectory } from "../directory.ts";

/** A store in a temporary directory, with direct access to its connection. */
export interface Assembled {
  readonly directory: Awaited<ReturnType<typeof makeDirectory>>;
  readonly connection: Connection;
  readonly store: Store;
}

export async function assemble(): Promise<Assembled> {
  const directory = await makeDirectory();
  const connection = openDatabase(join(directory.path, "hooklatch.db"));
  migrate(connection);
  return { directory, connection, store: createStore(assembleEngine(connection, () => {})) };
}

/** The number of rows in a table. */
export function countRows(connection: Connection, table: string): number | undefined {
  return connection.prepare<{ count: number }>(`SELECT count(*) AS count FROM ${table}`).get({})?.count;
}
