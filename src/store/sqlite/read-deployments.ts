import {
  DEPLOYMENT_STATES,
  type Deployment,
  type DeploymentFilter,
  type DeploymentState,
} from "../../domain/deployment.ts";
import type { Page, PageRange } from "../../domain/page.ts";
import { type DeploymentRow, type StepRow, toDeployment } from "./deployment-row.ts";
import type { Connection } from "./open.ts";
import { type RangeValues, toPage, toRangeValues } from "./page.ts";

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

/** What finds the deployments of a list, newest first, one more than the page has. */
function prepareList(connection: Connection) {
  const prepareIn = (state: DeploymentState | null) => ({
    ofAny: connection.prepare<DeploymentRow, RangeValues>(selectIn(state, "id < $before")),
    ofTarget: connection.prepare<DeploymentRow, RangeValues & { target: string }>(
      selectIn(state, "id < $before AND target = $target"),
    ),
  });
  const statements = new Map([null, ...DEPLOYMENT_STATES].map((state) => [state, prepareIn(state)]));
  return ({ target, state }: DeploymentFilter, range: PageRange): readonly DeploymentRow[] => {
    const statement = statements.get(state);
    if (statement === undefined) throw new Error(`there is no state ${state}`);
    const values = toRangeValues(range);
    return target === null ? statement.ofAny.all(values) : statement.ofTarget.all({ ...values, target });
  };
}

/** A partial index serves a query only where its text, and not a parameter, names the state. */
function selectIn(state: DeploymentState | null, condition: string): string {
  // SQLite takes reading all in order for cheaper than sorting the few that these two hold.
  const index = state === "queued" || state === "running" ? `INDEXED BY deployment_${state}` : "";
  const inState = state === null ? "" : `AND state = '${state}'`;
  return `SELECT * FROM deployment ${index} WHERE ${condition} ${inState} ORDER BY id DESC LIMIT $limit`;
}
