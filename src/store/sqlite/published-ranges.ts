import type { PublishedRangesStore } from "../../domain/published-ranges.ts";
import type { Connection } from "./connection.ts";

type Row = { ranges: string; fetched_at: number };

/** The part of the store that holds published address ranges. */
export function createPublishedRanges(connection: Connection): PublishedRangesStore {
  const upsert = connection.prepare<never, Row & { list: string }>(`
    INSERT OR REPLACE INTO published_ranges (list, ranges, fetched_at) VALUES ($list, $ranges, $fetched_at)`);
  const select = connection.prepare<Row, { list: string }>(
    "SELECT ranges, fetched_at FROM published_ranges WHERE list = $list",
  );
  return {
    keepRanges: (list, ranges, at) =>
      connection.attempt(() => {
        upsert.run({ list, ranges: JSON.stringify(ranges), fetched_at: at.getTime() });
      }),
    readRanges: (list) =>
      connection.attempt(() => {
        const row = select.get({ list });
        if (row === null) return null;
        return { ranges: JSON.parse(row.ranges) as string[], at: new Date(row.fetched_at) };
      }),
  };
}
