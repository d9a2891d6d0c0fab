import { Fault } from "../domain/fault.ts";
import { oneLine } from "../domain/one-line.ts";

/** What went wrong, as the one line that people read of it. */
export function explain(error: unknown): string {
  if (error instanceof Fault) return oneLine(error.message);
  if (!(error instanceof Error)) return "internal error";
  // A fault of the machine's (EACCES, ENOSPC) says itself what and where; anything else is a fault of ours.
  return "code" in error ? oneLine(error.message) : `internal error: ${oneLine(error.message)}`;
}
