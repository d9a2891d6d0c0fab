import {
  DEPLOYMENT_STATES,
  type Deployment,
  type DeploymentFilter,
  type DeploymentState,
} from "../../../domain/deployment.ts";
import type { Page, PageRange } from "../../../domain/page.ts";
import type { Connection } from "../connection.ts";
import { type RangeValues, toPage, toRangeValues } from "../page.ts";
import { type DeploymentRow, type StepRow, toDeployment } from "./row.ts";

/** What reads deployments with their steps. */
export function prepareReadDeployments(connection: Connection) {
  const select = connection.prepare<DeploymentRow, { id: number }>("SELECT * FROM deployment WHERE id = $id");
  const selectSteps = connection.prepare<StepRow, { deployment: number }>(
    "SELECT * FROM step WHERE deployment = $deployment ORDER BY position",
  );
  const list = prepareList(connection);
  const withSteps = (row: DeploymentRow) => toDeployment(row, selectSteps.all({ deployment: row.id }));

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

/** What finds the deployments of a list, newest first, one more than the page has. */
function prepareList(connection: Connection) {
  const prepareIn = (state: DeploymentState | null) => ({
    ofAny: connection.prepare<DeploymentRow, SourceValues>(selectIn(state, "id < $before")),
    ofTarget: connection.prepare<DeploymentRow, SourceValues & { target: string }>(
      selectIn(state, "id < $before AND target = $target"),
    ),
  });
  const findOfRareSource = prepareFindOfRareSource(connection);
  const statements = new Map([null, ...DEPLOYMENT_STATES].map((state) => [state, prepareIn(state)]));
  return ({ target, state, source }: DeploymentFilter, range: PageRange): readonly DeploymentRow[] => {
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
  // SQLite takes reading all in order for cheaper than sorting the few that these two hold.
  const index = state === "queued" || state === "running" ? `INDEXED BY deployment_${state}` : "";
  const inState = state === null ? "" : `AND state = '${state}'`;
  return `
    SELECT * FROM deployment ${index} WHERE ${condition} ${inState}
      AND ($source IS NULL
        OR EXISTS (SELECT 1 FROM delivery WHERE delivery.id = deployment.delivery AND source = $source))
    ORDER BY id DESC LIMIT $limit`;
}

/** A source with at most so many deliveries is rare: among the deployments of others one would be long in finding its own. */
const RARE = 2000;

/** What finds the deployments of a source by its deliveries, where those are few; else null. */
function prepareFindOfRareSource(connection: Connection) {
  const count = connection.prepare<{ deliveries: number }, { source: string; most: number }>(`
    SELECT count(*) AS deliveries FROM (SELECT 1 FROM delivery WHERE source = $source LIMIT $most)`);
  const select = connection.prepare<
    DeploymentRow,
    RangeValues & { source: string; state: DeploymentState | null }
  >(`
    SELECT deployment.* FROM delivery CROSS JOIN deployment ON deployment.delivery = delivery.id
    WHERE source = $source AND deployment.id < $before AND ($state IS NULL OR state = $state)
    ORDER BY deployment.id DESC LIMIT $limit`);
  return (
    values: RangeValues & { source: string; state: DeploymentState | null },
  ): readonly DeploymentRow[] | null => {
    const { deliveries } = count.get({ source: values.source, most: RARE + 1 }) ?? { deliveries: 0 };
    return deliveries > RARE ? null : select.all(values);
  };
}
