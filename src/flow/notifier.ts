import type { NotificationCode } from "../domain/codes.ts";
import type { Notification, NotificationChannel, SendOutcome } from "../domain/notification.ts";
import type { FlowServices } from "./services.ts";

/** Sends the stored notifications. */
export interface Notifier {
  /** Signals that notifications may be due. Call it once at the start, for those that an earlier run left. */
  wake(): void;
  /** Stops sending, and waits briefly for requests in progress. The next start sends what is left. */
  stop(): Promise<void>;
}

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** Milliseconds to wait after each failed attempt (Standard Webhooks, "Deliverability and reliability"). */
const RETRY_AFTER = [5 * SECOND, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 10 * HOUR] as const;

/** Milliseconds between two checks of what is due, because the clock may be set. */
const MAX_SLEEP = MINUTE;

/** Milliseconds before the store is tried again after an error. */
const STORE_RETRY_AFTER = 10 * SECOND;

/** Milliseconds for requests in progress when the notifier stops. */
const STOP_GRACE = 2 * SECOND;

/** How many notifications of removed channels are read at once, besides one of each channel. */
const MAX_REMOVED = 100;

/** Creates the {@link Notifier}. Each channel gets one notification after the other, different channels at once. */
export function createNotifier({
  store,
  channels,
  clock,
  log,
}: Pick<FlowServices, "store" | "clock" | "log"> & {
  /** The channels of the current configuration. */
  readonly channels: () => readonly NotificationChannel[];
}): Notifier {
  /** The deliveries in progress, by channel. */
  const sending = new Map<string, Promise<void>>();
  const stopping = new AbortController();
  let sleep = new AbortController();
  let loop: Promise<void> | null = null;

  function wake(): void {
    sleep.abort();
    if (!stopping.signal.aborted) loop ??= run();
  }

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      sleep = new AbortController();
      const pause = await startDue().catch((error: unknown) => {
        log.error({ err: error }, "could not read the notifications that are due; trying again");
        return STORE_RETRY_AFTER;
      });
      await clock.sleep(pause, sleep.signal);
    }
  }

  /** Starts to send what is due. Resolves with the milliseconds until something may be due again. */
  async function startDue(): Promise<number> {
    const now = clock.now();
    for (const notification of await store.dueNotifications(now, channels().length + MAX_REMOVED)) {
      if (sending.has(notification.channel) || stopping.signal.aborted) continue;
      const done = deliver(notification).finally(() => {
        sending.delete(notification.channel);
        wake();
      });
      sending.set(notification.channel, done);
    }
    const next = await store.nextNotificationAt();
    const pause = next === null ? MAX_SLEEP : next.getTime() - now.getTime();
    // A notification that is already due waits for its busy channel, which wakes the loop when it is free.
    return pause <= 0 ? MAX_SLEEP : Math.min(pause, MAX_SLEEP);
  }

  /** Sends one notification, and records that it was sent, postponed or dropped. */
  async function deliver(notification: Notification): Promise<void> {
    const { id, channel: name, deployment, kind } = notification;
    const fields = { channel: name, deployment, kind };
    const drop = (code: NotificationCode, reason: string) => {
      log.warn({ ...fields, code, reason }, "notification dropped");
      return record(fields, () => store.removeNotification(id));
    };
    const channel = channels().find((each) => each.name === name);
    if (channel === undefined) return drop("channel_removed", "the channel is no longer configured");
    const outcome = await send(channel, notification);
    if (outcome === null) return drop("deployment_removed", "the deployment is no longer stored");
    if (outcome.kind === "refused") return drop("rejected", outcome.reason);
    if (outcome.kind === "taken") {
      log.info(fields, "notification sent");
      return record(fields, () => store.removeNotification(id));
    }
    const wait = RETRY_AFTER[notification.attempts];
    if (wait === undefined) return drop("attempts_exhausted", outcome.reason);
    const due = new Date(clock.now().getTime() + wait);
    log.warn({ ...fields, reason: outcome.reason, due }, "could not send a notification; trying again later");
    return record(fields, () => store.postponeNotification(id, due));
  }

  /** Null when the deployment is no longer stored. */
  async function send(channel: NotificationChannel, notification: Notification): Promise<SendOutcome | null> {
    try {
      const deployment = await store.readDeployment(notification.deployment);
      return deployment === null ? null : await channel.send(notification, deployment, clock.now());
    } catch (error) {
      log.error({ channel: channel.name, err: error }, "internal error while sending a notification");
      return { kind: "failed", reason: "internal error" };
    }
  }

  /** Repeats `act` until it succeeds. Until then the channel gets nothing else, so that nothing is sent twice. */
  async function record(fields: object, act: () => Promise<void>): Promise<void> {
    for (;;) {
      try {
        return await act();
      } catch (error) {
        if (stopping.signal.aborted) return;
        log.error({ ...fields, err: error }, "could not save the outcome of a notification; trying again");
        await clock.sleep(STORE_RETRY_AFTER, stopping.signal);
      }
    }
  }

  async function stop(): Promise<void> {
    stopping.abort();
    sleep.abort();
    await loop;
    const graceOver = new AbortController();
    await Promise.race([Promise.all(sending.values()), clock.sleep(STOP_GRACE, graceOver.signal)]);
    graceOver.abort();
  }

  return { wake, stop };
}
