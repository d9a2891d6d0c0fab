import type { Store } from "../domain/store.ts";
import type { PostgresPlace } from "./postgres/index.ts";

/** Logs in to a database and changes nothing. Resolves with its version, such as `15.14`. Rejects as opening a store does. */
export async function probePostgres(url: string): Promise<string> {
  const postgres = await import("./postgres/index.ts");
  return postgres.probePostgres(url);
}

/** Opens the store in a Postgres database. Its modules are loaded only then. */
export async function openPostgres(place: PostgresPlace): Promise<Store> {
  const postgres = await import("./postgres/index.ts");
  return postgres.openPostgres(place);
}
