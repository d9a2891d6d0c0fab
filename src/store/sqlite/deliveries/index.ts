import {
  DELIVERY_STATUSES,
  type DeliveryFilter,
  type DeliveryStatus,
  type DeliveryStore,
  type DeliverySummary,
  type DeploymentOutcome,
} from "../../../domain/delivery.ts";
import type { PageRange } from "../../../domain/page.ts";
import { type BodyRow, HEAD_COLUMNS, type HeadRow, toHead } from "../../delivery-row.ts";
import { RETRIED_AS } from "../../deployment-row.ts";
import { type RangeValues, toPage, toRangeValues } from "../../page.ts";
import type { Connection } from "../connection.ts";
import { prepareReadBody } from "./blocks.ts";

/** The part of the store that reads deliveries; `accept-group.ts` writes them. */
export function createDeliveries(connection: Connection): Omit<DeliveryStore, "accept" | "listCiResults"> {
  const select = connection.prepare<HeadRow & BodyRow, { id: number }>(
    "SELECT * FROM delivery WHERE id = $id",
  );
  const selectOutcomes = connection.prepare<DeploymentOutcome, { delivery: number }>(`
    SELECT id AS deployment, target, state, code, reason, superseded_by AS supersededBy, ${RETRIED_AS} AS retriedAs
    FROM deployment WHERE delivery = $delivery ORDER BY id`);
  const list = prepareListDeliveries(connection);
  const readBody = prepareReadBody(connection);

  function summarise(row: HeadRow): DeliverySummary {
    const outcomes = selectOutcomes.all({ delivery: row.id });
    return { ...toHead(row), deployments: outcomes.map(({ deployment }) => deployment), outcomes };
  }

  return {
    readDelivery: (id) =>
      connection.attempt(() => {
        const row = select.get({ id });
        if (row === null) return null;
        const { outcomes: _, ...summary } = summarise(row);
        return { ...summary, body: readBody(row) };
      }),
    readOutcomes: (delivery) => connection.attempt(() => selectOutcomes.all({ delivery })),
    listDeliveries: (filter, range) =>
      connection.attempt(() => toPage(list(filter, range), range, summarise)),
  };
}

/** Prepares the queries for a list, newest first and one more than the page. None reads the rows between its matches. */
function prepareListDeliveries(connection: Connection) {
  const selectAll = connection.prepare<HeadRow, RangeValues>(
    `SELECT ${HEAD_COLUMNS} FROM delivery WHERE id < $before ORDER BY id DESC LIMIT $limit`,
  );
  const findBySource = prepareFindBySource(connection);
  const findByTarget = prepareFindByTarget(connection);
  return ({ source, status, target }: DeliveryFilter, range: PageRange): readonly HeadRow[] => {
    const values = toRangeValues(range);
    if (target !== null) return findByTarget({ ...values, target, source, status });
    if (source !== null || status !== null) return findBySource(source, status, values);
    return selectAll.all(values);
  };
}

/** By the index on source and status: the newest of each matching pair, and of those the newest. */
function prepareFindBySource(connection: Connection) {
  // Skips from one source to the next instead of reading all rows.
  const selectSources = connection.prepare<{ source: string }>(`
    WITH RECURSIVE known (source) AS (
      SELECT min(source) FROM delivery
      UNION ALL
      SELECT (SELECT min(source) FROM delivery WHERE source > known.source) FROM known WHERE source IS NOT NULL)
    SELECT source FROM known WHERE source IS NOT NULL`);
  const selectIds = connection.prepare<{ id: number }, RangeValues & { source: string; status: string }>(`
    SELECT id FROM delivery WHERE source = $source AND status = $status AND id < $before
    ORDER BY id DESC LIMIT $limit`);
  const select = connection.prepare<HeadRow, { id: number }>(
    `SELECT ${HEAD_COLUMNS} FROM delivery WHERE id = $id`,
  );
  return (source: string | null, status: DeliveryStatus | null, range: RangeValues): readonly HeadRow[] => {
    const sources = source === null ? selectSources.all({}).map((known) => known.source) : [source];
    const statuses = status === null ? DELIVERY_STATUSES : [status];
    return sources
      .flatMap((source) => statuses.flatMap((status) => selectIds.all({ ...range, source, status })))
      .toSorted((a, b) => b.id - a.id)
      .slice(0, range.limit)
      .flatMap((row) => select.get(row) ?? []);
  };
}

/** By the target: the deliveries that deployed it, and those that were about it and did not. */
function prepareFindByTarget(connection: Connection) {
  type Values = RangeValues & { target: string; source: string | null; status: string | null };
  // The first deployments of a target for its deliveries are in the order of the deliveries, because a delivery that a
  // lock blocked is queued before a newer one or never. An index of their own would slow each accept down.
  const selectDeployed = connection.prepare<HeadRow, Values>(`
    SELECT ${HEAD_COLUMNS} FROM (
      SELECT id AS first, delivery AS requested FROM deployment
      WHERE target = $target AND delivery < $before
        AND id < ifnull(
          (SELECT min(id) FROM deployment WHERE delivery = $before AND target = $target), ${Number.MAX_SAFE_INTEGER})
        AND NOT EXISTS (
          SELECT 1 FROM deployment AS earlier
          WHERE earlier.delivery = deployment.delivery AND earlier.target = $target AND earlier.id < deployment.id)
    ) CROSS JOIN delivery ON delivery.id = requested
    WHERE ($source IS NULL OR source = $source) AND ($status IS NULL OR status = $status)
    ORDER BY first DESC LIMIT $limit`);
  const selectNotDeployed = connection.prepare<HeadRow, Values>(`
    SELECT ${HEAD_COLUMNS} FROM not_deployed CROSS JOIN delivery ON delivery.id = not_deployed.delivery
    WHERE target = $target AND not_deployed.delivery < $before
      AND ($source IS NULL OR source = $source) AND ($status IS NULL OR status = $status)
    ORDER BY not_deployed.delivery DESC LIMIT $limit`);
  return (values: Values): readonly HeadRow[] => {
    const found = [...selectDeployed.all(values), ...selectNotDeployed.all(values)];
    // A delivery that was blocked by a lock and queued by unlocking is found twice.
    const once = new Map(found.map((row) => [row.id, row]));
    return [...once.values()].toSorted((a, b) => b.id - a.id).slice(0, values.limit);
  };
}
