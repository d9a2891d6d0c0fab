import { isDeepStrictEqual } from "node:util";
import type { DeliverySummary, DeploymentOutcome } from "../domain/delivery.ts";
import type { Deployment } from "../domain/deployment.ts";
import { describeLock, hasExpired, type Lock, type UnlockResult } from "../domain/lock.ts";
import type { Decision } from "../domain/match.ts";
import { publishQueued } from "./event-bus.ts";
import { cancelUnconfigured } from "./recovery.ts";
import type { FlowServices } from "./services.ts";

/** The locks in force, in memory, so that routing a delivery does not read the store. */
export interface Locks {
  /** The target's lock that is in force at `now`; null when there is none. */
  of(target: string, now: Date): Lock | null;
  /** Changes whenever a lock is set, removed or expires. */
  version(now: Date): number;
  /**
   * Reads the stored locks. Call it after the queue was recovered and before the listener opens: an expired lock is
   * removed, which wakes the worker.
   */
  load(): Promise<void>;
  /** Reads the stored locks again: another process that shares the store may have changed them. */
  reload(): Promise<void>;
  /** Locks the target, in place of a lock that it may have. */
  lock(lock: Lock): Promise<void>;
  /**
   * Unlocks the target and wakes the worker for what that queues; where the target is not configured, that is
   * cancelled. Null when it was not locked.
   */
  unlock(target: string): Promise<UnlockResult | null>;
  /** Stops removing expired locks; the next start does. Resolves when no change is in progress. */
  stop(): Promise<void>;
}

/** Milliseconds between two checks of the clock, which may be set: a lock expires by the clock, not by a timer. */
const MAX_SLEEP = 60_000;

/** Milliseconds before the next attempt to remove an expired lock that the store could not remove. */
const RETRY_AFTER = 10_000;

/** Creates the {@link Locks}, empty until they are loaded. An expired lock is removed as by an operator. */
export function createLocks(
  services: Pick<FlowServices, "store" | "targets" | "clock" | "log" | "publish" | "wakeWorker">,
): Locks {
  const { store, targets, clock, log, publish, wakeWorker } = services;
  const locks = new Map<string, Lock>();
  /** Each ends the wait for the expiry of a target's lock. */
  const timers = new Map<string, AbortController>();
  let version = 0;
  let lastChange: Promise<unknown> = Promise.resolve();

  /** Runs one change after the other, so that memory and store agree after each. */
  function enqueue<Result>(change: () => Promise<Result>): Promise<Result> {
    const result = lastChange.then(change);
    lastChange = result.catch(() => {});
    return result;
  }

  function add(lock: Lock): void {
    locks.set(lock.target, lock);
    version++;
  }

  function remove(target: string): void {
    if (locks.delete(target)) version++;
  }

  /** Permanently: when the clock is set back, a lock that deliveries already passed does not return. */
  function removeExpired(now: Date): void {
    for (const lock of locks.values()) if (hasExpired(lock, now)) remove(lock.target);
  }

  function stopTimer(target: string): void {
    timers.get(target)?.abort();
    timers.delete(target);
  }

  function startTimer({ target, until }: Lock): void {
    stopTimer(target);
    if (until === null) return;
    const timer = new AbortController();
    timers.set(target, timer);
    void unlockAt(until, target, timer.signal);
  }

  async function unlockAt(until: Date, target: string, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const left = until.getTime() - clock.now().getTime();
      if (left > 0) await clock.sleep(Math.min(left, MAX_SLEEP), signal);
      else await unlockExpired(target, signal);
    }
  }

  async function unlockExpired(target: string, signal: AbortSignal): Promise<void> {
    try {
      // An operator may have locked the target again before this change begins.
      await enqueue(async () => (signal.aborted ? null : unlock(target, "lock expired")));
    } catch (error) {
      log.warn({ target, err: error }, "could not remove an expired lock; trying again");
      await clock.sleep(RETRY_AFTER, signal);
    }
  }

  /**
   * Removes the lock from memory first: a delivery that was routed before is accepted before the store unlocks, which
   * queues it; one that is routed from now on deploys.
   */
  async function unlock(target: string, message: string): Promise<UnlockResult | null> {
    const lock = locks.get(target);
    remove(target);
    const unlocked = await store.unlock(target, clock.now()).catch((error: unknown) => {
      if (lock !== undefined) add(lock);
      throw error;
    });
    stopTimer(target);
    if (unlocked === null) return null;
    const { lock: removed, queued, skippedDelivery } = unlocked;
    const deployment = queued?.deployment.id ?? null;
    log.info({ target, by: removed.by, deployment, skipped_delivery: skippedDelivery }, message);
    publish({ kind: "lock", target, lock: null });
    if (queued !== null) publishQueued(queued, publish);
    // The store queues it without knowing the configuration.
    if (!targets().some(({ name }) => name === target)) await cancelUnconfigured(targets(), services);
    // Also where nothing was queued: the lock may have blocked an older queued deployment.
    wakeWorker();
    return unlocked;
  }

  return {
    of(target, now) {
      removeExpired(now);
      return locks.get(target) ?? null;
    },
    version(now) {
      removeExpired(now);
      return version;
    },
    async load() {
      for (const lock of await store.listLocks()) {
        add(lock);
        startTimer(lock);
      }
    },
    reload: () =>
      enqueue(async () => {
        const now = clock.now();
        const stored = await store.listLocks();
        const names = new Set(stored.map(({ target }) => target));
        for (const target of [...locks.keys()]) {
          if (names.has(target)) continue;
          remove(target);
          stopTimer(target);
        }
        for (const lock of stored) {
          // One that has expired is being removed from the store.
          const isKnown = isDeepStrictEqual(locks.get(lock.target), lock) || hasExpired(lock, now);
          if (isKnown && (lock.until === null || timers.has(lock.target))) continue;
          add(lock);
          startTimer(lock);
        }
      }),
    lock: (lock) =>
      enqueue(async () => {
        await store.lock(lock);
        add(lock);
        startTimer(lock);
        const { target, reason, by, until } = lock;
        log.info({ target, reason, by, until }, "target locked");
        publish({ kind: "lock", target, lock });
      }),
    unlock: (target) => enqueue(() => unlock(target, "target unlocked")),
    async stop() {
      for (const target of [...timers.keys()]) stopTimer(target);
      await lastChange;
    },
  };
}

/** The parts of a delivery that locks concern. */
type LockableDelivery = Pick<DeliverySummary, "id" | "receivedAt" | "decisions" | "outcomes">;

/**
 * Updates the reasons in deliveries by the current locks: a deployment whose target is locked gets the lock as its
 * reason, and a decision that a lock made, where the delivery was not deployed since, says what followed.
 */
export async function describeLocksOf<Delivery extends LockableDelivery>(
  deliveries: readonly Delivery[],
  { store, clock }: Pick<FlowServices, "store" | "clock">,
): Promise<readonly Delivery[]> {
  const now = clock.now();
  const inForce = (await store.listLocks()).filter((lock) => !hasExpired(lock, now));
  const locks = new Map(inForce.map((lock) => [lock.target, lock]));
  const newest = new Map<string, Deployment | null>();
  for (const target of new Set(deliveries.flatMap(listBlocked))) {
    const filter = { target, state: null, source: null };
    const { items } = await store.listDeployments(filter, { limit: 1, before: null });
    newest.set(target, items[0] ?? null);
  }
  return deliveries.map((delivery) => {
    const blocked = listBlocked(delivery);
    const outcomes = delivery.outcomes.map((outcome) => describeWaiting(outcome, locks));
    const decisions = delivery.decisions.map((decision) => {
      const { target } = decision;
      if (!blocked.includes(target)) return decision;
      return describeBlocked(decision, delivery, locks.get(target) ?? null, newest.get(target) ?? null);
    });
    return { ...delivery, outcomes, decisions };
  });
}

/** The targets whose lock blocked the delivery, and that were not deployed for it since. */
function listBlocked({ decisions, outcomes }: LockableDelivery): readonly string[] {
  return decisions
    .filter(({ code }) => code === "locked")
    .map(({ target }) => target)
    .filter((target) => outcomes.every((outcome) => outcome.target !== target));
}

function describeWaiting(outcome: DeploymentOutcome, locks: ReadonlyMap<string, Lock>): DeploymentOutcome {
  const lock = locks.get(outcome.target);
  if (outcome.state !== "queued" || lock === undefined) return outcome;
  return { ...outcome, reason: describeLock(lock) };
}

/** The lock that blocked it may still be in force, replaced by another, or removed. */
function describeBlocked(
  decision: Decision,
  { id, receivedAt }: LockableDelivery,
  lock: Lock | null,
  newest: Deployment | null,
): Decision {
  if (lock !== null && receivedAt >= lock.since) return decision;
  const isNewer = newest !== null && newest.createdAt > receivedAt && (newest.delivery ?? id) >= id;
  if (isNewer) {
    const what = newest.delivery === null ? `deployment ${newest.id}` : `delivery ${newest.delivery}`;
    return { ...decision, reason: `was ${decision.reason}; ${what} is newer` };
  }
  return { ...decision, reason: lock === null ? `was ${decision.reason}` : describeLock(lock) };
}
