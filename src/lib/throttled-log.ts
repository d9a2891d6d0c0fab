import type { Clock } from "./clock.ts";
import type { Log, LogFields } from "./log.ts";

/** Says in the log what strangers can cause as often as they like: that somebody was refused, mostly. */
export type ThrottledLog = (fields: LogFields, message: string) => void;

/** Lines a second: enough to see who it is, too few to fill a disk. */
const LINES_PER_SECOND = 10;

/** Makes a {@link ThrottledLog} of at most ten lines a second, the next of which tells how many were left out. */
export function createThrottledLog(log: Log, clock: Clock, level: "warn" | "error" = "warn"): ThrottledLog {
  let second = 0;
  let lines = 0;
  let leftOut = 0;
  return (fields, message) => {
    const now = Math.floor(clock.now().getTime() / 1000);
    if (now !== second) [second, lines] = [now, 0];
    if (++lines > LINES_PER_SECOND) {
      leftOut++;
      return;
    }
    log[level](leftOut === 0 ? fields : { ...fields, lines_left_out: leftOut }, message);
    leftOut = 0;
  };
}
