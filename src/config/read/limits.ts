import { formatDuration } from "../../lib/duration.ts";
import type { ReadContext } from "./context.ts";
import { child, formatValue, type IssueList, type Place } from "./issues.ts";

const DAY = 86_400_000;

/** Timers count milliseconds in 31 bits. A longer one would fire at once. */
export const LONGEST_TIMER = 24 * DAY;

/** Dates end in the year 275760 (ECMA-262, 21.4.1.1), which longer ages would exceed. */
export const LONGEST_AGE = 36_500 * DAY;

/** Reports a duration in milliseconds that is longer than `longest`. */
export function limitDuration(
  value: number | undefined,
  longest: number,
  place: Place,
  { issues }: ReadContext,
): void {
  if (value === undefined || value <= longest) return;
  const found = `${Math.ceil(value / DAY)}d`;
  issues.fault(place, `expected a duration of at most ${formatDuration(longest)}, found ${found}`);
}

/** The value of one key in one of several tables. */
export interface KeyValue {
  /** The table's place. */
  readonly place: Place;
  /** Undefined when there is no valid value. */
  readonly value: string | undefined;
}

/** Names are compared without case: they become file names, and some file systems ignore case. */
const NORMALISE = {
  name: (name: string) => name.toLowerCase(),
  path: (path: string) => path,
};

/** Reports every value that an earlier table has. `what` names the tables, such as `source`. */
export function checkUnique(
  key: "name" | "path",
  what: string,
  values: readonly KeyValue[],
  issues: IssueList,
): void {
  const owners = new Map<string, Place>();
  for (const { place, value } of values) {
    if (value === undefined) continue;
    const normal = NORMALISE[key](value);
    const owner = owners.get(normal);
    if (owner === undefined) owners.set(normal, place);
    else {
      issues.fault(
        child(place, key),
        `${owner.path} already has ${formatValue(value)}: each ${what} needs its own ${key}`,
      );
    }
  }
}
