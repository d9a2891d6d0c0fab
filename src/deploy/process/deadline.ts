import type { DeploymentResult, Interruption } from "../../domain/deployment.ts";
import type { Clock } from "../../lib/clock.ts";
import { formatDuration } from "../../lib/duration.ts";

/** One signal for everything that may end a deployment early. */
export interface Deadline {
  readonly signal: AbortSignal;
  /** Why it was ended early; null when it was not. `doing` completes "timed out after … while". */
  cause(doing: string): Pick<DeploymentResult, "state" | "reason"> | null;
  /** The work is done: the time no longer counts. */
  stop(): void;
}

/** Starts the clock: the signal is aborted after `milliseconds`, or when the outer one is. */
export function createDeadline(
  milliseconds: number,
  outside: { readonly clock: Clock; readonly signal: AbortSignal },
): Deadline {
  const stopped = new AbortController();
  const timeout = new AbortController();
  void outside.clock.sleep(milliseconds, stopped.signal).then(() => {
    if (!stopped.signal.aborted) timeout.abort();
  });
  return {
    signal: AbortSignal.any([outside.signal, timeout.signal]),
    cause(doing) {
      if (outside.signal.aborted) return readInterruption(outside.signal.reason);
      if (!timeout.signal.aborted) return null;
      return { state: "failed", reason: `timed out after ${formatDuration(milliseconds)} while ${doing}` };
    },
    stop: () => stopped.abort(),
  };
}

/** An abort signal's reason can be anything; one that says nothing is taken as an interruption. */
function readInterruption(
  reason: Partial<Interruption> | undefined,
): Pick<DeploymentResult, "state" | "reason"> {
  return {
    state: reason?.kind === "cancelled" ? "cancelled" : "interrupted",
    reason: typeof reason?.reason === "string" ? reason.reason : null,
  };
}
