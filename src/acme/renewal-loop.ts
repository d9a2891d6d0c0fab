import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import type { CertificatePair } from "./certificate.ts";
import { CertificateFault } from "./errors.ts";
import { chooseRenewal, pauseAfter, type RenewalWindow } from "./renewal.ts";

/** What keeping a certificate fresh needs. */
export interface FreshnessTools {
  readonly domains: readonly string[];
  readonly clock: Clock;
  readonly log: Log;
  readonly random: () => number;
  /** Rejects with a {@link CertificateFault}. */
  readonly obtain: (signal: AbortSignal) => Promise<CertificatePair>;
  /** When the CA would like the pair to be renewed; null where it does not say. */
  readonly askWindow: (pair: CertificatePair, signal: AbortSignal) => Promise<RenewalWindow | null>;
}

/** Longer than this nobody sleeps: renewal information changes, and timers end at 24.8 days. */
const LOOK_EVERY = 6 * 3_600_000;

/**
 * Milliseconds that a new pair is kept which is due at once: by a clock that is ahead each one is, and the orders would
 * use up what the CA gives in a week.
 */
const SHORTEST_USE = 3_600_000;

/** Renews `first`, or orders where it is null, and so on until the signal; `onPair` is handed each new pair. */
export async function runRenewalLoop(
  first: CertificatePair | null,
  onPair: (pair: CertificatePair) => void,
  tools: FreshnessTools,
  signal: AbortSignal,
): Promise<void> {
  let pair = first;
  while (!signal.aborted) {
    if (pair !== null) await untilDue(pair, pair !== first, tools, signal);
    pair = await orderUntilGiven(pair, tools, signal);
    if (pair === null) return;
    onPair(pair);
  }
}

async function untilDue(
  pair: CertificatePair,
  isNew: boolean,
  { domains, clock, log, random, askWindow }: FreshnessTools,
  signal: AbortSignal,
): Promise<void> {
  // Drawn once: a new place at each look would make the early ones likelier.
  const place = random();
  // Slept, and not counted by the clock: somebody may set that right meanwhile.
  let shortest = isNew ? SHORTEST_USE : 0;
  while (!signal.aborted) {
    const due = chooseRenewal(pair, await askWindow(pair, signal), place);
    const left = due.getTime() - clock.now().getTime();
    const wait = left > 0 ? left : shortest;
    if (wait <= 0 || signal.aborted) return;
    if (left <= 0)
      log.warn({ domains, due }, "the new certificate is to be renewed already: is the clock ahead?");
    await clock.sleep(Math.min(wait, LOOK_EVERY), signal);
    shortest = 0;
  }
}

/** Null when the signal came first. */
async function orderUntilGiven(
  served: CertificatePair | null,
  { domains, clock, log, random, obtain }: FreshnessTools,
  signal: AbortSignal,
): Promise<CertificatePair | null> {
  for (let failures = 1; !signal.aborted; failures += 1) {
    const outcome = await obtain(signal).catch(expectFault);
    if (!(outcome instanceof CertificateFault)) return outcome;
    if (signal.aborted) return null;
    const now = clock.now();
    const pause = pauseAfter(failures, outcome.retryAt, now, random());
    const level = served !== null && served.validTo > now ? "warn" : "error";
    log[level]({ domains, next_attempt: new Date(now.getTime() + pause) }, outcome.message);
    await clock.sleep(pause, signal);
  }
  return null;
}

function expectFault(error: unknown): CertificateFault {
  if (error instanceof CertificateFault) return error;
  throw error;
}
