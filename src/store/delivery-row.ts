import type { Delivery } from "../domain/delivery.ts";
import type { Decision } from "../domain/match.ts";
import type { Packed } from "./body.ts";

/** A row of the table `delivery` without its id and its body. */
export type NewHeadRow = {
  source: string;
  event: Delivery["event"];
  event_name: string | null;
  action: string | null;
  status: Delivery["status"];
  reason: string | null;
  received_at: number;
  client: string;
  has_identity: 0 | 1;
  provider_id: string | null;
  hook: string | null;
  redelivery_of: number | null;
  replay_of: number | null;
  headers: string;
  decisions: string | null;
  other_targets: number;
};

export type HeadRow = NewHeadRow & { id: number };

/**
 * The columns of the body: the body itself, or its place in a block. They follow the others in the table, which are read
 * without the pages of the body.
 */
export type BodyRow = {
  body_encoding: Packed["encoding"];
  body: Uint8Array;
  block: number | null;
  block_offset: number | null;
  block_length: number | null;
};

/** The columns of a {@link HeadRow}. */
export const HEAD_COLUMNS =
  "delivery.id, source, event, event_name, action, status, reason, received_at, client, has_identity, provider_id, hook, redelivery_of, replay_of, headers, decisions, other_targets";

/** Reads a row. The body and the deployments are in other columns and rows. */
export function toHead(row: HeadRow): Omit<Delivery, "body" | "deployments"> {
  return {
    id: row.id,
    source: row.source,
    event: row.event,
    eventName: row.event_name,
    action: row.action,
    status: row.status,
    reason: row.reason,
    receivedAt: new Date(row.received_at),
    client: row.client,
    identity: row.has_identity === 1 ? { id: row.provider_id, hook: row.hook } : null,
    redeliveryOf: row.redelivery_of,
    replayOf: row.replay_of,
    headers: JSON.parse(row.headers) as Delivery["headers"],
    decisions: row.decisions === null ? [] : (JSON.parse(row.decisions) as readonly Decision[]),
    otherTargets: row.other_targets,
  };
}

/** The row of a new delivery. `decisions` is their JSON; null instead of an empty list. */
export function toNewHeadRow(
  delivery: Omit<Delivery, "id" | "body" | "deployments" | "decisions">,
  decisions: string | null,
): NewHeadRow {
  return {
    source: delivery.source,
    event: delivery.event,
    event_name: delivery.eventName,
    action: delivery.action,
    status: delivery.status,
    reason: delivery.reason,
    received_at: delivery.receivedAt.getTime(),
    client: delivery.client,
    has_identity: delivery.identity === null ? 0 : 1,
    provider_id: delivery.identity?.id ?? null,
    hook: delivery.identity?.hook ?? null,
    redelivery_of: delivery.redeliveryOf,
    replay_of: delivery.replayOf,
    headers: JSON.stringify(delivery.headers),
    decisions,
    other_targets: delivery.otherTargets,
  };
}
