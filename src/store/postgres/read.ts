import { DEPLOYMENT_STATES, type Live, type StepResult } from "../../domain/deployment.ts";
import type { DeploymentFilter, DeploymentStore } from "../../domain/deployment-store.ts";
import { type HostColumns, type RetriedRow, toDeployment } from "../deployment-row.ts";
import { toPage, toRangeValues } from "../page.ts";
import type { Query } from "./connection.ts";
import { COLUMNS_WITH_RETRY } from "./deployment-rows.ts";
import { readLock } from "./locks.ts";

type Reads = Pick<DeploymentStore, "readDeployment" | "listDeployments" | "readLive" | "readTargetStatus">;

type Row = RetriedRow & HostColumns;

/** The queries for deployments, through `query`, which may be that of a transaction. */
export function createReadDeployments(query: Query, ownHost: string): Reads {
  async function readDeployment(id: number) {
    const [row] = await query<Row>(`SELECT ${COLUMNS_WITH_RETRY} FROM deployment WHERE id = $1`, id);
    if (row === undefined) return null;
    return toDeployment(row, (await readSteps(query, [id])).get(id) ?? []);
  }

  async function readLive(target: string, host = ownHost): Promise<Live | null> {
    const [row] = await query<Omit<Live, "since"> & { since: number }>(
      'SELECT "commit", release, since FROM live WHERE target = $1 AND host = $2',
      target,
      host,
    );
    return row === undefined ? null : { ...row, since: new Date(row.since) };
  }

  return {
    readDeployment,
    async listDeployments(filter, range) {
      const rows = await selectPage(query, filter, toRangeValues(range));
      const steps = await readSteps(
        query,
        rows.map(({ id }) => id),
      );
      return toPage(rows, range, (row) => toDeployment(row, steps.get(row.id) ?? []));
    },
    readLive,
    async readTargetStatus(target, now, host = ownHost) {
      const [found] = await query<Record<"latest" | "tip" | "queued" | "running", number | null>>(
        `SELECT
           (SELECT id FROM deployment WHERE target = $1 AND host = $2 AND state <> 'superseded'
            ORDER BY id DESC LIMIT 1) AS latest,
           (SELECT id FROM deployment WHERE target = $1 AND host = $2 AND "commit" IS NOT NULL AND choice IS NULL
            ORDER BY id DESC LIMIT 1) AS tip,
           (SELECT min(id) FROM deployment WHERE target = $1 AND host = $2 AND state = 'queued') AS queued,
           (SELECT id FROM deployment WHERE target = $1 AND host = $2 AND state = 'running') AS running`,
        target,
        host,
      );
      const readFound = (id: number | null | undefined) =>
        typeof id === "number" ? readDeployment(id) : null;
      return {
        live: await readLive(target, host),
        latest: await readFound(found?.latest),
        latestOfTip: await readFound(found?.tip),
        queued: found?.queued ?? null,
        running: found?.running ?? null,
        lock: await readLock(query, target, now),
      };
    },
  };
}

/** The steps of deployments, by deployment. */
async function readSteps(query: Query, ids: readonly number[]): Promise<ReadonlyMap<number, StepResult[]>> {
  const rows =
    ids.length === 0
      ? []
      : await query<StepResult & { deployment: number }>(
          `SELECT deployment, command, exit_code AS "exitCode", signal, milliseconds FROM step
           WHERE deployment = ANY($1) ORDER BY deployment, position`,
          ids,
        );
  const steps = new Map<number, StepResult[]>();
  for (const { deployment, ...step } of rows) steps.set(deployment, [...(steps.get(deployment) ?? []), step]);
  return steps;
}

/** Newest first and one more than the page. The text names only what is filtered, so that its plan fits. */
async function selectPage(
  query: Query,
  { target, state, source, host = null }: DeploymentFilter,
  { before, limit }: { readonly before: number; readonly limit: number },
): Promise<readonly Row[]> {
  if (state !== null && !DEPLOYMENT_STATES.includes(state)) throw new Error(`there is no state ${state}`);
  const values: (string | number)[] = [before, limit];
  const place = (value: string) => `$${values.push(value)}`;
  const conditions = [
    "id < $1",
    // In the text: a partial index does not serve a query with the state as a parameter.
    ...(state === null ? [] : [`state = '${state}'`]),
    ...(target === null ? [] : [`target = ${place(target)}`]),
    ...(host === null ? [] : [`host = ${place(host)}`]),
    ...(source === null
      ? []
      : [
          `EXISTS (SELECT 1 FROM delivery WHERE delivery.id = deployment.delivery AND source = ${place(source)})`,
        ]),
  ];
  return query<Row>(
    `SELECT ${COLUMNS_WITH_RETRY} FROM deployment WHERE ${conditions.join(" AND ")} ORDER BY id DESC LIMIT $2`,
    ...values,
  );
}
