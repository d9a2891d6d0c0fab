import type { Choice, Deployment, QueuedDeployment, Trigger } from "../../../domain/deployment.ts";
import {
  type ChoiceRow,
  type DeploymentRow,
  ROW_COLUMNS,
  toChoiceRow,
  toWaitingDeployment,
} from "../../deployment-row.ts";
import type { Connection } from "../connection.ts";

/** A deployment to queue. */
export interface QueueRequest {
  readonly target: string;
  readonly trigger: Trigger;
  readonly delivery: number | null;
  readonly pushedCommit: string | null;
  readonly choice: Choice | null;
  /** Whether no later deployment supersedes it, and it supersedes none. */
  readonly queueAll: boolean;
  /** In Unix milliseconds. */
  readonly createdAt: number;
}

/** Queues deployments, inside the caller's transaction. */
export interface Queue {
  /**
   * Queues a deployment. It supersedes a queued one of the same target, unless either of them has `queueAll`; one for the
   * success of CI supersedes those of the same commit.
   */
  add(request: QueueRequest): QueuedDeployment;
  /** The id of the target's oldest queued deployment; null when there is none. */
  findWaiting(target: string): number | null;
  /** How many deployments of the target are queued. */
  countWaiting(target: string): number;
  /**
   * Queues an interrupted deployment again and returns the new one. Null when a newer one of its target is queued, which
   * then supersedes it unless it has `queueAll`, and after a second crash, which the deployment may have caused.
   */
  retry(interrupted: number, createdAt: number, cause: "crash" | "shutdown"): Deployment | null;
}

/** Creates the {@link Queue}. At most one deployment of a target without `queueAll` is queued. */
export function createQueue(connection: Connection, host: string): Queue {
  const insert = connection.prepare<
    DeploymentRow,
    Omit<QueueRequest, "choice" | "queueAll"> & ChoiceRow & { queueAll: 0 | 1 }
  >(`
    INSERT INTO deployment (target, state, trigger, delivery, pushed_commit, choice, chosen, queue_all, created_at)
    VALUES ($target, 'queued', $trigger, $delivery, $pushedCommit, $choice, $chosen, $queueAll, $createdAt)
    RETURNING ${ROW_COLUMNS}`);
  const supersede = connection.prepare<DeploymentRow, { id: number; target: string; endedAt: number }>(`
    UPDATE deployment SET state = 'superseded', code = 'superseded', superseded_by = $id, ended_at = $endedAt
    WHERE target = $target AND state = 'queued' AND queue_all = 0 AND id < $id
    RETURNING ${ROW_COLUMNS}`);
  // Each success of the CI of a commit asks for it again: one that waits is enough, and many would fill the queue.
  const supersedeSame = connection.prepare<
    DeploymentRow,
    { id: number; target: string; chosen: string | null; endedAt: number }
  >(`
    UPDATE deployment SET state = 'superseded', code = 'superseded', superseded_by = $id, ended_at = $endedAt
    WHERE target = $target AND state = 'queued' AND choice = 'ci' AND chosen = $chosen AND id < $id
    RETURNING ${ROW_COLUMNS}`);
  const selectWaiting = connection.prepare<{ id: number }, { target: string }>(
    "SELECT id FROM deployment WHERE target = $target AND state = 'queued' ORDER BY id LIMIT 1",
  );
  const countWaiting = connection.prepare<{ waiting: number }, { target: string }>(
    "SELECT count(*) AS waiting FROM deployment WHERE target = $target AND state = 'queued'",
  );
  const insertRetry = connection.prepare<DeploymentRow, { id: number; createdAt: number; crashes: 0 | 1 }>(`
    INSERT INTO deployment
      (target, state, trigger, delivery, pushed_commit, choice, chosen, queue_all, attempt, retry_of, created_at)
    SELECT target, 'queued', trigger, delivery, pushed_commit, choice, chosen, queue_all, attempt + $crashes, id,
      $createdAt
    FROM deployment AS interrupted
    WHERE id = $id AND attempt + $crashes <= 2
      AND (queue_all
        OR NOT EXISTS (SELECT 1 FROM deployment WHERE target = interrupted.target AND state = 'queued'))
    RETURNING ${ROW_COLUMNS}`);
  const supersedeByWaiting = connection.prepare<never, { id: number }>(`
    UPDATE deployment SET superseded_by = (
      SELECT id FROM deployment AS next WHERE next.target = deployment.target AND next.state = 'queued')
    WHERE id = $id AND queue_all = 0`);

  const toWaiting = (row: DeploymentRow) => toWaitingDeployment({ ...row, host, waitsFor: null });
  return {
    add({ choice, queueAll, ...columns }) {
      const { chosen, ...chosenBy } = toChoiceRow(choice);
      const row = insert.get({ ...columns, ...chosenBy, chosen, queueAll: queueAll ? 1 : 0 });
      if (row === null) throw new Error("SQLite returned no row for an INSERT");
      const { target, createdAt: endedAt } = columns;
      const superseded =
        choice?.kind === "ci"
          ? supersedeSame.all({ id: row.id, target, chosen, endedAt })
          : queueAll
            ? []
            : supersede.all({ id: row.id, target, endedAt });
      return { deployment: toWaiting(row), others: [], superseded: superseded.map(toWaiting) };
    },
    findWaiting: (target) => selectWaiting.get({ target })?.id ?? null,
    countWaiting: (target) => countWaiting.get({ target })?.waiting ?? 0,
    retry(interrupted, createdAt, cause) {
      const row = insertRetry.get({ id: interrupted, createdAt, crashes: cause === "crash" ? 1 : 0 });
      if (row !== null) return toWaiting(row);
      supersedeByWaiting.run({ id: interrupted });
      return null;
    },
  };
}

/**
 * Prepares the claim of the oldest queued deployment whose target is requested, idle and not locked. A retry with
 * `queueAll` comes before what was queued after the interrupted deployment.
 */
export function prepareClaim(connection: Connection) {
  const selectFree = connection.prepare<{ id: number; target: string }, { now: number }>(`
    SELECT id, target FROM deployment AS waiting
    WHERE state = 'queued'
      AND NOT EXISTS (SELECT 1 FROM deployment WHERE target = waiting.target AND state = 'running')
      AND (trigger IN ('manual', 'rollback') OR NOT EXISTS (
        SELECT 1 FROM lock WHERE lock.target = waiting.target AND (until IS NULL OR until > $now)))
    ORDER BY queue_all AND retry_of IS NOT NULL DESC, id`);
  const start = connection.prepare<never, { id: number; now: number; previousCommit: string | null }>(`
    UPDATE deployment SET state = 'running', started_at = $now, previous_commit = $previousCommit
    WHERE id = $id`);

  return (
    targets: readonly string[],
    now: number,
    readPreviousCommit: (target: string) => string | null,
  ): number | null => {
    const requested = new Set(targets);
    const next = selectFree.all({ now }).find(({ target }) => requested.has(target));
    if (next === undefined) return null;
    start.run({ id: next.id, now, previousCommit: readPreviousCommit(next.target) });
    return next.id;
  };
}

/** Prepares the cancellation of queued deployments, inside the caller's transaction. */
export function prepareCancel(connection: Connection) {
  const selectQueued = connection.prepare<{ id: number; target: string }>(
    "SELECT id, target FROM deployment WHERE state = 'queued' ORDER BY id",
  );
  const cancel = connection.prepare<
    never,
    { id: number; code: "cancelled" | "not_configured"; reason: string | null; now: number }
  >(`
    UPDATE deployment SET state = 'cancelled', code = $code, reason = $reason, ended_at = $now
    WHERE id = $id AND state = 'queued'`);

  return {
    /** Returns whether it was queued. */
    cancelQueued: (id: number, reason: string, now: number): boolean =>
      cancel.run({ id, code: "cancelled", reason, now }).changes > 0,

    /** Cancels the deployments of all but the given targets, and returns their ids. */
    cancelUnconfigured(targets: readonly string[], now: number): readonly number[] {
      const configured = new Set(targets);
      const waiting = selectQueued.all({}).filter(({ target }) => !configured.has(target));
      for (const { id } of waiting) cancel.run({ id, code: "not_configured", reason: null, now });
      return waiting.map(({ id }) => id);
    },
  };
}
