import type {
  Delivery,
  DeliveryStore,
  DeliverySummary,
  DeploymentOutcome,
} from "../../../domain/delivery.ts";
import type { Connection } from "../connection.ts";
import { toPage } from "../page.ts";
import { type Packed, unpack } from "./body.ts";
import type { DecisionSet, DecisionSets } from "./decisions.ts";
import { prepareListDeliveries } from "./list.ts";

interface DeliveryRow extends HeadRow {
  body_encoding: Packed["encoding"];
  body: Uint8Array;
}

/** The deliveries' part of the store that reads; `accept.ts` is the one that writes. */
export function createDeliveries(
  connection: Connection,
  decisionSets: DecisionSets,
): Omit<DeliveryStore, "accept"> {
  const select = connection.prepare<DeliveryRow, { id: number }>("SELECT * FROM delivery WHERE id = $id");
  const selectDeployments = connection.prepare<{ id: number }, { delivery: number }>(
    "SELECT id FROM deployment WHERE delivery = $delivery ORDER BY id",
  );
  const selectOutcomes = connection.prepare<DeploymentOutcome, { delivery: number }>(`
    SELECT id AS deployment, target, state, reason FROM deployment WHERE delivery = $delivery ORDER BY id`);
  const list = prepareListDeliveries(connection);

  function summarise(row: HeadRow): DeliverySummary {
    const outcomes = selectOutcomes.all({ delivery: row.id });
    const deployments = outcomes.map(({ deployment }) => deployment);
    return { ...toHead(row), ...decisionSets.read(row.decision_set), deployments, outcomes };
  }

  return {
    readDelivery: (id) =>
      connection.attempt(() => {
        const row = select.get({ id });
        if (row === null) return null;
        const deployments = selectDeployments.all({ delivery: id }).map((deployment) => deployment.id);
        const body = unpack({ encoding: row.body_encoding, bytes: row.body });
        return { ...toHead(row), ...decisionSets.read(row.decision_set), body, deployments };
      }),
    readOutcomes: (delivery) => connection.attempt(() => selectOutcomes.all({ delivery })),
    listDeliveries: (filter, range) =>
      connection.attempt(() => toPage(list(filter, range), range, summarise)),
  };
}

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
