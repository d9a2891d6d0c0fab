import type { Choice, Deployment, QueuedDeployment, Trigger } from "../../../domain/deployment.ts";
import type { Connection } from "../connection.ts";
import { type ChoiceRow, type DeploymentRow, toChoiceRow, toDeployment } from "./row.ts";

/** A deployment as it is asked for. */
export interface Wanted {
  readonly target: string;
  readonly trigger: Trigger;
  readonly delivery: number | null;
  readonly pushedCommit: string | null;
  readonly choice: Choice | null;
  /** In Unix milliseconds. */
  readonly createdAt: number;
}

/** What puts deployments into the queue, inside a transaction of its caller's. */
export interface Queue {
  /** One of the same target that was waiting is superseded by it. */
  add(wanted: Wanted): QueuedDeployment;
  /** The one of the target that waits; null when none does. */
  findWaiting(target: string): number | null;
  /**
   * Queues an interrupted deployment again and gives the new one; null when a newer one of its target waits. One
   * that a crash interrupted counts as an attempt, and a second is the last: it may be what caused the crash. Which
   * one follows it, if one does, becomes part of its reason.
   */
  addAgain(interrupted: number, createdAt: number, cause: "crash" | "stop"): Deployment | null;
}

/** Prepares the queue's statements. */
export function createQueue(connection: Connection): Queue {
  const insert = connection.prepare<DeploymentRow, Omit<Wanted, "choice"> & ChoiceRow>(`
    INSERT INTO deployment (target, state, trigger, delivery, pushed_commit, choice, chosen, created_at)
    VALUES ($target, 'queued', $trigger, $delivery, $pushedCommit, $choice, $chosen, $createdAt)
    RETURNING *`);
  const supersede = connection.prepare<DeploymentRow, { id: number; target: string; endedAt: number }>(`
    UPDATE deployment
    SET state = 'superseded', reason = 'deployment ' || $id || ' is newer', ended_at = $endedAt
    WHERE target = $target AND state = 'queued' AND id < $id
    RETURNING *`);
  const selectWaiting = connection.prepare<{ id: number }, { target: string }>(
    "SELECT id FROM deployment WHERE target = $target AND state = 'queued'",
  );
  const insertAgain = connection.prepare<DeploymentRow, { id: number; createdAt: number; crashes: 0 | 1 }>(`
    INSERT INTO deployment
      (target, state, trigger, delivery, pushed_commit, choice, chosen, attempt, created_at)
    SELECT target, 'queued', trigger, delivery, pushed_commit, choice, chosen, attempt + $crashes, $createdAt
    FROM deployment AS interrupted
    WHERE id = $id AND attempt + $crashes <= 2
      AND NOT EXISTS (SELECT 1 FROM deployment WHERE target = interrupted.target AND state = 'queued')
    RETURNING *`);
  const noteFollower = connection.prepare<never, { id: number }>(`
    UPDATE deployment SET reason = ifnull(
      reason || '; deployment ' || (
        SELECT id FROM deployment AS next WHERE next.target = deployment.target AND next.state = 'queued'
      ) || ' follows it', reason)
    WHERE id = $id`);
  // What waits has had no steps yet.
  const toWaiting = (row: DeploymentRow) => toDeployment(row, []);

  return {
    add(wanted) {
      const { choice, ...columns } = wanted;
      const row = insert.get({ ...columns, ...toChoiceRow(choice) });
      if (row === null) throw new Error("SQLite returned nothing for a row that it wrote");
      const { target, createdAt: endedAt } = wanted;
      const superseded = supersede.all({ id: row.id, target, endedAt });
      return { deployment: toWaiting(row), superseded: superseded.map(toWaiting) };
    },
    findWaiting: (target) => selectWaiting.get({ target })?.id ?? null,
    addAgain(interrupted, createdAt, cause) {
      const crashes = cause === "crash" ? 1 : 0;
      const row = insertAgain.get({ id: interrupted, createdAt, crashes });
      noteFollower.run({ id: interrupted });
      return row === null ? null : toWaiting(row);
    },
  };
}

/** What marks the oldest queued deployment whose target is wanted, free and not locked as running, and gives its id. */
export function prepareClaim(connection: Connection) {
  const selectFree = connection.prepare<{ id: number; target: string }, { now: number }>(`
    SELECT id, target FROM deployment AS waiting
    WHERE state = 'queued'
      AND NOT EXISTS (SELECT 1 FROM deployment WHERE target = waiting.target AND state = 'running')
      AND (trigger IN ('manual', 'rollback') OR NOT EXISTS (
        SELECT 1 FROM lock WHERE lock.target = waiting.target AND (until IS NULL OR until > $now)))
    ORDER BY id`);
  const start = connection.prepare<
    never,
    { id: number; started_at: number; previous_commit: string | null }
  >(`
    UPDATE deployment
    SET state = 'running', started_at = $started_at, previous_commit = $previous_commit
    WHERE id = $id`);

  return (
    targets: readonly string[],
    now: Date,
    readPreviousCommit: (target: string) => string | null,
  ): number | null => {
    const wanted = new Set(targets);
    const next = selectFree.all({ now: now.getTime() }).find((waiting) => wanted.has(waiting.target));
    if (next === undefined) return null;
    const previous_commit = readPreviousCommit(next.target);
    start.run({ id: next.id, started_at: now.getTime(), previous_commit });
    return next.id;
  };
}

/** What marks deployments that wait `cancelled`, inside a transaction of its caller's. */
export function prepareCancel(connection: Connection) {
  const selectQueued = connection.prepare<{ id: number; target: string }>(
    "SELECT id, target FROM deployment WHERE state = 'queued' ORDER BY id",
  );
  const cancel = connection.prepare<never, { id: number; reason: string; ended_at: number }>(`
    UPDATE deployment SET state = 'cancelled', reason = $reason, ended_at = $ended_at
    WHERE id = $id AND state = 'queued'`);

  /** Whether it waited. */
  function cancelQueued(id: number, reason: string, now: Date): boolean {
    return cancel.run({ id, reason, ended_at: now.getTime() }).changes > 0;
  }

  /** Cancels those of targets that are not among the given ones, and gives their ids. */
  function cancelUnconfigured(targets: readonly string[], now: Date): readonly number[] {
    const configured = new Set(targets);
    const waiting = selectQueued.all({}).filter(({ target }) => !configured.has(target));
    for (const { id, target } of waiting) cancelQueued(id, `target ${target} is no longer configured`, now);
    return waiting.map(({ id }) => id);
  }

  return { cancelQueued, cancelUnconfigured };
}
