import type { Store } from "../domain/store.ts";
import { openSqlite } from "./sqlite/index.ts";

/** Every store there is, by name; each opens what it keeps in the data directory, or makes it. */
export const stores = { sqlite: openSqlite } satisfies Record<string, OpenStore>;

/** Opens a store in a data directory. Rejects with a Fault `failed` that says what is wrong and what to do. */
export type OpenStore = (dataDirectory: string) => Promise<Store>;
