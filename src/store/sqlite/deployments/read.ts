import {
  DEPLOYMENT_STATES,
  type Deployment,
  type DeploymentState,
  type Live,
  type StepResult,
} from "../../../domain/deployment.ts";
import type { DeploymentFilter, TargetStatus } from "../../../domain/deployment-store.ts";
import type { Page, PageRange } from "../../../domain/page.ts";
import { RETRIED_COLUMNS, type RetriedRow, toDeployment } from "../../deployment-row.ts";
import { type RangeValues, toPage, toRangeValues } from "../../page.ts";
import type { Connection } from "../connection.ts";
import { prepareReadLock } from "../locks.ts";
import type { Queue } from "./queue.ts";

/** Prepares the queries for deployments with their steps. */
export function prepareReadDeployments(connection: Connection, host: string) {
  const select = connection.prepare<RetriedRow, { id: number }>(
    `SELECT ${RETRIED_COLUMNS} FROM deployment WHERE id = $id`,
  );
  const selectSteps = connection.prepare<StepResult, { deployment: number }>(`
    SELECT command, exit_code AS exitCode, signal, milliseconds FROM step
    WHERE deployment = $deployment ORDER BY position`);
  const list = prepareList(connection);
  const withSteps = (row: RetriedRow) =>
    toDeployment({ ...row, host, waitsFor: null }, selectSteps.all({ deployment: row.id }));

  return {
    read(id: number): Deployment | null {
      const row = select.get({ id });
      return row === null ? null : withSteps(row);
    },
    list: (filter: DeploymentFilter, range: PageRange): Page<Deployment> =>
      (filter.host ?? host) === host
        ? toPage(list(filter, range), range, withSteps)
        : { items: [], next: null },
  };
}

type SourceValues = RangeValues & { source: string | null };

/** Prepares the query for a list, newest first and one more than the page. */
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

/** Names the state in the text: a partial index does not serve a query with the state as a parameter. */
function selectIn(state: DeploymentState | null, condition: string): string {
  // SQLite would read all rows in order rather than sort the few in these two indexes.
  const index = state === "queued" || state === "running" ? `INDEXED BY deployment_${state}` : "";
  const inState = state === null ? "" : `AND state = '${state}'`;
  return `
    SELECT ${RETRIED_COLUMNS} FROM deployment ${index} WHERE ${condition} ${inState}
      AND ($source IS NULL
        OR EXISTS (SELECT 1 FROM delivery WHERE delivery.id = deployment.delivery AND source = $source))
    ORDER BY id DESC LIMIT $limit`;
}

/** A source with at most this many deliveries is rare: its deployments are few among those of other sources. */
const RARE = 2000;

/** Prepares the query for the deployments of a source by its deliveries. It returns null where those are many. */
function prepareFindOfRareSource(connection: Connection) {
  type Values = RangeValues & { source: string; state: DeploymentState | null };
  const count = connection.prepare<{ deliveries: number }, { source: string; most: number }>(`
    SELECT count(*) AS deliveries FROM (SELECT 1 FROM delivery WHERE source = $source LIMIT $most)`);
  const select = connection.prepare<RetriedRow, Values>(`
    SELECT ${RETRIED_COLUMNS} FROM delivery CROSS JOIN deployment ON deployment.delivery = delivery.id
    WHERE source = $source AND deployment.id < $before AND ($state IS NULL OR state = $state)
    ORDER BY deployment.id DESC LIMIT $limit`);
  return (values: Values): readonly RetriedRow[] | null => {
    const { deliveries } = count.get({ source: values.source, most: RARE + 1 }) ?? { deliveries: 0 };
    return deliveries > RARE ? null : select.all(values);
  };
}

/** Prepares the query for what is live in a target. The store has one host. */
export function prepareReadLive(connection: Connection) {
  const select = connection.prepare<Omit<Live, "since"> & { since: number }, { target: string }>(
    'SELECT "commit", release, since FROM live WHERE target = $target',
  );
  return (target: string): Live | null => {
    const row = select.get({ target });
    return row === null ? null : { ...row, since: new Date(row.since) };
  };
}

/** Prepares the queries for a target's status. */
export function prepareReadTargetStatus(
  connection: Connection,
  queue: Queue,
  read: (id: number) => Deployment | null,
) {
  const readLive = prepareReadLive(connection);
  const readLock = prepareReadLock(connection);
  const prepareFind = (condition: string) => {
    const select = connection.prepare<{ id: number }, { target: string }>(
      `SELECT id FROM deployment WHERE target = $target AND ${condition} ORDER BY id DESC LIMIT 1`,
    );
    return (target: string): number | null => select.get({ target })?.id ?? null;
  };
  const findLatest = prepareFind("state <> 'superseded'");
  // Only ended deployments have a commit.
  const findLatestOfTip = prepareFind(`"commit" IS NOT NULL AND choice IS NULL`);
  const findRunning = prepareFind("state = 'running'");
  const readFound = (id: number | null) => (id === null ? null : read(id));

  return (target: string, now: Date, isThisHost: boolean): TargetStatus => {
    const lock = readLock(target, now);
    if (!isThisHost)
      return { live: null, latest: null, latestOfTip: null, queued: null, running: null, lock };
    return {
      live: readLive(target),
      latest: readFound(findLatest(target)),
      latestOfTip: readFound(findLatestOfTip(target)),
      queued: queue.findWaiting(target),
      running: findRunning(target),
      lock,
    };
  };
}
