import type { CiResult } from "../../../domain/ci.ts";
import type { DeliveryStore } from "../../../domain/delivery.ts";
import type { CiEvent } from "../../../domain/event.ts";
import type { Connection } from "../connection.ts";

/** The columns of a delivery's result of CI; both null where it reports none. */
export type CiRow = { ci_commit: string | null; ci: string | null };

/** Converts a result to its columns. */
export function toCiRow(event: CiEvent | null): CiRow {
  if (event === null) return { ci_commit: null, ci: null };
  const { commit, repository, refs, workflows, outcome, cause, run } = event;
  const result: CiResult = { repository, refs, workflows, outcome, cause, run };
  return { ci_commit: commit, ci: JSON.stringify(result) };
}

/** The part of the store that reads the results of CI. */
export function createCiResults(connection: Connection): Pick<DeliveryStore, "listCiResults"> {
  const select = connection.prepare<{ ci: string }, { source: string; commit: string }>(`
    SELECT ci FROM delivery WHERE ci_commit = $commit AND source = $source ORDER BY id`);
  return {
    listCiResults: (source, commit) =>
      connection.attempt(() => select.all({ source, commit }).map(({ ci }) => JSON.parse(ci) as CiResult)),
  };
}
