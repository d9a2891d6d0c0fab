import type { Delivery } from "../../domain/delivery.ts";
import { type Packed, unpack } from "./body.ts";
import type { DecisionSets } from "./decisions.ts";
import type { Connection } from "./open.ts";

interface DeliveryRow {
  id: number;
  source: string;
  event: Delivery["event"];
  status: Delivery["status"];
  received_at: number;
  client: string;
  has_identity: 0 | 1;
  provider_id: string | null;
  hook: string | null;
  redelivery_of: number | null;
  replay_of: number | null;
  headers: string;
  decision_set: number;
  body_encoding: Packed["encoding"];
  body: Uint8Array;
}

/** The deliveries' part of the store that reads; `accept.ts` is the one that writes. */
export function openDeliveries(connection: Connection, decisionSets: DecisionSets) {
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
        return { ...toDelivery(row), ...decisionSets.read(row.decision_set), deployments };
      }),
  };
}

function toDelivery(row: DeliveryRow): Omit<Delivery, "decisions" | "reason" | "deployments"> {
  return {
    id: row.id,
    source: row.source,
    event: row.event,
    status: row.status,
    receivedAt: new Date(row.received_at),
    client: row.client,
    identity: row.has_identity === 1 ? { id: row.provider_id, hook: row.hook } : null,
    redeliveryOf: row.redelivery_of,
    replayOf: row.replay_of,
    headers: JSON.parse(row.headers) as Delivery["headers"],
    body: unpack({ encoding: row.body_encoding, bytes: row.body }),
  };
}
