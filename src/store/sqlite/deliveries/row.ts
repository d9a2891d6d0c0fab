import type { Delivery } from "../../../domain/delivery.ts";
import type { Decision } from "../../../domain/match.ts";

/** A row of the table `delivery` without its body. */
export interface HeadRow {
  id: number;
  source: string;
  event: Delivery["event"];
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
}

/** The columns of a {@link HeadRow}. All of them precede the body in the table, so that its pages are not read. */
export const HEAD_COLUMNS =
  "delivery.id, source, event, status, reason, received_at, client, has_identity, provider_id, hook, redelivery_of, replay_of, headers, decisions, other_targets";

/** A delivery as its own row has it, without its body. */
export type Head = Omit<Delivery, "body" | "deployments">;

/** Reads a row. */
export function toHead(row: HeadRow): Head {
  return {
    id: row.id,
    source: row.source,
    event: row.event,
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

/** The decisions as their column has them. */
export function toDecisionsColumn(decisions: readonly Decision[]): string | null {
  return decisions.length === 0 ? null : JSON.stringify(decisions);
}
