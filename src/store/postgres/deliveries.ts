import type { CiResult } from "../../domain/ci.ts";
import {
  DELIVERY_STATUSES,
  type DeliveryFilter,
  type DeliveryStore,
  type DeliverySummary,
  type DeploymentOutcome,
} from "../../domain/delivery.ts";
import type { PageRange } from "../../domain/page.ts";
import { type Packed, unpack } from "../body.ts";
import { HEAD_COLUMNS, type HeadRow, toHead } from "../delivery-row.ts";
import { RETRIED_AS } from "../deployment-row.ts";
import { toPage, toRangeValues } from "../page.ts";
import type { Query } from "./connection.ts";

/** The part of the store that reads deliveries; `accept.ts` writes them. */
export function createDeliveries(query: Query): Omit<DeliveryStore, "accept"> {
  /** The outcomes of deliveries, by delivery. */
  async function readOutcomes(ids: readonly number[]): Promise<ReadonlyMap<number, DeploymentOutcome[]>> {
    const rows =
      ids.length === 0
        ? []
        : await query<DeploymentOutcome & { delivery: number }>(
            `SELECT delivery, id AS deployment, target, state, code, reason, superseded_by AS "supersededBy",
               ${RETRIED_AS} AS "retriedAs"
             FROM deployment WHERE delivery = ANY($1) ORDER BY id`,
            ids,
          );
    const outcomes = new Map<number, DeploymentOutcome[]>();
    for (const { delivery, ...outcome } of rows) {
      outcomes.set(delivery, [...(outcomes.get(delivery) ?? []), outcome]);
    }
    return outcomes;
  }

  function summarise(row: HeadRow, outcomes: readonly DeploymentOutcome[]): DeliverySummary {
    return { ...toHead(row), deployments: outcomes.map(({ deployment }) => deployment), outcomes };
  }

  return {
    async readDelivery(id) {
      const [row] = await query<HeadRow & { body_encoding: Packed["encoding"]; body: Uint8Array }>(
        `SELECT ${HEAD_COLUMNS}, body_encoding, body FROM delivery WHERE id = $1`,
        id,
      );
      if (row === undefined) return null;
      const { body_encoding: encoding, body, ...head } = row;
      const { outcomes: _, ...summary } = summarise(head, (await readOutcomes([id])).get(id) ?? []);
      return { ...summary, body: new Uint8Array(unpack({ encoding, bytes: body })) };
    },
    readOutcomes: async (delivery) => (await readOutcomes([delivery])).get(delivery) ?? [],
    async listDeliveries(filter, range) {
      const rows = await selectPage(query, filter, range);
      const outcomes = await readOutcomes(rows.map(({ id }) => id));
      return toPage(rows, range, (row) => summarise(row, outcomes.get(row.id) ?? []));
    },
    async listCiResults(source, commit) {
      const rows = await query<{ ci: string }>(
        "SELECT ci FROM delivery WHERE ci_commit = $2 AND source = $1 ORDER BY id",
        source,
        commit,
      );
      return rows.map(({ ci }) => JSON.parse(ci) as CiResult);
    },
  };
}

/** Newest first and one more than the page. None reads all rows between its matches. */
async function selectPage(
  query: Query,
  { source, status, target }: DeliveryFilter,
  range: PageRange,
): Promise<readonly HeadRow[]> {
  const { before, limit } = toRangeValues(range);
  if (target !== null) {
    // Of each list the newest: the deliveries that deployed the target, and those that were about it and did not.
    return query<HeadRow>(
      `SELECT ${HEAD_COLUMNS} FROM delivery
       WHERE id < $1 AND ($4::text IS NULL OR source = $4) AND ($5::text IS NULL OR status = $5) AND id IN (
         SELECT delivery FROM deployment WHERE target = $3 AND delivery < $1
         UNION SELECT delivery FROM not_deployed WHERE target = $3 AND delivery < $1)
       ORDER BY id DESC LIMIT $2`,
      before,
      limit,
      target,
      source,
      status,
    );
  }
  if (source === null && status === null) {
    return query<HeadRow>(
      `SELECT ${HEAD_COLUMNS} FROM delivery WHERE id < $1 ORDER BY id DESC LIMIT $2`,
      before,
      limit,
    );
  }
  // By the index on source and status: the newest of each matching pair, and of those the newest.
  return query<HeadRow>(
    `WITH RECURSIVE known (source) AS (
       SELECT min(source) FROM delivery WHERE $3::text IS NULL
       UNION ALL
       SELECT (SELECT min(source) FROM delivery WHERE source > known.source) FROM known WHERE source IS NOT NULL)
     SELECT newest.* FROM (SELECT source FROM known WHERE source IS NOT NULL UNION SELECT $3 WHERE $3 IS NOT NULL) AS of,
       unnest($4::text[]) AS status,
       LATERAL (
         SELECT ${HEAD_COLUMNS} FROM delivery
         WHERE delivery.source = of.source AND delivery.status = status.status AND id < $1
         ORDER BY id DESC LIMIT $2) AS newest
     ORDER BY newest.id DESC LIMIT $2`,
    before,
    limit,
    source,
    status === null ? DELIVERY_STATUSES : [status],
  );
}
