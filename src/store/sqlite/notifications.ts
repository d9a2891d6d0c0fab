import type { DeploymentState } from "../../domain/deployment.ts";
import {
  chooseNotification,
  type Notification,
  type NotificationKind,
  type NotificationStore,
  type NotificationSubscription,
} from "../../domain/notification.ts";
import type { Connection } from "./connection.ts";

/** The part of the store that holds notifications. */
export function createNotifications(connection: Connection): NotificationStore {
  const selectDue = connection.prepare<
    Omit<Notification, "createdAt"> & { createdAt: number },
    { now: number; limit: number }
  >(`
    SELECT id, channel, deployment, kind, attempts, created_at AS createdAt FROM notification
    WHERE id IN (SELECT min(id) FROM notification WHERE due_at <= $now GROUP BY channel)
    ORDER BY id LIMIT $limit`);
  const selectNext = connection.prepare<{ due: number | null }>(
    "SELECT min(due_at) AS due FROM notification",
  );
  const remove = connection.prepare<never, { id: number }>("DELETE FROM notification WHERE id = $id");
  const postpone = connection.prepare<never, { id: number; due: number }>(
    "UPDATE notification SET attempts = attempts + 1, due_at = $due WHERE id = $id",
  );
  const selectRunning = connection.prepare<{ target: string }, { id: number }>(
    "SELECT target FROM deployment WHERE id = $id AND state = 'running'",
  );
  const notify = prepareNotify(connection);
  return {
    notifyStarted: (id, subscriptions, now) =>
      connection.attemptTransaction(() => {
        const running = selectRunning.get({ id });
        // When it has ended already, the notification of its end must not be replaced.
        if (running !== null) notify({ id, state: "running", ...running }, subscriptions, now);
      }),
    dueNotifications: (now, limit) =>
      connection.attempt(() =>
        selectDue
          .all({ now: now.getTime(), limit })
          .map((row) => ({ ...row, createdAt: new Date(row.createdAt) })),
      ),
    nextNotificationAt: () =>
      connection.attempt(() => {
        const due = selectNext.get({})?.due ?? null;
        return due === null ? null : new Date(due);
      }),
    removeNotification: (id) => connection.attempt(() => void remove.run({ id })),
    postponeNotification: (id, due) =>
      connection.attempt(() => void postpone.run({ id, due: due.getTime() })),
  };
}

/**
 * Prepares the insertion of the notifications that a deployment's state causes, in the caller's transaction. They
 * replace those of the same deployment that wait for the same channel: the end replaces the start.
 */
export function prepareNotify(connection: Connection) {
  const selectBefore = connection.prepare<
    { state: DeploymentState; isSameFailure: 0 | 1 },
    { id: number; target: string }
  >(`
    SELECT before.state, before.state = 'failed' AND this.state = 'failed'
      AND before.code IS this.code AND before.reason IS this.reason
      AND coalesce(before."commit", before.pushed_commit) IS coalesce(this."commit", this.pushed_commit)
      AS isSameFailure
    FROM deployment AS before JOIN deployment AS this ON this.id = $id
    WHERE before.id = (
      SELECT max(id) FROM (
        SELECT max(id) AS id FROM deployment WHERE target = $target AND state = 'succeeded' AND id < $id
        UNION ALL
        SELECT max(id) FROM deployment WHERE target = $target AND state = 'failed' AND id < $id))`);
  const insert = connection.prepare<
    never,
    { channel: string; deployment: number; kind: NotificationKind; now: number }
  >(`
    INSERT OR REPLACE INTO notification (channel, deployment, kind, created_at, due_at)
    VALUES ($channel, $deployment, $kind, $now, $now)`);
  return (
    { id, target, state }: { readonly id: number; readonly target: string; readonly state: DeploymentState },
    subscriptions: readonly NotificationSubscription[],
    now: Date,
  ): void => {
    if (subscriptions.length === 0) return;
    const row = selectBefore.get({ id, target });
    const before = row === null ? null : { ...row, isSameFailure: row.isSameFailure === 1 };
    for (const subscription of subscriptions) {
      const kind = chooseNotification(subscription, target, state, before);
      if (kind === null) continue;
      insert.run({ channel: subscription.name, deployment: id, kind, now: now.getTime() });
    }
  };
}
