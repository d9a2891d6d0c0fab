import type { DeploymentState } from "../../domain/deployment.ts";
import {
  chooseNotification,
  type Notification,
  type NotificationKind,
  type NotificationStore,
  type NotificationSubscription,
} from "../../domain/notification.ts";
import type { Connection } from "./connection.ts";

type NewNotification = { channel: string; deployment: number; kind: NotificationKind; now: number };

interface NotificationRow {
  id: number;
  channel: string;
  deployment: number;
  kind: NotificationKind;
  attempts: number;
  created_at: number;
}

/** The parts of an ended deployment that its notifications depend on. */
export interface EndedDeployment {
  readonly id: number;
  readonly target: string;
  readonly state: DeploymentState;
}

/** The part of the store that holds notifications. */
export function createNotifications(connection: Connection): NotificationStore {
  const selectDue = connection.prepare<NotificationRow, { now: number; limit: number }>(`
    SELECT * FROM notification
    WHERE id IN (SELECT min(id) FROM notification WHERE due_at <= $now GROUP BY channel)
    ORDER BY id LIMIT $limit`);
  const selectNext = connection.prepare<{ due_at: number | null }>(
    "SELECT min(due_at) AS due_at FROM notification",
  );
  const remove = connection.prepare<never, { id: number }>("DELETE FROM notification WHERE id = $id");
  const postpone = connection.prepare<never, { id: number; due: number }>(
    "UPDATE notification SET attempts = attempts + 1, due_at = $due WHERE id = $id",
  );
  const insertStarted = prepareInsertStarted(connection);
  return {
    notifyStarted: (deployment, subscriptions, now) =>
      connection.attempt(() => connection.transact(() => insertStarted(deployment, subscriptions, now))),
    dueNotifications: (now, limit) =>
      connection.attempt(() => selectDue.all({ now: now.getTime(), limit }).map(toNotification)),
    nextNotificationAt: () =>
      connection.attempt(() => {
        const due = selectNext.get({})?.due_at ?? null;
        return due === null ? null : new Date(due);
      }),
    removeNotification: (id) =>
      connection.attempt(() => {
        remove.run({ id });
      }),
    postponeNotification: (id, due) =>
      connection.attempt(() => {
        postpone.run({ id, due: due.getTime() });
      }),
  };
}

function prepareInsertStarted(connection: Connection) {
  const selectTarget = connection.prepare<{ target: string }, { id: number }>(
    "SELECT target FROM deployment WHERE id = $id AND state = 'running'",
  );
  const insert = prepareInsert(connection);
  return (deployment: number, subscriptions: readonly NotificationSubscription[], now: Date): void => {
    // When it has ended already, the notification of that must not be replaced.
    const running = selectTarget.get({ id: deployment });
    if (running === null) return;
    for (const { name, targets, kinds } of subscriptions) {
      const isSubscribed = targets === null || targets.includes(running.target);
      if (!isSubscribed || !kinds.includes("started")) continue;
      insert.run({ channel: name, deployment, kind: "started", now: now.getTime() });
    }
  };
}

/** Prepares what stores, in the caller's transaction, the notifications of a deployment's end. */
export function prepareInsertEnded(connection: Connection) {
  const selectBefore = connection.prepare<{ state: DeploymentState }, { id: number; target: string }>(`
    SELECT state FROM deployment
    WHERE id = (
      SELECT max(id) FROM (
        SELECT max(id) AS id FROM deployment WHERE target = $target AND state = 'succeeded' AND id < $id
        UNION ALL
        SELECT max(id) FROM deployment WHERE target = $target AND state = 'failed' AND id < $id))`);
  const insert = prepareInsert(connection);
  return (
    { id, target, state }: EndedDeployment,
    subscriptions: readonly NotificationSubscription[],
    now: Date,
  ): void => {
    if (subscriptions.length === 0) return;
    const before = selectBefore.get({ id, target })?.state ?? null;
    for (const subscription of subscriptions) {
      const kind = chooseNotification(subscription, target, state, before);
      if (kind === null) continue;
      insert.run({ channel: subscription.name, deployment: id, kind, now: now.getTime() });
    }
  };
}

/** Replaces a notification of the same deployment that waits for the channel: its end replaces its start. */
function prepareInsert(connection: Connection) {
  return connection.prepare<never, NewNotification>(`
    INSERT OR REPLACE INTO notification (channel, deployment, kind, created_at, due_at)
    VALUES ($channel, $deployment, $kind, $now, $now)`);
}

function toNotification({
  id,
  channel,
  deployment,
  kind,
  attempts,
  created_at,
}: NotificationRow): Notification {
  return { id, channel, deployment, kind, attempts, createdAt: new Date(created_at) };
}
