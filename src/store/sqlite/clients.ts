import type { Client, ClientStore } from "../../domain/client.ts";
import type { Connection } from "./open.ts";

type ClientKey = { source: string; address: string };
type ClientRow = ClientKey & { authorised_at: number; expires_at: number };

/** The clients' part of the store. */
export function openClients(connection: Connection): ClientStore {
  const upsert = connection.prepare<never, ClientRow>(`
    INSERT INTO client (source, address, authorised_at, expires_at)
    VALUES ($source, $address, $authorised_at, $expires_at)
    ON CONFLICT DO UPDATE SET authorised_at = excluded.authorised_at, expires_at = excluded.expires_at`);
  const select = connection.prepare<ClientRow, ClientKey>(
    "SELECT * FROM client WHERE source = $source AND address = $address",
  );
  const remove = connection.prepare<never, ClientKey & { expires_at: number }>(
    "DELETE FROM client WHERE source = $source AND address = $address AND expires_at = $expires_at",
  );
  return {
    authorise: ({ source, address, authorisedAt, expiresAt }) =>
      connection.attempt(() => {
        upsert.run({
          source,
          address,
          authorised_at: authorisedAt.getTime(),
          expires_at: expiresAt.getTime(),
        });
      }),
    findClient: (source, address) =>
      connection.attempt(() => {
        const row = select.get({ source, address });
        return row === null ? null : toClient(row);
      }),
    forgetClient: ({ source, address, expiresAt }) =>
      connection.attempt(() => {
        remove.run({ source, address, expires_at: expiresAt.getTime() });
      }),
  };
}

function toClient(row: ClientRow): Client {
  return {
    source: row.source,
    address: row.address,
    authorisedAt: new Date(row.authorised_at),
    expiresAt: new Date(row.expires_at),
  };
}
