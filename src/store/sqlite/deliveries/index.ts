import type { DeliveryStore, DeliverySummary, DeploymentOutcome } from "../../../domain/delivery.ts";
import type { Connection } from "../connection.ts";
import { RETRIED_AS } from "../deployments/row.ts";
import { toPage } from "../page.ts";
import { type Packed, unpack } from "./body.ts";
import { prepareListDeliveries } from "./list.ts";
import { type HeadRow, toHead } from "./row.ts";

interface DeliveryRow extends HeadRow {
  body_encoding: Packed["encoding"];
  body: Uint8Array;
}

/** The part of the store that reads deliveries; `group-commit.ts` writes them. */
export function createDeliveries(connection: Connection): Omit<DeliveryStore, "accept"> {
  const select = connection.prepare<DeliveryRow, { id: number }>("SELECT * FROM delivery WHERE id = $id");
  const selectDeployments = connection.prepare<{ id: number }, { delivery: number }>(
    "SELECT id FROM deployment WHERE delivery = $delivery ORDER BY id",
  );
  const selectOutcomes = connection.prepare<DeploymentOutcome, { delivery: number }>(`
    SELECT id AS deployment, target, state, code, reason, superseded_by AS supersededBy, ${RETRIED_AS} AS retriedAs
    FROM deployment WHERE delivery = $delivery ORDER BY id`);
  const list = prepareListDeliveries(connection);

  function summarise(row: HeadRow): DeliverySummary {
    const outcomes = selectOutcomes.all({ delivery: row.id });
    return { ...toHead(row), deployments: outcomes.map(({ deployment }) => deployment), outcomes };
  }

  return {
    readDelivery: (id) =>
      connection.attempt(() => {
        const row = select.get({ id });
        if (row === null) return null;
        const deployments = selectDeployments.all({ delivery: id }).map((deployment) => deployment.id);
        const body = unpack({ encoding: row.body_encoding, bytes: row.body });
        return { ...toHead(row), body, deployments };
      }),
    readOutcomes: (delivery) => connection.attempt(() => selectOutcomes.all({ delivery })),
    listDeliveries: (filter, range) =>
      connection.attempt(() => toPage(list(filter, range), range, summarise)),
  };
}
