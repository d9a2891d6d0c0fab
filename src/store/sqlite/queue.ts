import type { Choice, Trigger } from "../../domain/deployment.ts";
import { type ChoiceRow, toChoiceRow } from "./choice-row.ts";
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
  /** The new deployment's id; one of the same target that was waiting is superseded by it. */
  add(wanted: Wanted): number;
  /** The one of the target that waits; null when none does. */
  findWaiting(target: string): number | null;
  /**
   * Queues an interrupted deployment again and gives the new one's id; null when a newer one of its target waits. One
   * that a crash interrupted counts as an attempt, and a second is the last: it may be what caused the crash.
   */
  addAgain(interrupted: number, createdAt: number, cause: "crash" | "stop"): number | null;
}

/** Prepares the queue's statements. */
export function openQueue(connection: Connection): Queue {
  const insert = connection.prepare<never, Omit<Wanted, "choice"> & ChoiceRow>(`
    INSERT INTO deployment (target, state, trigger, delivery, pushed_commit, choice, chosen, created_at)
    VALUES ($target, 'queued', $trigger, $delivery, $pushedCommit, $choice, $chosen, $createdAt)`);
  const supersede = connection.prepare<never, { id: number; target: string; endedAt: number }>(`
    UPDATE deployment
    SET state = 'superseded', reason = 'deployment ' || $id || ' is newer', ended_at = $endedAt
    WHERE target = $target AND state = 'queued' AND id < $id`);
  const selectWaiting = connection.prepare<{ id: number }, { target: string }>(
    "SELECT id FROM deployment WHERE target = $target AND state = 'queued'",
  );
  const insertAgain = connection.prepare<{ id: number }, { id: number; createdAt: number; crashes: 0 | 1 }>(`
    INSERT INTO deployment
      (target, state, trigger, delivery, pushed_commit, choice, chosen, attempt, created_at)
    SELECT target, 'queued', trigger, delivery, pushed_commit, choice, chosen, attempt + $crashes, $createdAt
    FROM deployment AS interrupted
    WHERE id = $id AND attempt + $crashes <= 2
      AND NOT EXISTS (SELECT 1 FROM deployment WHERE target = interrupted.target AND state = 'queued')
    RETURNING id`);

  return {
    add(wanted) {
      const { choice, ...columns } = wanted;
      const id = Number(insert.run({ ...columns, ...toChoiceRow(choice) }).lastInsertRowid);
      supersede.run({ id, target: wanted.target, endedAt: wanted.createdAt });
      return id;
    },
    findWaiting: (target) => selectWaiting.get({ target })?.id ?? null,
    addAgain(interrupted, createdAt, cause) {
      const crashes = cause === "crash" ? 1 : 0;
      return insertAgain.get({ id: interrupted, createdAt, crashes })?.id ?? null;
    },
  };
}
