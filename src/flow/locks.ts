import type { Clock } from "../domain/clock.ts";
import type { DeploymentStore } from "../domain/deployment.ts";
import type { Publish } from "../domain/happening.ts";
import { hasRunOut, type Lock } from "../domain/lock.ts";
import type { LockStore, Unlocked } from "../domain/lock-store.ts";
import type { Log } from "../domain/log.ts";
import type { Target } from "../domain/target.ts";
import { publishQueued } from "./publish-deployments.ts";
import { cancelUnconfigured } from "./take-up.ts";

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
  unlock(target: string): Promise<Unlocked | null>;
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
  readonly publish: Publish;
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
    for (const lock of held.values()) if (hasRunOut(lock, now)) letGo(lock.target);
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
  async function takeAway(target: string, message: string): Promise<Unlocked | null> {
    const lock = held.get(target);
    letGo(target);
    const unlocked = await store.unlock(target, clock.now()).catch((error: unknown) => {
      if (lock !== undefined) hold(lock);
      throw error;
    });
    stopWatching(target);
    if (unlocked === null) return null;
    const { lock: gone, queued, passedOver } = unlocked;
    const deployment = queued?.deployment.id ?? null;
    log.info({ target, by: gone.by, deployment, passed_over: passedOver }, message);
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
