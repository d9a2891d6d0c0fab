import type { Choice, Deployment, Queued, Trigger } from "../../domain/deployment.ts";
import { type ChoiceRow, toChoiceRow } from "./choice-row.ts";
import { type DeploymentRow, toDeployment } from "./deployment-row.ts";
import type { Connection } from "./open.ts";

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
  add(wanted: Wanted): Queued;
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
export function openQueue(connection: Connection): Queue {
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
