import type { Choice, Deployment, QueuedDeployment, Trigger } from "../../domain/deployment.ts";
import type { Placement } from "../../domain/target.ts";
import { toChoiceRow, toWaitingDeployment } from "../deployment-row.ts";
import type { Query } from "./connection.ts";
import {
  COLUMNS,
  insertRows,
  type Row,
  stopRollouts,
  writeFollowed,
  writeLastId,
  writeRetried,
  writeSuperseded,
} from "./deployment-rows.ts";

/** A request to deploy a target. */
export interface QueueRequest {
  readonly target: string;
  readonly trigger: Trigger;
  readonly delivery: number | null;
  readonly pushedCommit: string | null;
  readonly choice: Choice | null;
  /** Whether no later deployment supersedes it, and it supersedes none. */
  readonly queueAll: boolean;
  readonly placement: Placement;
  /** In Unix milliseconds. */
  readonly createdAt: number;
}

/** A queued deployment that a newer one may supersede. */
interface Waiting {
  readonly row: Row;
  readonly queueAll: boolean;
  readonly isNew: boolean;
}

/**
 * The queued deployments of some targets, read at the start of a transaction of the write lane. Changes are made in memory,
 * where many requests cost nothing, and written at the end.
 */
export interface Queue {
  /** Reads the queue of further targets. */
  load(targets: readonly string[]): Promise<void>;
  /** The id that the next delivery gets. */
  nextDelivery(): number;
  /**
   * Queues a deployment on each host of the placement. On its host it supersedes a queued one of the same target, unless
   * either has `queueAll`; one for the success of CI supersedes those of the same commit.
   */
  add(request: QueueRequest): QueuedDeployment;
  /**
   * Queues an interrupted deployment again for its host. Null when a newer one of its target is queued there, which then
   * supersedes it unless it has `queueAll`, and after a second crash, which the deployment may have caused.
   */
  retry(interrupted: number, createdAt: number, cause: "crash" | "shutdown"): Promise<Deployment | null>;
  /** How many deployments of the target are queued on the host where most are. */
  countWaiting(target: string): number;
  /** The oldest queued deployment of the target; null when there is none. */
  findWaiting(target: string): number | null;
  /** Writes what changed. Call it once, before the commit. Resolves with the deployments that were cancelled for it. */
  write(now: number): Promise<readonly Deployment[]>;
}

/** Reads the queue of the targets. */
export async function readQueue(query: Query, targets: readonly string[], ownHost: string): Promise<Queue> {
  const waiting: Waiting[] = [];
  /** What is queued of each target, by host. `oldest` was queued before this transaction. */
  const queued = new Map<string, Map<string, { count: number; oldest: number | null }>>();
  const added: Waiting[] = [];
  const superseded: Row[] = [];
  /** Interrupted deployments, and the newer ones that follow them. */
  const followed = new Map<number, number>();
  const retried = new Map<number, number>();

  async function load(targets: readonly string[]): Promise<void> {
    const missing = targets.filter((target) => !queued.has(target));
    if (missing.length === 0) return;
    for (const target of missing) queued.set(target, new Map());
    // Of a queue that keeps every delivery there may be many, which nothing supersedes.
    const [rows, counts] = await Promise.all([
      query<Row & { queueAll: boolean }>(
        `SELECT ${COLUMNS}, queue_all AS "queueAll" FROM deployment
         WHERE state = 'queued' AND target = ANY($1) AND (NOT queue_all OR choice = 'ci') ORDER BY id`,
        missing,
      ),
      query<{ target: string; host: string; waiting: number; oldest: number }>(
        `SELECT target, host, count(*) AS waiting, min(id) AS oldest FROM deployment
         WHERE state = 'queued' AND target = ANY($1) GROUP BY target, host`,
        missing,
      ),
    ]);
    for (const { queueAll, ...row } of rows) waiting.push({ row, queueAll, isNew: false });
    for (const { target, host, waiting: count, oldest } of counts)
      Object.assign(of(target, host), { count, oldest });
  }

  function of(target: string, host: string) {
    const hosts = queued.get(target) ?? new Map<string, { count: number; oldest: number | null }>();
    queued.set(target, hosts);
    const known = hosts.get(host) ?? { count: 0, oldest: null };
    hosts.set(host, known);
    return known;
  }

  function insert(columns: Omit<Row, "id">, queueAll: boolean): Row {
    const row: Row = { ...columns, id: ++lastId.deployment };
    const entry: Waiting = { row, queueAll, isNew: true };
    added.push(entry);
    waiting.push(entry);
    of(row.target, row.host).count += 1;
    return row;
  }

  /** The oldest queued deployment of the target on a host. */
  function findOldest(target: string, host: string): number | null {
    const loaded = waiting.filter(
      ({ row }) => row.target === target && row.host === host && row.state === "queued",
    );
    const { oldest } = of(target, host);
    const isLoaded = waiting.some(({ row }) => row.id === oldest);
    const ids = [...loaded.map(({ row }) => row.id), ...(oldest === null || isLoaded ? [] : [oldest])];
    return ids.length === 0 ? null : Math.min(...ids);
  }

  /** Marks the queued deployments that `row` supersedes. */
  function supersede(row: Row, queueAll: boolean, endedAt: number): readonly Row[] {
    const isCi = row.choice === "ci";
    if (queueAll && !isCi) return [];
    const replaced = waiting.filter(
      (old) =>
        old.row.target === row.target &&
        old.row.host === row.host &&
        old.row.id < row.id &&
        old.row.state === "queued" &&
        (isCi ? old.row.choice === "ci" && old.row.chosen === row.chosen : !old.queueAll),
    );
    for (const { row: old, isNew } of replaced) {
      Object.assign(old, { state: "superseded", code: "superseded", supersededBy: row.id, endedAt });
      if (!isNew) superseded.push(old);
      of(old.target, old.host).count -= 1;
    }
    return replaced.map(({ row: old }) => old);
  }

  function hostsOf({ placement, target }: QueueRequest): readonly string[] {
    if (placement.hosts !== null) return placement.hosts;
    const names = listed.filter((host) => host.targets.has(target)).map(({ name }) => name);
    // Before its host has described itself, the target is known to this one.
    return names.length === 0 ? [ownHost] : names;
  }

  const [[last], hosts] = await Promise.all([
    query<{ delivery: number; deployment: number }>("SELECT delivery, deployment FROM last_id"),
    query<{ name: string; targets: string }>("SELECT name, targets FROM host ORDER BY name"),
    load(targets),
  ]);
  if (last === undefined) throw new Error("the table last_id is empty");
  const lastId = { ...last };
  const listed = hosts.map(({ name, targets }) => ({ name, targets: namesIn(targets) }));
  return {
    load,
    nextDelivery: () => ++lastId.delivery,
    add(request) {
      const { placement, queueAll, choice, ...columns } = request;
      const newRows: Row[] = [];
      const replaced: Row[] = [];
      for (const host of hostsOf(request)) {
        const waitsFor = placement.rollout === "one-by-one" ? (newRows.at(-1)?.id ?? null) : null;
        const row = insert({ ...EMPTY, ...columns, ...toChoiceRow(choice), host, waitsFor }, queueAll);
        newRows.push(row);
        replaced.push(...supersede(row, queueAll, columns.createdAt));
      }
      const [first, ...others] = newRows.map(toWaitingDeployment);
      if (first === undefined) throw new Error(`target ${request.target} has no host`);
      return { deployment: first, others, superseded: replaced.map(toWaitingDeployment) };
    },
    async retry(interrupted, createdAt, cause) {
      const [row] = await query<Row & { queueAll: boolean }>(
        `SELECT ${COLUMNS}, queue_all AS "queueAll" FROM deployment WHERE id = $1`,
        interrupted,
      );
      if (row === undefined) return null;
      const { queueAll, attempt, target, host } = row;
      const next = attempt + (cause === "crash" ? 1 : 0);
      const newer = queueAll ? null : findOldest(target, host);
      if (newer !== null) followed.set(interrupted, newer);
      if (next > 2 || newer !== null) return null;
      const { trigger, delivery, pushedCommit, choice, chosen, waitsFor } = row;
      const copied = { target, host, trigger, delivery, pushedCommit, choice, chosen, waitsFor };
      const retry = insert({ ...EMPTY, ...copied, attempt: next, retryOf: interrupted, createdAt }, queueAll);
      retried.set(interrupted, retry.id);
      return toWaitingDeployment(retry);
    },
    countWaiting: (target) =>
      Math.max(0, ...[...(queued.get(target)?.values() ?? [])].map(({ count }) => count)),
    findWaiting(target) {
      const ids = [...(queued.get(target)?.keys() ?? [])].map((host) => findOldest(target, host));
      const found = ids.filter((id) => id !== null);
      return found.length === 0 ? null : Math.min(...found);
    },
    async write(now) {
      await Promise.all([
        writeLastId(query, last, lastId),
        insertRows(query, added),
        writeSuperseded(query, superseded),
        writeFollowed(query, followed),
        writeRetried(query, retried),
      ]);
      const isChained = superseded.some(({ id }) => waiting.some(({ row }) => row.waitsFor === id));
      return isChained ? stopRollouts(query, now) : [];
    },
  };
}

/** What a new deployment does not have. */
const EMPTY = {
  state: "queued",
  code: null,
  reason: null,
  attempt: 1,
  retryOf: null,
  supersededBy: null,
  waitsFor: null,
  branch: null,
  commit: null,
  subject: null,
  author: null,
  commitUrl: null,
  previousCommit: null,
  release: null,
  startedAt: null,
  endedAt: null,
} as const;

function namesIn(targets: string): ReadonlySet<string> {
  return new Set((JSON.parse(targets) as readonly { readonly name: string }[]).map(({ name }) => name));
}
