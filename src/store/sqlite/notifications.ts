import type { DeploymentState } from "../../domain/deployment.ts";
import {
  chooseNotification,
  type Notification,
  type NotificationKind,
  type NotificationStore,
  type NotificationSubscription,
} from "../../domain/notification.ts";
import type { Connection } from "./connection.ts";

type NewNotice = { subscriber: string; deployment: number; news: NotificationKind; now: number };

interface NoticeRow {
  id: number;
  subscriber: string;
  deployment: number;
  news: NotificationKind;
  attempts: number;
  created_at: number;
}

/** A deployment that has ended, as far as notices of it go. */
export interface Ended {
  readonly id: number;
  readonly target: string;
  readonly state: DeploymentState;
}

/** The notices' part of the store. */
export function createNotifications(connection: Connection): NotificationStore {
  const selectDue = connection.prepare<NoticeRow, { now: number; limit: number }>(`
    SELECT * FROM notice
    WHERE id IN (SELECT min(id) FROM notice WHERE due_at <= $now GROUP BY subscriber)
    ORDER BY id LIMIT $limit`);
  const selectNext = connection.prepare<{ due_at: number | null }>(
    "SELECT min(due_at) AS due_at FROM notice",
  );
  const remove = connection.prepare<never, { id: number }>("DELETE FROM notice WHERE id = $id");
  const postpone = connection.prepare<never, { id: number; due: number }>(
    "UPDATE notice SET attempts = attempts + 1, due_at = $due WHERE id = $id",
  );
  const noteStart = prepareNoteStart(connection);
  return {
    notifyStarted: (deployment, subscribers, now) =>
      connection.attempt(() => connection.transact(() => noteStart(deployment, subscribers, now))),
    dueNotifications: (now, limit) =>
      connection.attempt(() => selectDue.all({ now: now.getTime(), limit }).map(toNotice)),
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

function prepareNoteStart(connection: Connection) {
  const selectTarget = connection.prepare<{ target: string }, { id: number }>(
    "SELECT target FROM deployment WHERE id = $id AND state = 'running'",
  );
  const insert = prepareInsert(connection);
  return (deployment: number, subscribers: readonly NotificationSubscription[], now: Date): void => {
    // The notice of its end may be kept already, and that it started is no news after that.
    const running = selectTarget.get({ id: deployment });
    if (running === null) return;
    for (const { name, targets, kinds } of subscribers) {
      const isMeant = targets === null || targets.includes(running.target);
      if (!isMeant || !kinds.includes("started")) continue;
      insert.run({ subscriber: name, deployment, news: "started", now: now.getTime() });
    }
  };
}

/** What keeps, in a transaction of its caller's, the notices of a deployment's end. */
export function prepareNoteEnd(connection: Connection) {
  const selectBefore = connection.prepare<{ state: DeploymentState }, { id: number; target: string }>(`
    SELECT state FROM deployment
    WHERE id = (
      SELECT max(id) FROM (
        SELECT max(id) AS id FROM deployment WHERE target = $target AND state = 'succeeded' AND id < $id
        UNION ALL
        SELECT max(id) FROM deployment WHERE target = $target AND state = 'failed' AND id < $id))`);
  const insert = prepareInsert(connection);
  return (
    { id, target, state }: Ended,
    subscribers: readonly NotificationSubscription[],
    now: Date,
  ): void => {
    if (subscribers.length === 0) return;
    const before = selectBefore.get({ id, target })?.state ?? null;
    for (const subscriber of subscribers) {
      const news = chooseNotification(subscriber, target, state, before);
      if (news === null) continue;
      insert.run({ subscriber: subscriber.name, deployment: id, news, now: now.getTime() });
    }
  };
}

/** In place of the notice that the subscriber may wait for: a start that was not told yet gives way to the end. */
function prepareInsert(connection: Connection) {
  return connection.prepare<never, NewNotice>(`
    INSERT OR REPLACE INTO notice (subscriber, deployment, news, created_at, due_at)
    VALUES ($subscriber, $deployment, $news, $now, $now)`);
}

function toNotice({ id, subscriber, deployment, news, attempts, created_at }: NoticeRow): Notification {
  return { id, channel: subscriber, deployment, kind: news, attempts, createdAt: new Date(created_at) };
}
