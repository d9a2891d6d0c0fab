import type { Connection } from "./open.ts";

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
