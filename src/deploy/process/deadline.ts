import type { DeploymentResult, Interruption } from "../../domain/deployment.ts";
import type { Clock } from "../../lib/clock.ts";
import { formatDuration } from "../../lib/duration.ts";

/** The result of a deployment that is ended early. */
export type EarlyEnd = Pick<DeploymentResult, "state" | "code" | "reason">;

/** A time limit, combined with an outer signal. */
export interface Deadline {
  /** Aborted when the time is over, or when the outer signal is. */
  readonly signal: AbortSignal;
  /** Why the work was ended early; null when it was not. `activity` completes "timed out after … while". */
  readonly earlyEnd: (activity: string) => EarlyEnd | null;
}

/** Runs work that has at most `milliseconds`. The work itself must heed the deadline's signal. */
export async function withDeadline<Result>(
  milliseconds: number,
  outer: { readonly clock: Clock; readonly signal: AbortSignal },
  work: (deadline: Deadline) => Promise<Result>,
): Promise<Result> {
  const finished = new AbortController();
  const timeout = new AbortController();
  void outer.clock.sleep(milliseconds, finished.signal).then(() => {
    if (!finished.signal.aborted) timeout.abort();
  });
  try {
    return await work({
      signal: AbortSignal.any([outer.signal, timeout.signal]),
      earlyEnd(activity) {
        if (outer.signal.aborted) return readInterruption(outer.signal.reason);
        if (!timeout.signal.aborted) return null;
        const reason = `timed out after ${formatDuration(milliseconds)} while ${activity}`;
        return { state: "failed", code: "timeout", reason };
      },
    });
  } finally {
    finished.abort();
  }
}

/** An abort reason can be any value. An unknown one counts as a shutdown. */
function readInterruption(reason: Partial<Interruption> | undefined): EarlyEnd {
  if (reason?.kind === "lease lost") return { state: "interrupted", code: "lease_lost", reason: null };
  if (reason?.kind !== "cancelled") return { state: "interrupted", code: "shutdown", reason: null };
  return { state: "cancelled", code: "cancelled", reason: reason.reason ?? null };
}
