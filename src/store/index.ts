import type { Store } from "../domain/store.ts";
import { backUpSqlite } from "./sqlite/backup.ts";
import { openSqlite } from "./sqlite/index.ts";

/** Every store, by name. */
export const stores = { sqlite: openSqlite } satisfies Record<string, OpenStore>;

/** Copies a data directory's store to a new file and returns its size in bytes. Throws an `AppError` `failed`. */
export const backUps = { sqlite: backUpSqlite };

/** Opens a store in a data directory and creates what is missing. Rejects with an `AppError` `failed`. */
export type OpenStore = (dataDirectory: string) => Promise<Store>;
