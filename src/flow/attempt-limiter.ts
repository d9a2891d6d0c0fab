import type { Clock } from "../lib/clock.ts";
import { guessKey } from "../lib/ip-address.ts";

/**
 * Limits wrong tokens and passwords by the address that showed them, against guessing. Requests whose address is not
 * known (null) are not counted, because one sender of wrong tokens would lock out all of them.
 */
export interface AttemptLimiter {
  /** Milliseconds until the address may try again; 0 when it may now. */
  retryAfter(address: string | null): number;
  /** Counts a wrong token or password. */
  recordFailure(address: string | null): void;
}

/** The address showed too many wrong tokens or passwords. Until the wait is over even the right one is refused. */
export interface TooManyAttempts {
  readonly kind: "too many attempts";
  /** Milliseconds. */
  readonly wait: number;
}

const MINUTE = 60_000;

/** After this many failures within {@link WINDOW} milliseconds an address has to wait. */
const MAX_FAILURES = 10;
const WINDOW = MINUTE;

/** Milliseconds. Each further wait is twice as long as the one before. */
const FIRST_WAIT = MINUTE;
const LONGEST_WAIT = 60 * MINUTE;

/** Milliseconds without a failure after which an address starts with the first wait again. */
const FORGET_AFTER = 24 * 60 * MINUTE;

/** How many addresses are remembered. Of more, those whose last failure is the oldest are forgotten. */
const MAX_ADDRESSES = 10_000;

interface Attempts {
  /** The times of the failures that count now, at most {@link MAX_FAILURES}. */
  readonly failures: readonly number[];
  readonly waits: number;
  readonly blockedUntil: number;
}

const NONE: Attempts = { failures: [], waits: 0, blockedUntil: 0 };

/** Creates an {@link AttemptLimiter}. IPv6 addresses count by their /64, which one household has. */
export function createAttemptLimiter(clock: Clock): AttemptLimiter {
  /** The address whose last failure is the oldest comes first. */
  const attempts = new Map<string, Attempts>();

  function find(key: string, now: number): Attempts {
    const found = attempts.get(key) ?? NONE;
    return (found.failures.at(-1) ?? 0) + FORGET_AFTER < now ? NONE : found;
  }

  return {
    retryAfter(address) {
      if (address === null || attempts.size === 0) return 0;
      const now = clock.now().getTime();
      return Math.max(0, find(guessKey(address), now).blockedUntil - now);
    },
    recordFailure(address) {
      if (address === null) return;
      const now = clock.now().getTime();
      const key = guessKey(address);
      const found = find(key, now);
      attempts.delete(key);
      attempts.set(key, addFailure(found, now));
      const [oldest] = attempts.keys();
      if (attempts.size > MAX_ADDRESSES && oldest !== undefined) attempts.delete(oldest);
    },
  };
}

function addFailure({ failures, waits, blockedUntil }: Attempts, now: number): Attempts {
  const counted = [...failures.filter((time) => time > now - WINDOW), now];
  if (counted.length < MAX_FAILURES) return { failures: counted, waits, blockedUntil };
  const wait = Math.min(FIRST_WAIT * 2 ** waits, LONGEST_WAIT);
  return { failures: [now], waits: waits + 1, blockedUntil: now + wait };
}
