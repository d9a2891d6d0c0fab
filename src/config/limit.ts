import type { Place } from "./finding.ts";
import type { Ground } from "./ground.ts";

const DAY = 86_400_000;

/** Timers count milliseconds in 31 bits; a longer one would ring at once. */
export const LONGEST_TIMER = 24 * DAY;

/** Dates end in the year 275760 (ECMA-262, 21.4.1.1), long before the longest duration that can be written. */
export const LONGEST_AGE = 36_500 * DAY;

/** Reports a duration, in milliseconds, that is too long to be kept to. */
export function limitDuration(
  value: number | undefined,
  longest: number,
  place: Place,
  ground: Ground,
): void {
  if (value === undefined || value <= longest) return;
  ground.report.fault(
    place,
    `expected a duration of at most ${longest / DAY}d, found ${Math.ceil(value / DAY)}d`,
  );
}
