import type { Store } from "../domain/store.ts";
import type { FoundDatabase, PostgresPlace } from "./postgres/index.ts";

/** Logs in to a database and changes nothing. Rejects as opening a store does. */
export async function probePostgres(url: string): Promise<FoundDatabase> {
  const postgres = await import("./postgres/index.ts");
  return postgres.probePostgres(url);
}

/** Opens the store in a Postgres database. Its modules are loaded only then. */
export async function openPostgres(place: PostgresPlace): Promise<Store> {
  const postgres = await import("./postgres/index.ts");
  return postgres.openPostgres(place);
}
