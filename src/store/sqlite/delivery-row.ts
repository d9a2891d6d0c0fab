import type { Delivery } from "../../domain/delivery.ts";
import type { DecisionSet } from "./decisions.ts";

/** A delivery as its table has it, without its body. */
export interface HeadRow {
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
}

/** The columns of a {@link HeadRow}, all of which stand before the body: its pages are not read for them. */
export const HEAD_COLUMNS =
  "delivery.id, source, event, status, received_at, client, has_identity, provider_id, hook, redelivery_of, replay_of, headers, decision_set";

/** What a delivery is by its own row, without its body. */
export type Head = Omit<Delivery, "body" | "deployments" | keyof DecisionSet>;

/** The row as the rest of the program knows it. */
export function toHead(row: HeadRow): Head {
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
  };
}
