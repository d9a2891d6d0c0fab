import type { LeaseTimes } from "../../domain/host.ts";
import type { Query } from "./connection.ts";

/**
 * Seconds, in SQL. A host whose process did not renew its lease for so long is away. All processes have to agree on it, so
 * that it can only be changed for the database: `ALTER DATABASE … SET hooklatch.lease_seconds = 60`.
 */
const SECONDS =
  "coalesce(nullif(current_setting('hooklatch.lease_seconds', true), '')::double precision, 20)";

/** In SQL: the time before which a lease that was not renewed since has ended. */
export const LEASE_END = `(clock_timestamp() - make_interval(secs => ${SECONDS}))`;

/** Reads the times of leases. `patience` is that of the configuration. */
export async function readLeaseTimes(query: Query, patience: number): Promise<LeaseTimes> {
  const [row] = await query<{ seconds: number }>(`SELECT ${SECONDS} AS seconds`);
  const duration = (row?.seconds ?? 20) * 1000;
  return { renewEvery: duration / 4, duration, patience };
}
