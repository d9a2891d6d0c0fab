import { DELIVERY_STATUSES, type DeliveryFilter, type DeliveryStatus } from "../../../domain/delivery.ts";
import type { PageRange } from "../../../domain/page.ts";
import type { Connection } from "../connection.ts";
import { type RangeValues, toRangeValues } from "../page.ts";
import { HEAD_COLUMNS, type HeadRow } from "./index.ts";

/** What finds the deliveries of a list, newest first, one more than the page has, without reading those between. */
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

/** By the index on source and status: the newest of each pair that fits, and of those the newest. */
function prepareFindBySource(connection: Connection) {
  // Jumps from one source to the next instead of reading all.
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

/** By the target: those that it was deployed for, and those that were about it and it was not. */
function prepareFindByTarget(connection: Connection) {
  const findDeployed = prepareFindDeployed(connection);
  const findUndeployed = connection.prepare<HeadRow, TargetValues>(`
    SELECT ${HEAD_COLUMNS} FROM undeployed CROSS JOIN delivery ON delivery.id = undeployed.delivery
    WHERE target = $target AND undeployed.delivery < $before
      AND ($source IS NULL OR source = $source) AND ($status IS NULL OR status = $status)
    ORDER BY undeployed.delivery DESC LIMIT $limit`);
  return (values: TargetValues): readonly HeadRow[] => {
    const found = [...findDeployed(values), ...findUndeployed.all(values)];
    // What a lock held back and was deployed later is found twice.
    const once = new Map(found.map((row) => [row.id, row]));
    return [...once.values()].toSorted((a, b) => b.id - a.id).slice(0, values.limit);
  };
}

/**
 * By the target's deployments, of which the first for each delivery are in the order of their deliveries: what a lock
 * held back is queued before a newer delivery is, or never. An index of its own would cost each accept too much.
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
