import type { Client, ClientStore, StoredClient } from "../../domain/client.ts";
import { type RangeValues, toPage, toRangeValues } from "../page.ts";
import type { Connection } from "./connection.ts";

type ClientKey = { source: string; address: string };
type ClientRow = ClientKey & { authorised_at: number; expires_at: number };
type StoredClientRow = ClientRow & { id: number };

/** The part of the store that holds clients. */
export function createClients(connection: Connection): ClientStore {
  // Replaces an existing row: each authorisation gives a new id.
  const replace = connection.prepare<never, ClientRow>(`
    INSERT OR REPLACE INTO client (source, address, authorised_at, expires_at)
    VALUES ($source, $address, $authorised_at, $expires_at)`);
  const select = connection.prepare<ClientRow, ClientKey>(
    "SELECT * FROM client WHERE source = $source AND address = $address",
  );
  const remove = connection.prepare<never, ClientKey & { expires_at: number }>(
    "DELETE FROM client WHERE source = $source AND address = $address AND expires_at = $expires_at",
  );
  // Operators use these two rarely, so that they may read all rows.
  const selectPage = connection.prepare<StoredClientRow, RangeValues & { source: string | null }>(`
    SELECT * FROM client WHERE id < $before AND ($source IS NULL OR source = $source)
    ORDER BY id DESC LIMIT $limit`);
  const revoke = connection.prepare<ClientRow, { address: string; source: string | null }>(
    "DELETE FROM client WHERE address = $address AND ($source IS NULL OR source = $source) RETURNING *",
  );
  return {
    authorise: ({ source, address, authorisedAt, expiresAt }) => {
      const times = { authorised_at: authorisedAt.getTime(), expires_at: expiresAt.getTime() };
      return connection.attempt(() => void replace.run({ source, address, ...times }));
    },
    findClient: (source, address) =>
      connection.attempt(() => {
        const row = select.get({ source, address });
        return row === null ? null : toClient(row);
      }),
    forgetClient: ({ source, address, expiresAt }) =>
      connection.attempt(() => void remove.run({ source, address, expires_at: expiresAt.getTime() })),
    listClients: (source, range) =>
      connection.attempt(() =>
        toPage(
          selectPage.all({ source, ...toRangeValues(range) }),
          range,
          (row): StoredClient => ({ id: row.id, ...toClient(row) }),
        ),
      ),
    revokeClient: (address, source) =>
      connection.attempt(() => revoke.all({ address, source }).map(toClient)),
  };
}

function toClient({ source, address, authorised_at, expires_at }: ClientRow): Client {
  return { source, address, authorisedAt: new Date(authorised_at), expiresAt: new Date(expires_at) };
}
