import type { DeliverySummary, DeploymentOutcome } from "../domain/delivery.ts";
import type { Deployment, DeploymentStore } from "../domain/deployment.ts";
import {
  describeLock,
  hasExpired,
  isLockReason,
  type Lock,
  type LockStore,
  type UnlockResult,
} from "../domain/lock.ts";
import type { Decision } from "../domain/match.ts";
import type { PublishEvent } from "../domain/server-event.ts";
import type { Target } from "../domain/target.ts";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import { publishQueued } from "./event-bus.ts";
import { cancelUnconfigured } from "./recovery.ts";

/** The locks that hold, in memory, so that deciding asks no disk. */
export interface Locks {
  of(target: string, now: Date): Lock | null;
  /** Another number whenever any lock came, went or ran out. */
  version(now: Date): number;
  /**
   * Takes over what the store has. Call it after `takeUpQueue` and before the listener opens: a lock whose time is
   * over is unlocked, and that wakes the worker.
   */
  load(): Promise<void>;
  /** Locks the target, in place of a lock that it may have. */
  lock(lock: Lock): Promise<void>;
  /**
   * Unlocks the target and lets the worker know of what is queued by that; where the target is not configured (any
   * more) that is cancelled. Null when it was not locked.
   */
  unlock(target: string): Promise<UnlockResult | null>;
  /** Unlocks nothing by itself any more: the next start does. Resolves when no change is under way. */
  stop(): Promise<void>;
}

/** What locks work with. */
export interface LockTools {
  readonly store: LockStore & Pick<DeploymentStore, "cancelUnconfigured">;
  /** The targets that are configured now. */
  readonly targets: () => readonly Target[];
  readonly clock: Clock;
  readonly log: Log;
  readonly publish: PublishEvent;
  /** Says that deployments may be waiting. */
  readonly wake: () => void;
}

/** Milliseconds between two looks at the clock, which may be set: a lock ends when it says so, not when a timer does. */
const LONGEST_SLEEP = 60_000;

/** Milliseconds until a lock that the store could not take away is tried again. */
const UNLOCK_AGAIN_AFTER = 10_000;

/** Makes the {@link Locks}, without any until they are loaded. A lock whose time is over is unlocked as by a person. */
export function createLocks(tools: LockTools): Locks {
  const { store, targets, clock, log, publish, wake } = tools;
  const held = new Map<string, Lock>();
  /** What ends the watch for the end of a target's lock. */
  const watches = new Map<string, AbortController>();
  let changes = 0;
  let turn: Promise<unknown> = Promise.resolve();

  /** One change after the other, so that memory and store never disagree for longer than one takes. */
  function inTurn<Result>(act: () => Promise<Result>): Promise<Result> {
    const result = turn.then(act);
    turn = result.catch(() => {});
    return result;
  }

  function hold(lock: Lock): void {
    held.set(lock.target, lock);
    changes++;
  }

  function letGo(target: string): void {
    if (held.delete(target)) changes++;
  }

  /** For good: a clock that is set back does not bring a lock back that deliveries went past. */
  function letGoOfRunOut(now: Date): void {
    for (const lock of held.values()) if (hasExpired(lock, now)) letGo(lock.target);
  }

  function stopWatching(target: string): void {
    watches.get(target)?.abort();
    watches.delete(target);
  }

  function watch(lock: Lock): void {
    stopWatching(lock.target);
    if (lock.until === null) return;
    const watching = new AbortController();
    watches.set(lock.target, watching);
    void unlockAt(lock.until, lock.target, watching.signal);
  }

  async function unlockAt(until: Date, target: string, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const left = until.getTime() - clock.now().getTime();
      if (left > 0) await clock.sleep(Math.min(left, LONGEST_SLEEP), signal);
      else await unlockRunOut(target, signal);
    }
  }

  async function unlockRunOut(target: string, signal: AbortSignal): Promise<void> {
    try {
      // When its turn comes a person may have locked it anew.
      await inTurn(async () => (signal.aborted ? null : takeAway(target, "a lock's time is over")));
    } catch (error) {
      log.warn({ target, err: error }, "could not take away a lock whose time is over; trying again");
      await clock.sleep(UNLOCK_AGAIN_AFTER, signal);
    }
  }

  /**
   * Out of memory first: a delivery that was decided before is accepted before the store unlocks, and found there; one
   * that is decided from now on deploys by itself.
   */
  async function takeAway(target: string, message: string): Promise<UnlockResult | null> {
    const lock = held.get(target);
    letGo(target);
    const unlocked = await store.unlock(target, clock.now()).catch((error: unknown) => {
      if (lock !== undefined) hold(lock);
      throw error;
    });
    stopWatching(target);
    if (unlocked === null) return null;
    const { lock: gone, queued, skippedDelivery } = unlocked;
    const deployment = queued?.deployment.id ?? null;
    log.info({ target, by: gone.by, deployment, passed_over: skippedDelivery }, message);
    publish({ kind: "lock", target, lock: null });
    if (queued !== null) publishQueued(queued, publish);
    // Nothing else would: what is queued is looked through when the configuration is taken over, and it was not yet.
    if (!targets().some(({ name }) => name === target)) await cancelUnconfigured(targets(), tools);
    // Also without one: what was queued before the lock came may have waited for its end.
    wake();
    return unlocked;
  }

  return {
    of(target, now) {
      letGoOfRunOut(now);
      return held.get(target) ?? null;
    },
    version(now) {
      letGoOfRunOut(now);
      return changes;
    },
    async load() {
      for (const lock of await store.listLocks()) {
        hold(lock);
        watch(lock);
      }
    },
    lock: (lock) =>
      inTurn(async () => {
        await store.lock(lock);
        hold(lock);
        watch(lock);
        const { target, reason, by, until } = lock;
        log.info({ target, reason, by, until }, "locked a target");
        publish({ kind: "lock", target, lock });
      }),
    unlock: (target) => inTurn(() => takeAway(target, "unlocked a target")),
    async stop() {
      for (const target of [...watches.keys()]) stopWatching(target);
      await turn;
    },
  };
}

/** What of a delivery locks have a say in. */
type Told = Pick<DeliverySummary, "id" | "receivedAt" | "decisions" | "outcomes">;

/** What telling works with. */
export interface TellLocksTools {
  readonly store: Pick<LockStore, "listLocks"> & Pick<DeploymentStore, "listDeployments">;
  readonly clock: Clock;
}

/**
 * The deliveries with what locks mean to them now: a deployment that waits behind one has it as its reason, and of a
 * push that one held back for good it is told what came after it.
 */
export async function describeLocksOf<Delivery extends Told>(
  deliveries: readonly Delivery[],
  { store, clock }: TellLocksTools,
): Promise<readonly Delivery[]> {
  const now = clock.now();
  const standing = (await store.listLocks()).filter((lock) => !hasExpired(lock, now));
  const locks = new Map(standing.map((lock) => [lock.target, lock]));
  const newest = new Map<string, Deployment | null>();
  for (const target of new Set(deliveries.flatMap(listHeldBack))) {
    const { items } = await store.listDeployments(
      { target, state: null, source: null },
      { limit: 1, before: null },
    );
    newest.set(target, items[0] ?? null);
  }
  return deliveries.map((delivery) => {
    const heldBack = new Set(listHeldBack(delivery));
    const outcomes = delivery.outcomes.map((outcome) => tellWaiting(outcome, locks));
    if (heldBack.size === 0) return { ...delivery, outcomes };
    const decisions = delivery.decisions.map((decision) => {
      const { target } = decision;
      if (!heldBack.has(target)) return decision;
      return tellHeldBack(decision, delivery, locks.get(target) ?? null, newest.get(target) ?? null);
    });
    return { ...delivery, outcomes, decisions };
  });
}

/** The targets whose lock held the delivery back, and that no deployment was queued of for it since. */
function listHeldBack({ decisions, outcomes }: Told): readonly string[] {
  return decisions
    .filter(({ deploy, reason }) => !deploy && reason !== null && isLockReason(reason))
    .map(({ target }) => target)
    .filter((target) => outcomes.every((outcome) => outcome.target !== target));
}

function tellWaiting(outcome: DeploymentOutcome, locks: ReadonlyMap<string, Lock>): DeploymentOutcome {
  const lock = locks.get(outcome.target);
  if (outcome.state !== "queued" || lock === undefined) return outcome;
  return { ...outcome, reason: describeLock(lock) };
}

/** The lock that held it back may still stand, stand with other words, or be gone, with or without something newer. */
function tellHeldBack(
  decision: Decision,
  { id, receivedAt }: Told,
  lock: Lock | null,
  newest: Deployment | null,
): Decision {
  if (lock !== null && receivedAt >= lock.since) return decision;
  const isNewer = newest !== null && newest.createdAt > receivedAt && (newest.delivery ?? id) >= id;
  if (isNewer) {
    const what = newest.delivery === null ? `deployment ${newest.id}` : `delivery ${newest.delivery}`;
    return { ...decision, reason: `was ${decision.reason}; ${what} came after it` };
  }
  return { ...decision, reason: lock === null ? `was ${decision.reason}` : describeLock(lock) };
}
