import type { Store } from "../domain/store.ts";
import type { PostgresPlace } from "./postgres/index.ts";
import { backUpSqlite } from "./sqlite/backup.ts";
import { openSqlite } from "./sqlite/index.ts";

/** Every store, by name. */
export const stores = { sqlite: openSqlite } satisfies Record<string, OpenStore>;

/** Copies a data directory's store to a new file and returns its size in bytes. Throws an `AppError` `failed`. */
export const backUps = { sqlite: backUpSqlite };

/** Opens a store in a data directory and creates what is missing. Rejects with an `AppError` `failed`. */
export type OpenStore = (dataDirectory: string) => Promise<Store>;

/** Opens the store in a Postgres database. Its modules are loaded only then. */
export async function openPostgres(place: PostgresPlace): Promise<Store> {
  const postgres = await import("./postgres/index.ts");
  return postgres.openPostgres(place);
}
