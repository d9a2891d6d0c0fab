import type { DeploymentState } from "../../domain/deployment.ts";
import {
  chooseNotification,
  type Notification,
  type NotificationStore,
  type NotificationSubscription,
} from "../../domain/notification.ts";
import type { Database, Query } from "./connection.ts";

/** Seconds for which a notification is reserved for the process that sends it: longer than sending takes. */
const RESERVED_SECONDS = 60;

/** The part of the store that holds notifications. */
export function createNotifications(database: Database, worker: string): NotificationStore {
  return {
    notifyStarted: (id, subscriptions, now) =>
      database.write(async (query) => {
        // When it has ended already, the notification of its end must not be replaced.
        const [running] = await query<{ target: string; host: string }>(
          "SELECT target, host FROM deployment WHERE id = $1 AND state = 'running'",
          id,
        );
        if (running !== undefined)
          await notify(query, { id, state: "running", ...running }, subscriptions, now);
      }),
    async dueNotifications(now, limit) {
      const rows = await database.query<Omit<Notification, "createdAt"> & { createdAt: number }>(
        `UPDATE notification SET worker = $1, reserved_until = clock_timestamp() + make_interval(secs => ${RESERVED_SECONDS})
         WHERE id IN (
           SELECT id FROM notification
           WHERE id IN (SELECT min(id) FROM notification WHERE due_at <= $2 GROUP BY channel)
             AND (worker IS NULL OR worker = $1 OR reserved_until < clock_timestamp())
           ORDER BY id LIMIT $3 FOR UPDATE SKIP LOCKED)
         RETURNING id, channel, deployment, kind, attempts, created_at AS "createdAt"`,
        worker,
        now.getTime(),
        limit,
      );
      return rows
        .toSorted((a, b) => a.id - b.id)
        .map((row) => ({ ...row, createdAt: new Date(row.createdAt) }));
    },
    async nextNotificationAt() {
      const [row] = await database.query<{ due: number | null }>(
        "SELECT min(due_at) AS due FROM notification",
      );
      return typeof row?.due === "number" ? new Date(row.due) : null;
    },
    removeNotification: async (id) => {
      await database.query("DELETE FROM notification WHERE id = $1", id);
    },
    postponeNotification: async (id, due) => {
      await database.query(
        "UPDATE notification SET attempts = attempts + 1, due_at = $2, worker = NULL WHERE id = $1",
        id,
        due.getTime(),
      );
    },
  };
}

/**
 * Inserts the notifications that a deployment's state causes, in the caller's transaction. They replace those of the same
 * deployment that wait for the same channel: the end replaces the start.
 */
export async function notify(
  query: Query,
  { id, target, host, state }: { id: number; target: string; host: string; state: DeploymentState },
  subscriptions: readonly NotificationSubscription[],
  now: Date,
): Promise<void> {
  if (subscriptions.length === 0) return;
  const [before = null] = await query<{ state: DeploymentState; isSameFailure: boolean }>(
    `SELECT before.state, before.state = 'failed' AND this.state = 'failed'
       AND before.code IS NOT DISTINCT FROM this.code AND before.reason IS NOT DISTINCT FROM this.reason
       AND coalesce(before."commit", before.pushed_commit)
         IS NOT DISTINCT FROM coalesce(this."commit", this.pushed_commit) AS "isSameFailure"
     FROM deployment AS before JOIN deployment AS this ON this.id = $1
     WHERE before.id = (
       SELECT max(id) FROM deployment
       WHERE target = $2 AND host = $3 AND state IN ('succeeded', 'failed') AND id < $1)`,
    id,
    target,
    host,
  );
  const chosen = subscriptions.flatMap((subscription) => {
    const kind = chooseNotification(subscription, target, state, before);
    return kind === null ? [] : [{ channel: subscription.name, kind }];
  });
  if (chosen.length === 0) return;
  await query(
    "DELETE FROM notification WHERE deployment = $1 AND channel = ANY($2)",
    id,
    chosen.map(({ channel }) => channel),
  );
  await query(
    `INSERT INTO notification (channel, deployment, kind, created_at, due_at)
     SELECT channel, $3, kind, $4, $4 FROM unnest($1::text[], $2::text[]) AS new (channel, kind)`,
    chosen.map(({ channel }) => channel),
    chosen.map(({ kind }) => kind),
    id,
    now.getTime(),
  );
}
