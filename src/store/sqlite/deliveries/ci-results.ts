import type { CiResult } from "../../../domain/ci.ts";
import type { DeliveryStore } from "../../../domain/delivery.ts";
import type { Connection } from "../connection.ts";

/** The part of the store that reads the results of CI. */
export function createCiResults(connection: Connection): Pick<DeliveryStore, "listCiResults"> {
  const select = connection.prepare<{ ci: string }, { source: string; commit: string }>(`
    SELECT ci FROM delivery WHERE ci_commit = $commit AND source = $source ORDER BY id`);
  return {
    listCiResults: (source, commit) =>
      connection.attempt(() => select.all({ source, commit }).map(({ ci }) => JSON.parse(ci) as CiResult)),
  };
}
