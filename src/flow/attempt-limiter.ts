import type { Clock } from "../lib/clock.ts";
import { guessKey } from "../lib/ip-address.ts";

/** Counts wrong tokens and passwords by the address that showed them, so that nobody can try them all. */
export interface AttemptLimiter {
  /** Milliseconds until the address may show something again; 0 when it may now. */
  retryAfter(address: string | null): number;
  /** Notes that the address showed something wrong. */
  recordFailure(address: string | null): void;
}

/** An address showed too many wrong ones, and is not listened to for a while: not even when it shows the right one. */
export interface TooManyAttempts {
  readonly kind: "too many attempts";
  /** Milliseconds. */
  readonly wait: number;
}

const MINUTE = 60_000;

/** How many wrong ones an address may show within {@link WINDOW} milliseconds before it has to wait. */
const ALLOWED = 10;
const WINDOW = MINUTE;

/** The first wait, and the longest; each further one is twice as long as the one before. Milliseconds. */
const FIRST_WAIT = MINUTE;
const LONGEST_WAIT = 60 * MINUTE;

/** Milliseconds without a wrong one after which an address is forgotten, and begins with the first wait again. */
const FORGIVEN_AFTER = 24 * 60 * MINUTE;

/** How many addresses are remembered; of more, those that were wrong least lately are forgotten. */
const MOST_ADDRESSES = 10_000;

interface Guesser {
  /** Times of the wrong ones that count now, at most {@link ALLOWED}. */
  readonly wrong: readonly number[];
  readonly waits: number;
  readonly blockedUntil: number;
}

const STRANGER: Guesser = { wrong: [], waits: 0, blockedUntil: 0 };

/** Makes {@link AttemptLimiter} that remember nobody yet. IPv6 addresses count by their /64, which one household has. */
export function createAttemptLimiter(clock: Clock): AttemptLimiter {
  /** The one that was wrong least lately first. */
  const guessers = new Map<string, Guesser>();

  function find(key: string, now: number): Guesser {
    const guesser = guessers.get(key) ?? STRANGER;
    return (guesser.wrong.at(-1) ?? 0) + FORGIVEN_AFTER < now ? STRANGER : guesser;
  }

  return {
    retryAfter(address) {
      if (guessers.size === 0) return 0;
      const now = clock.now().getTime();
      return Math.max(0, find(keyOf(address), now).blockedUntil - now);
    },
    recordFailure(address) {
      const now = clock.now().getTime();
      const key = keyOf(address);
      const guesser = find(key, now);
      guessers.delete(key);
      guessers.set(key, noteWrong(guesser, now));
      const [oldest] = guessers.keys();
      if (guessers.size > MOST_ADDRESSES && oldest !== undefined) guessers.delete(oldest);
    },
  };
}

function noteWrong({ wrong, waits, blockedUntil }: Guesser, now: number): Guesser {
  const counted = [...wrong.filter((time) => time > now - WINDOW), now];
  if (counted.length < ALLOWED) return { wrong: counted, waits, blockedUntil };
  const wait = Math.min(FIRST_WAIT * 2 ** waits, LONGEST_WAIT);
  return { wrong: [now], waits: waits + 1, blockedUntil: now + wait };
}

/** Connections without an address share one count. */
function keyOf(address: string | null): string {
  return address === null ? "" : guessKey(address);
}
