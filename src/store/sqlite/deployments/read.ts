import { DEPLOYMENT_STATES, type Deployment, type DeploymentState } from "../../../domain/deployment.ts";
import type { DeploymentFilter } from "../../../domain/deployment-store.ts";
import type { Page, PageRange } from "../../../domain/page.ts";
import type { Connection } from "../connection.ts";
import { type RangeValues, toPage, toRangeValues } from "../page.ts";
import { DEPLOYMENT_COLUMNS, type RetriedRow, type StepRow, toDeployment } from "./row.ts";

/** Prepares what reads deployments with their steps. */
export function prepareReadDeployments(connection: Connection) {
  const select = connection.prepare<RetriedRow, { id: number }>(
    `SELECT ${DEPLOYMENT_COLUMNS} FROM deployment WHERE id = $id`,
  );
  const selectSteps = connection.prepare<StepRow, { deployment: number }>(
    "SELECT * FROM step WHERE deployment = $deployment ORDER BY position",
  );
  const list = prepareList(connection);
  const withSteps = (row: RetriedRow) => toDeployment(row, selectSteps.all({ deployment: row.id }));

  return {
    read(id: number): Deployment | null {
      const row = select.get({ id });
      return row === null ? null : withSteps(row);
    },
    list: (filter: DeploymentFilter, range: PageRange): Page<Deployment> =>
      toPage(list(filter, range), range, withSteps),
  };
}

type SourceValues = RangeValues & { source: string | null };

/** Prepares what finds the deployments of a list, newest first and one more than the page. */
function prepareList(connection: Connection) {
  const prepareIn = (state: DeploymentState | null) => ({
    ofAny: connection.prepare<RetriedRow, SourceValues>(selectIn(state, "id < $before")),
    ofTarget: connection.prepare<RetriedRow, SourceValues & { target: string }>(
      selectIn(state, "id < $before AND target = $target"),
    ),
  });
  const findOfRareSource = prepareFindOfRareSource(connection);
  const statements = new Map([null, ...DEPLOYMENT_STATES].map((state) => [state, prepareIn(state)]));
  return ({ target, state, source }: DeploymentFilter, range: PageRange): readonly RetriedRow[] => {
    const statement = statements.get(state);
    if (statement === undefined) throw new Error(`there is no state ${state}`);
    const values = { ...toRangeValues(range), source };
    if (target !== null) return statement.ofTarget.all({ ...values, target });
    const rare = source === null ? null : findOfRareSource({ ...values, source, state });
    return rare ?? statement.ofAny.all(values);
  };
}

/** A partial index serves a query only where its text, and not a parameter, names the state. */
function selectIn(state: DeploymentState | null, condition: string): string {
  // SQLite would rather read all rows in order than sort the few in these two indexes.
  const index = state === "queued" || state === "running" ? `INDEXED BY deployment_${state}` : "";
  const inState = state === null ? "" : `AND state = '${state}'`;
  return `
    SELECT ${DEPLOYMENT_COLUMNS} FROM deployment ${index} WHERE ${condition} ${inState}
      AND ($source IS NULL
        OR EXISTS (SELECT 1 FROM delivery WHERE delivery.id = deployment.delivery AND source = $source))
    ORDER BY id DESC LIMIT $limit`;
}

/** A source with at most so many deliveries is rare: its deployments are few among those of other sources. */
const RARE = 2000;

/** Prepares what finds the deployments of a source by its deliveries, where those are few; else null. */
function prepareFindOfRareSource(connection: Connection) {
  const count = connection.prepare<{ deliveries: number }, { source: string; most: number }>(`
    SELECT count(*) AS deliveries FROM (SELECT 1 FROM delivery WHERE source = $source LIMIT $most)`);
  const select = connection.prepare<
    RetriedRow,
    RangeValues & { source: string; state: DeploymentState | null }
  >(`
    SELECT ${DEPLOYMENT_COLUMNS} FROM delivery CROSS JOIN deployment ON deployment.delivery = delivery.id
    WHERE source = $source AND deployment.id < $before AND ($state IS NULL OR state = $state)
    ORDER BY deployment.id DESC LIMIT $limit`);
  return (
    values: RangeValues & { source: string; state: DeploymentState | null },
  ): readonly RetriedRow[] | null => {
    const { deliveries } = count.get({ source: values.source, most: RARE + 1 }) ?? { deliveries: 0 };
    return deliveries > RARE ? null : select.all(values);
  };
}
