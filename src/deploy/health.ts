import type { ProcessIo } from "../domain/layout.ts";
import type { HealthCheck } from "../domain/target.ts";
import type { Clock } from "../lib/clock.ts";
import { formatDuration } from "../lib/duration.ts";
import { describeHttpFailure } from "../lib/http-client.ts";
import { httpClient } from "../runtime/index.ts";
import { DeploymentError } from "./failure.ts";

/** Milliseconds that one response may take. */
export const REQUEST_TIMEOUT = 5_000;

/** Milliseconds between two requests. */
const PAUSE = 500;

/** The outcome of one request. `summary` completes "<url> …" and `detail` follows it, such as " (no such host)". */
export interface HealthResponse {
  readonly isHealthy: boolean;
  readonly summary: string;
  readonly detail: string;
  readonly isTimeout: boolean;
}

/**
 * Requests the health URL until it returns 2xx. Prints each change of the outcome as one line. Rejects with a
 * {@link DeploymentError} when it is not healthy in time, or when `signal` ends the check.
 */
export async function awaitHealth(
  { url, within }: HealthCheck,
  clock: Clock,
  { onLine, signal }: ProcessIo,
): Promise<void> {
  const shown = withoutSecrets(url);
  const end = clock.now().getTime() + within;
  let last: HealthResponse | null = null;
  for (;;) {
    const left = end - clock.now().getTime();
    const latest = await requestHealth(url, Math.max(1, Math.min(REQUEST_TIMEOUT, left)), signal);
    // The last request may have had too little time to be meaningful.
    const response: HealthResponse = last !== null && latest.isTimeout && left < PAUSE ? last : latest;
    const { isHealthy, summary, detail } = response;
    const isChange = summary !== last?.summary || detail !== last?.detail;
    if (isChange && !signal.aborted) onLine(`${shown} ${summary}${detail}`);
    if (isHealthy) return;
    if (signal.aborted || clock.now().getTime() >= end) {
      const reason = `${shown} ${summary} for ${formatDuration(within)}${detail}`;
      throw new DeploymentError("health_check_failed", reason);
    }
    last = response;
    await clock.sleep(PAUSE, signal);
  }
}

/** Sends one request on a connection of its own. `timeout` is in milliseconds. */
export async function requestHealth(
  url: string,
  timeout: number,
  signal: AbortSignal,
): Promise<HealthResponse> {
  const headers = { connection: "close", "user-agent": "hooklatch" };
  const result = await httpClient.request(url, { headers, timeout, signal, maxBody: 0 });
  if (result.kind === "response") {
    const isHealthy = result.status >= 200 && result.status < 300;
    return { isHealthy, summary: `returned ${result.status}`, detail: "", isTimeout: false };
  }
  const isTimeout = result.kind === "timeout";
  const why = isTimeout ? "timed out" : describeHttpFailure(result);
  return { isHealthy: false, summary: "did not respond", detail: ` (${why})`, isTimeout };
}

/** The URL without user, query and fragment, which may hold a token. */
export function withoutSecrets(url: string): string {
  const { origin, pathname } = new URL(url);
  return origin + pathname;
}
