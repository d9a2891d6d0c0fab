import type { Store } from "../domain/store.ts";
import { openSqlite } from "./sqlite/index.ts";

/** Every store, by name. Each opens its files in the data directory, or creates them. */
export const stores = { sqlite: openSqlite } satisfies Record<string, OpenStore>;

/** Opens a store in a data directory. Rejects with an `AppError` `failed` that says what is wrong and what to do. */
export type OpenStore = (dataDirectory: string) => Promise<Store>;
