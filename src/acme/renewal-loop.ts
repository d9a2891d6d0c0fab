import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import type { CertificatePair } from "./certificate.ts";
import { CertificateError } from "./errors.ts";
import { chooseRenewal, pauseAfter, type RenewalWindow } from "./renewal.ts";

/** The services of the renewal loop. */
export interface RenewalContext {
  readonly domains: readonly string[];
  readonly clock: Clock;
  readonly log: Log;
  /** From 0 up to 1. */
  readonly random: () => number;
  /** Rejects with a {@link CertificateError}. */
  readonly obtain: (signal: AbortSignal) => Promise<CertificatePair>;
  /** When the CA suggests renewing the pair; null when it suggests nothing. */
  readonly readWindow: (pair: CertificatePair, signal: AbortSignal) => Promise<RenewalWindow | null>;
}

/** Milliseconds between two checks of the renewal information, far below the longest timer of 24.8 days. */
const CHECK_INTERVAL = 6 * 3_600_000;

/**
 * Milliseconds that a new pair is used even if it is due at once. With a clock that is ahead every pair is, and orders
 * without a pause would exhaust the CA's weekly limit.
 */
const MIN_USE = 3_600_000;

/** Renews `first`, which is null when there is no pair yet, and each pair that follows, until the signal is aborted. */
export async function runRenewalLoop(
  first: CertificatePair | null,
  onPair: (pair: CertificatePair) => void,
  context: RenewalContext,
  signal: AbortSignal,
): Promise<void> {
  let pair = first;
  while (!signal.aborted) {
    if (pair !== null) await waitUntilDue(pair, pair !== first, context, signal);
    pair = await orderWithRetries(pair, context, signal);
    if (pair === null) return;
    onPair(pair);
  }
}

async function waitUntilDue(
  pair: CertificatePair,
  isNew: boolean,
  { domains, clock, log, random, readWindow }: RenewalContext,
  signal: AbortSignal,
): Promise<void> {
  // Chosen once: with a new position at each check, early ones would be likelier.
  const position = random();
  // Not computed from the clock, which may be corrected meanwhile.
  let minUse = isNew ? MIN_USE : 0;
  while (!signal.aborted) {
    const due = chooseRenewal(pair, await readWindow(pair, signal), position);
    const left = due.getTime() - clock.now().getTime();
    const wait = left > 0 ? left : minUse;
    if (wait <= 0 || signal.aborted) return;
    if (left <= 0) log.warn({ domains, due }, "the new certificate is due for renewal: is the clock ahead?");
    await clock.sleep(Math.min(wait, CHECK_INTERVAL), signal);
    minUse = 0;
  }
}

/** Null when the signal was aborted first. */
async function orderWithRetries(
  current: CertificatePair | null,
  { domains, clock, log, random, obtain }: RenewalContext,
  signal: AbortSignal,
): Promise<CertificatePair | null> {
  for (let failures = 1; !signal.aborted; failures += 1) {
    const outcome = await obtain(signal).catch(returnCertificateError);
    if (!(outcome instanceof CertificateError)) return outcome;
    if (signal.aborted) return null;
    const now = clock.now();
    const pause = pauseAfter(failures, outcome.retryAt, now, random());
    const level = current !== null && current.validTo > now ? "warn" : "error";
    log[level]({ domains, next_attempt: new Date(now.getTime() + pause) }, outcome.message);
    await clock.sleep(pause, signal);
  }
  return null;
}

function returnCertificateError(error: unknown): CertificateError {
  if (error instanceof CertificateError) return error;
  throw error;
}
