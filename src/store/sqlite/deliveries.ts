import type { DeliveryStore, DeliverySummary, DeploymentOutcome } from "../../domain/delivery.ts";
import { type Packed, unpack } from "./body.ts";
import type { DecisionSets } from "./decisions.ts";
import { type HeadRow, toHead } from "./delivery-row.ts";
import { prepareListDeliveries } from "./list-deliveries.ts";
import type { Connection } from "./open.ts";
import { toPage } from "./page.ts";

interface DeliveryRow extends HeadRow {
  body_encoding: Packed["encoding"];
  body: Uint8Array;
}

/** The deliveries' part of the store that reads; `accept.ts` is the one that writes. */
export function openDeliveries(
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
