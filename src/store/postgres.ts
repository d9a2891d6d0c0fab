import type { Store } from "../domain/store.ts";
import type { PostgresPlace } from "./postgres/index.ts";

/** Opens the store in a Postgres database. Its modules are loaded only then. */
export async function openPostgres(place: PostgresPlace): Promise<Store> {
  const postgres = await import("./postgres/index.ts");
  return postgres.openPostgres(place);
}
