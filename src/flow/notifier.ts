import type { DeploymentStore } from "../domain/deployment.ts";
import type {
  Notification,
  NotificationChannel,
  NotificationStore,
  SendOutcome,
} from "../domain/notification.ts";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";

/** The one who tells others how deployments fared. */
export interface Notifier {
  /** Says that notices may be due. Called once at the start, for those that an earlier run left. */
  wake(): void;
  /** Begins nothing more, and gives what is being told a moment. What was not taken is told after the next start. */
  stop(): Promise<void>;
}

/** What announcing works with. */
export interface AnnounceTools {
  readonly store: NotificationStore & Pick<DeploymentStore, "readDeployment">;
  /** Whom to tell, as is configured now. */
  readonly messengers: () => readonly NotificationChannel[];
  readonly clock: Clock;
  readonly log: Log;
}

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** Milliseconds to wait after each attempt that failed (Standard Webhooks, "Deliverability and reliability"). */
const TRY_AGAIN_AFTER = [
  5 * SECOND,
  5 * MINUTE,
  30 * MINUTE,
  2 * HOUR,
  5 * HOUR,
  10 * HOUR,
  10 * HOUR,
] as const;

/** Milliseconds between two looks at what is due: the clock may be set while one waits. */
const LONGEST_SLEEP = MINUTE;

/** Milliseconds until the store is asked again when it could not answer. */
const ASK_AGAIN_AFTER = 10 * SECOND;

/** Milliseconds that those who are being told have at the end. */
const STOP_GRACE = 2 * SECOND;

/** Notices of subscribers that are gone, beside one of each that is there, in one look. */
const FORGOTTEN_AT_ONCE = 100;

/** Tells what is due: to each subscriber one thing after the other, to different ones side by side. */
export function createNotifier({ store, messengers, clock, log }: AnnounceTools): Notifier {
  /** What is being told, by its subscriber. */
  const telling = new Map<string, Promise<void>>();
  const stopping = new AbortController();
  let nap = new AbortController();
  let looking: Promise<void> | null = null;

  function wake(): void {
    nap.abort();
    if (!stopping.signal.aborted) looking ??= lookAgainAndAgain();
  }

  async function lookAgainAndAgain(): Promise<void> {
    while (!stopping.signal.aborted) {
      nap = new AbortController();
      const pause = await look().catch((error: unknown) => {
        log.error({ err: error }, "could not look for notices that are due; trying again");
        return ASK_AGAIN_AFTER;
      });
      await clock.sleep(pause, nap.signal);
    }
  }

  /** Begins to tell what is due. Resolves with the milliseconds until something may be due again. */
  async function look(): Promise<number> {
    const now = clock.now();
    for (const notice of await store.dueNotifications(now, messengers().length + FORGOTTEN_AT_ONCE)) {
      if (telling.has(notice.channel) || stopping.signal.aborted) continue;
      const told = see(notice).finally(() => {
        telling.delete(notice.channel);
        wake();
      });
      telling.set(notice.channel, told);
    }
    const next = await store.nextNotificationAt();
    const pause = next === null ? LONGEST_SLEEP : next.getTime() - now.getTime();
    // What is due already waits for a subscriber who is being told something else: that wakes us.
    return pause <= 0 ? LONGEST_SLEEP : Math.min(pause, LONGEST_SLEEP);
  }

  /** Sees to one notice: told, put off or given up, and written down. */
  async function see(notice: Notification): Promise<void> {
    const { id, channel, deployment: number, kind } = notice;
    const fields = { channel, deployment: number, kind };
    const giveUp = (reason: string) => {
      log.warn({ ...fields, reason }, "gave up telling a subscriber");
      return write(fields, () => store.removeNotification(id));
    };
    const messenger = messengers().find(({ name }) => name === channel);
    if (messenger === undefined) return giveUp("it is no longer configured");
    const outcome = await tell(messenger, notice);
    if (outcome === null) return giveUp("the deployment is no longer kept");
    if (outcome.kind === "refused") return giveUp(outcome.reason);
    if (outcome.kind === "taken") {
      log.info(fields, "told a subscriber");
      return write(fields, () => store.removeNotification(id));
    }
    const wait = TRY_AGAIN_AFTER[notice.attempts];
    if (wait === undefined) return giveUp(outcome.reason);
    const due = new Date(clock.now().getTime() + wait);
    log.warn({ ...fields, reason: outcome.reason, due }, "could not tell a subscriber; trying again later");
    return write(fields, () => store.postponeNotification(id, due));
  }

  /** Null when the deployment is gone. */
  async function tell(messenger: NotificationChannel, notice: Notification): Promise<SendOutcome | null> {
    try {
      const deployment = await store.readDeployment(notice.deployment);
      return deployment === null ? null : await messenger.send(notice, deployment, clock.now());
    } catch (error) {
      log.error(
        { subscriber: messenger.name, err: error },
        "a fault of ours kept a subscriber from being told",
      );
      return { kind: "failed", reason: "internal error" };
    }
  }

  /** Tries until it is written down: a subscriber is told nothing more before, least of all the same again. */
  async function write(fields: object, act: () => Promise<void>): Promise<void> {
    for (;;) {
      try {
        return await act();
      } catch (error) {
        if (stopping.signal.aborted) return;
        log.error({ ...fields, err: error }, "could not write down what became of a notice; trying again");
        await clock.sleep(ASK_AGAIN_AFTER, stopping.signal);
      }
    }
  }

  async function stop(): Promise<void> {
    stopping.abort();
    nap.abort();
    await looking;
    const over = new AbortController();
    await Promise.race([Promise.all(telling.values()), clock.sleep(STOP_GRACE, over.signal)]);
    over.abort();
  }

  return { wake, stop };
}
