import { closeSync, openSync, readFileSync } from "node:fs";
import type { Clock } from "../../lib/clock.ts";
import { isOutOfDescriptors } from "../../lib/files.ts";
import type { Log } from "../../lib/log.ts";
import type { Listener } from "./listen.ts";

/** Descriptors held back for deployments: each needs about four, and `max_deployments` run at once. */
const RESERVE = 128;

/** Descriptors that are not given to deployments, because pausing a listener needs one. */
const FOR_PAUSING = 4;

/** Milliseconds between two looks at the descriptors. */
const INTERVAL = 50;

/** Looks without a free descriptor after which the `last` listeners pause too: a second. */
const PATIENCE = 20;

/** Milliseconds between two log lines: a flood pauses the listeners every few seconds. */
const LOG_INTERVAL = 60_000;

/**
 * Keeps file descriptors for deployments and the store, whatever the number of connections. The runtime accepts every
 * connection until it is out of descriptors; then it would retry without rest, and deployments would fail.
 */
export interface DescriptorReserve {
  /**
   * Pauses this listener while descriptors are short. The `last` ones (the admin listener) continue until there is no
   * descriptor left, so that people can still see and steer the server.
   */
  guard(listener: Pick<Listener, "pause" | "resume">, order: "first" | "last"): void;
  /** Gives the reserve back and ends. */
  stop(): void;
}

/** How a reserve is created. */
export interface DescriptorReserveOptions {
  /** The number of descriptors that the process may have; null for no limit. */
  readonly limit: number | null;
  readonly clock: Clock;
  readonly log: Log;
}

/** The soft limit of open files (getrlimit(2)), which the runtime raises to the hard one. Null if it is not known. */
export function readDescriptorLimit(): number | null {
  try {
    const [, soft] = /^Max open files +(\d+)/m.exec(readFileSync("/proc/self/limits", "latin1")) ?? [];
    return soft === undefined ? null : Number(soft);
  } catch {
    return null;
  }
}

/** Creates a reserve. The limit is small only by mistake; then half of it is for connections. */
export function createDescriptorReserve({ limit, clock, log }: DescriptorReserveOptions): DescriptorReserve {
  if (limit === null) return { guard() {}, stop() {} };
  const size = Math.min(RESERVE, limit >> 2);
  const pauseAt = limit - (size >> 1);
  const resumeAt = pauseAt - (size >> 1);
  const guarded = { first: new Set<Guarded>(), last: new Set<Guarded>() };
  const held: number[] = [];
  let isPaused = false;
  let nextLog = 0;
  /** Looks in a row that found no free descriptor. */
  let shortages = 0;

  /** Returns whether so many are held now. */
  function hold(count: number): boolean {
    while (held.length < count) {
      const descriptor = openOne();
      if (descriptor === null) return false;
      held.push(descriptor);
    }
    return true;
  }

  function releaseHeld(count: number): void {
    for (const descriptor of held.splice(0, Math.max(0, count))) closeSync(descriptor);
  }

  function pause(listeners: Iterable<Guarded>): void {
    do {
      releaseHeld(1);
      for (const listener of listeners) listener.pause();
      // A thread of the runtime may have taken the one that closing a connection needs.
    } while (held.length > 0 && findLowestFree() === null);
    releaseHeld(held.length - FOR_PAUSING);
    hold(FOR_PAUSING);
    isPaused = true;
    const now = clock.now().getTime();
    if (now < nextLog) return;
    nextLog = now + LOG_INTERVAL;
    log.warn(
      { limit },
      `out of file descriptors: new connections wait or are closed; raise the limit of ${limit}, such as LimitNOFILE= in the systemd unit`,
    );
  }

  function resumeWhenFree(lowestFree: number): void {
    if (lowestFree + size > resumeAt) return;
    if (!hold(size)) {
      releaseHeld(held.length - FOR_PAUSING);
      return;
    }
    for (const listener of all()) listener.resume();
    isPaused = false;
  }

  const all = () => [...guarded.first, ...guarded.last];

  function check(): void {
    const lowestFree = findLowestFree();
    if (lowestFree === null) {
      pause(++shortages > PATIENCE ? all() : guarded.first);
      return;
    }
    shortages = 0;
    if (isPaused) resumeWhenFree(lowestFree);
    else if (lowestFree >= pauseAt) pause(guarded.first);
  }

  hold(size);
  const timer = setInterval(check, INTERVAL);
  timer.unref();
  return {
    guard(listener, order) {
      guarded[order].add(listener);
    },
    stop() {
      clearInterval(timer);
      releaseHeld(held.length);
    },
  };
}

type Guarded = Pick<Listener, "pause" | "resume">;

/** The lowest free number: below it all are in use, because the system takes the lowest first. Null when none is free. */
function findLowestFree(): number | null {
  const descriptor = openOne();
  if (descriptor !== null) closeSync(descriptor);
  return descriptor;
}

/** Null when there is no descriptor left. */
function openOne(): number | null {
  try {
    return openSync("/dev/null", "r");
  } catch (error) {
    if (isOutOfDescriptors(error)) return null;
    throw error;
  }
}
