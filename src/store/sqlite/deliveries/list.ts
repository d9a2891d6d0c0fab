import { DELIVERY_STATUSES, type DeliveryFilter, type DeliveryStatus } from "../../../domain/delivery.ts";
import type { PageRange } from "../../../domain/page.ts";
import type { Connection } from "../connection.ts";
import { type RangeValues, toRangeValues } from "../page.ts";
import { HEAD_COLUMNS, type HeadRow } from "./row.ts";

/** Prepares what finds the deliveries of a list, newest first and one more than the page, without reading those between. */
export function prepareListDeliveries(connection: Connection) {
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
      .flatMap((one) => statuses.flatMap((word) => selectIds.all({ ...range, source: one, status: word })))
      .toSorted((a, b) => b.id - a.id)
      .slice(0, range.limit)
      .flatMap((row) => select.get(row) ?? []);
  };
}

type TargetValues = RangeValues & { target: string; source: string | null; status: string | null };

/** By the target: the deliveries that deployed it, and those that were about it and did not. */
function prepareFindByTarget(connection: Connection) {
  const findDeployed = prepareFindDeployed(connection);
  const findNotDeployed = connection.prepare<HeadRow, TargetValues>(`
    SELECT ${HEAD_COLUMNS} FROM not_deployed CROSS JOIN delivery ON delivery.id = not_deployed.delivery
    WHERE target = $target AND not_deployed.delivery < $before
      AND ($source IS NULL OR source = $source) AND ($status IS NULL OR status = $status)
    ORDER BY not_deployed.delivery DESC LIMIT $limit`);
  return (values: TargetValues): readonly HeadRow[] => {
    const found = [...findDeployed(values), ...findNotDeployed.all(values)];
    // A delivery that a lock blocked and unlocking deployed is found twice.
    const once = new Map(found.map((row) => [row.id, row]));
    return [...once.values()].toSorted((a, b) => b.id - a.id).slice(0, values.limit);
  };
}

/**
 * By the target's deployments. The first ones for each delivery are in the order of the deliveries, since a delivery that
 * a lock blocked is queued before a newer one or never. An index of their own would cost each accept too much.
 */
function prepareFindDeployed(connection: Connection) {
  const select = connection.prepare<HeadRow, TargetValues>(`
    SELECT ${HEAD_COLUMNS} FROM (
      SELECT id AS first, delivery AS asked FROM deployment
      WHERE target = $target AND delivery < $before
        AND id < ifnull(
          (SELECT min(id) FROM deployment WHERE delivery = $before AND target = $target), ${Number.MAX_SAFE_INTEGER})
        AND NOT EXISTS (
          SELECT 1 FROM deployment AS earlier
          WHERE earlier.delivery = deployment.delivery AND earlier.target = $target AND earlier.id < deployment.id)
    ) CROSS JOIN delivery ON delivery.id = asked
    WHERE ($source IS NULL OR source = $source) AND ($status IS NULL OR status = $status)
    ORDER BY first DESC LIMIT $limit`);
  return (values: TargetValues): readonly HeadRow[] => select.all(values);
}
