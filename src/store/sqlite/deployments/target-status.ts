import type { Deployment, Live } from "../../../domain/deployment.ts";
import type { TargetStatus } from "../../../domain/deployment-store.ts";
import type { Connection } from "../connection.ts";
import { prepareReadLock } from "../locks.ts";
import type { Queue } from "./queue.ts";

/** Prepares what reads what is live in a target; null when nothing ever was. */
export function prepareReadLive(connection: Connection) {
  const select = connection.prepare<
    { commit: string | null; release: string | null; since: number },
    { target: string }
  >('SELECT "commit", release, since FROM live WHERE target = $target');
  return (target: string): Live | null => {
    const row = select.get({ target });
    return row === null ? null : { ...row, since: new Date(row.since) };
  };
}

/** Prepares what reads a target's status. */
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
  // Only ended deployments know their commit.
  const findLatestOfTip = prepareFind(`"commit" IS NOT NULL AND choice IS NULL`);
  const findRunning = prepareFind("state = 'running'");
  const readFound = (id: number | null) => (id === null ? null : read(id));

  return (target: string, now: Date): TargetStatus => ({
    live: readLive(target),
    latest: readFound(findLatest(target)),
    latestOfTip: readFound(findLatestOfTip(target)),
    queued: queue.findWaiting(target),
    running: findRunning(target),
    lock: readLock(target, now),
  });
}
