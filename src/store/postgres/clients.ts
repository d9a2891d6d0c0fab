import type { Client, ClientStore, StoredClient } from "../../domain/client.ts";
import type { PublishedRangesStore } from "../../domain/published-ranges.ts";
import type { Store } from "../../domain/store.ts";
import { toPage, toRangeValues } from "../page.ts";
import type { Query } from "./connection.ts";

interface ClientRow {
  readonly source: string;
  readonly address: string;
  readonly authorised_at: number;
  readonly expires_at: number;
}

/** The part of the store that holds clients. */
export function createClients(query: Query): ClientStore {
  return {
    async authorise({ source, address, authorisedAt, expiresAt }) {
      // Each authorisation gives a new id.
      await query(
        `INSERT INTO client (source, address, authorised_at, expires_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (source, address) DO UPDATE SET
           id = DEFAULT, authorised_at = excluded.authorised_at, expires_at = excluded.expires_at`,
        source,
        address,
        authorisedAt.getTime(),
        expiresAt.getTime(),
      );
    },
    async findClient(source, address) {
      const [row] = await query<ClientRow>(
        "SELECT * FROM client WHERE source = $1 AND address = $2",
        source,
        address,
      );
      return row === undefined ? null : toClient(row);
    },
    async forgetClient({ source, address, expiresAt }) {
      await query(
        "DELETE FROM client WHERE source = $1 AND address = $2 AND expires_at = $3",
        source,
        address,
        expiresAt.getTime(),
      );
    },
    async listClients(source, range) {
      const { before, limit } = toRangeValues(range);
      const rows = await query<ClientRow & { id: number }>(
        `SELECT * FROM client WHERE id < $1 AND ($3::text IS NULL OR source = $3) ORDER BY id DESC LIMIT $2`,
        before,
        limit,
        source,
      );
      return toPage(rows, range, (row): StoredClient => ({ id: row.id, ...toClient(row) }));
    },
    async revokeClient(address, source) {
      const rows = await query<ClientRow>(
        "DELETE FROM client WHERE address = $1 AND ($2::text IS NULL OR source = $2) RETURNING *",
        address,
        source,
      );
      return rows.map(toClient);
    },
  };
}

function toClient({ source, address, authorised_at, expires_at }: ClientRow): Client {
  return { source, address, authorisedAt: new Date(authorised_at), expiresAt: new Date(expires_at) };
}

/** The part of the store that holds published ranges. */
export function createPublishedRanges(query: Query): PublishedRangesStore {
  return {
    async storeRanges(list, ranges, at) {
      await query(
        `INSERT INTO published_ranges (list, ranges, fetched_at) VALUES ($1, $2, $3)
         ON CONFLICT (list) DO UPDATE SET ranges = excluded.ranges, fetched_at = excluded.fetched_at`,
        list,
        JSON.stringify(ranges),
        at.getTime(),
      );
    },
    async readRanges(list) {
      const [row] = await query<{ ranges: string; fetched_at: number }>(
        "SELECT ranges, fetched_at FROM published_ranges WHERE list = $1",
        list,
      );
      return row === undefined
        ? null
        : { ranges: JSON.parse(row.ranges) as string[], at: new Date(row.fetched_at) };
    },
  };
}

/** The figures of the store, and the check whether it can be written. */
export function createStatistics(query: Query): Pick<Store, "readStatistics" | "probe"> {
  return {
    async readStatistics() {
      const [row] = await query<{ bytes: number; queued: number; running: number }>(
        `SELECT (SELECT coalesce(sum(pg_total_relation_size(oid)), 0)::bigint FROM pg_class
            WHERE relnamespace = 'hooklatch'::regnamespace AND relkind = 'r') AS bytes,
           (SELECT count(*) FROM deployment WHERE state = 'queued') AS queued,
           (SELECT count(*) FROM deployment WHERE state = 'running') AS running`,
      );
      return row ?? { bytes: 0, queued: 0, running: 0 };
    },
    async probe(now) {
      await query("UPDATE probe SET at = $1", now.getTime());
    },
  };
}
