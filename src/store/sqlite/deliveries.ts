import type { Delivery } from "../../domain/delivery.ts";
import { type KeptBody, unpackBody } from "./body.ts";
import type { Connection } from "./open.ts";

interface DeliveryRow {
  id: number;
  source: string;
  event: Delivery["event"];
  status: Delivery["status"];
  reason: string | null;
  received_at: number;
  client: string;
  provider_id: string | null;
  headers: string;
  decisions: string;
  body_encoding: KeptBody["encoding"];
  body: Uint8Array;
}

/** The deliveries' part of the store that reads; `accept.ts` is the one that writes. */
export function openDeliveries(connection: Connection) {
  const select = connection.prepare<DeliveryRow, { id: number }>("SELECT * FROM delivery WHERE id = $id");
  const selectDeployments = connection.prepare<{ id: number }, { delivery: number }>(
    "SELECT id FROM deployment WHERE delivery = $delivery ORDER BY id",
  );
  return {
    readDelivery: (id: number): Promise<Delivery | null> =>
      connection.attempt(() => {
        const row = select.get({ id });
        if (row === null) return null;
        const deployments = selectDeployments.all({ delivery: id }).map((deployment) => deployment.id);
        return toDelivery(row, deployments);
      }),
  };
}

function toDelivery(row: DeliveryRow, deployments: readonly number[]): Delivery {
  return {
    id: row.id,
    source: row.source,
    event: row.event,
    status: row.status,
    reason: row.reason,
    receivedAt: new Date(row.received_at),
    client: row.client,
    providerId: row.provider_id,
    headers: JSON.parse(row.headers) as Delivery["headers"],
    body: unpackBody({ encoding: row.body_encoding, bytes: row.body }),
    decisions: JSON.parse(row.decisions) as Delivery["decisions"],
    deployments,
  };
}
