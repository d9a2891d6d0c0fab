import type { Store } from "../domain/store.ts";
import { openSqlite } from "./sqlite/index.ts";

/** Every store, by name. */
export const stores = { sqlite: openSqlite } satisfies Record<string, OpenStore>;

/** Opens a store in a data directory and creates what is missing. Rejects with an `AppError` `failed`. */
export type OpenStore = (dataDirectory: string) => Promise<Store>;
