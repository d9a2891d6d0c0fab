import type { Clock } from "./clock.ts";
import type { Log, LogFields } from "./log.ts";

/** Logs messages that unauthenticated clients can trigger at any rate, such as refusals. */
export type ThrottledLog = (fields: LogFields, message: string) => void;

/** Enough to see who causes the messages, too few to fill a disk. */
const LINES_PER_SECOND = 10;

/**
 * Creates a {@link ThrottledLog} that writes at most ten lines a second. The first line after a gap carries the number
 * of dropped ones in `lines_left_out`.
 */
export function createThrottledLog(log: Log, clock: Clock, level: "warn" | "error" = "warn"): ThrottledLog {
  let second = 0;
  let lines = 0;
  let dropped = 0;
  return (fields, message) => {
    const now = Math.floor(clock.now().getTime() / 1000);
    if (now !== second) [second, lines] = [now, 0];
    if (++lines > LINES_PER_SECOND) {
      dropped++;
      return;
    }
    log[level](dropped === 0 ? fields : { ...fields, lines_left_out: dropped }, message);
    dropped = 0;
  };
}
