import type { ProcessIo } from "../domain/layout.ts";
import type { HealthCheck } from "../domain/target.ts";
import type { Clock } from "../lib/clock.ts";
import { systemErrorCode } from "../lib/errors.ts";
import { toOneLine } from "../lib/text.ts";
import { describeDuration } from "./process/deadline.ts";

/** Milliseconds that one answer may take. */
export const REQUEST_TIMEOUT = 5_000;

/** Milliseconds between two tries. */
const PAUSE = 500;

/** What came of one try: `told`, and perhaps why. */
export interface HealthAnswer {
  readonly isWell: boolean;
  /** Completes "<url> …". */
  readonly told: string;
  /** Such as " (connection refused)"; else empty. */
  readonly why: string;
  /** Whether it was not waited for any longer. */
  readonly isLate: boolean;
}

/**
 * Asks the health URL until it answers 2xx or its time is over. Resolves with why it is not well, or null; when the
 * signal ends it early, with what was known then. Each change of the answer is told as a line.
 */
export async function awaitHealth(
  { url, within }: HealthCheck,
  clock: Clock,
  { onLine, signal }: ProcessIo,
): Promise<string | null> {
  const shown = withoutSecrets(url);
  const end = clock.now().getTime() + within;
  let last: HealthAnswer | null = null;
  for (;;) {
    const left = end - clock.now().getTime();
    const tried = await requestHealth(url, Math.max(1, Math.min(REQUEST_TIMEOUT, left)), signal);
    // One that had hardly any time says less than the one before it.
    const answer: HealthAnswer = last !== null && tried.isLate && left < PAUSE ? last : tried;
    const { isWell, told, why } = answer;
    const isNews = told !== last?.told || why !== last?.why;
    if (isNews && !signal.aborted) onLine(`${shown} ${told}${why}`);
    if (isWell) return null;
    if (signal.aborted || clock.now().getTime() >= end) {
      return `${shown} ${told} for ${describeDuration(within)}${why}`;
    }
    last = answer;
    await clock.sleep(PAUSE, signal);
  }
}

/**
 * Asks once, for `patience` milliseconds at most, on a connection of its own: one that was kept open may lead to what ran
 * before.
 */
export async function requestHealth(
  url: string,
  patience: number,
  signal: AbortSignal,
): Promise<HealthAnswer> {
  const late = AbortSignal.timeout(patience);
  try {
    const response = await fetch(url, {
      redirect: "manual",
      keepalive: false,
      headers: { connection: "close", "user-agent": "hooklatch" },
      signal: AbortSignal.any([signal, late]),
    });
    await response.body?.cancel();
    return { isWell: response.ok, told: `answered ${response.status}`, why: "", isLate: false };
  } catch (error) {
    const why = late.aborted ? "it took too long" : explain(error);
    return { isWell: false, told: "gave no answer", why: ` (${why})`, isLate: late.aborted };
  }
}

const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connection refused",
  ECONNRESET: "connection reset",
  ENOTFOUND: "no such host",
};

/** An error's code as words, such as "malformed http response". Its message may hold the whole URL. */
function explain(error: unknown): string {
  const code = systemErrorCode(error) ?? "it cannot be asked";
  const words = code.replaceAll(/([a-z])([A-Z])/g, "$1 $2").replaceAll("_", " ");
  return WORDS[code] ?? toOneLine(words.toLowerCase());
}

/** The address without user, query and fragment: they may hold a token. */
export function withoutSecrets(url: string): string {
  const { origin, pathname } = new URL(url);
  return origin + pathname;
}
