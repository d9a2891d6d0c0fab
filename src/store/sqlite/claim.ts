import type { Connection } from "./open.ts";

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
