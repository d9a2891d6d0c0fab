import type { DeploymentResult, Interruption } from "../../domain/deployment.ts";
import type { Clock } from "../../lib/clock.ts";
import { formatDuration } from "../../lib/duration.ts";

/** How a deployment that is ended early ends. */
export type EarlyEnd = Pick<DeploymentResult, "state" | "code" | "reason">;

/** One signal for everything that may end a deployment early. */
export interface Deadline {
  readonly signal: AbortSignal;
  /** Why the work was ended early; null when it was not. `doing` completes "timed out after … while". */
  cause(doing: string): EarlyEnd | null;
  /** Stops the clock: the work is done. */
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
      const reason = `timed out after ${formatDuration(milliseconds)} while ${doing}`;
      return { state: "failed", code: "timeout", reason };
    },
    stop: () => stopped.abort(),
  };
}

/** An abort signal's reason can be anything. One that says nothing counts as a shutdown. */
function readInterruption(reason: Partial<Interruption> | undefined): EarlyEnd {
  if (reason?.kind !== "cancelled") return { state: "interrupted", code: "shutdown", reason: null };
  return { state: "cancelled", code: "cancelled", reason: reason.reason ?? null };
}
