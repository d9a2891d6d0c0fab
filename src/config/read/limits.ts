import type { ReadContext } from "./context.ts";
import { child, type IssueList, type Place } from "./issues.ts";
import { formatValue } from "./table.ts";

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
  ground: ReadContext,
): void {
  if (value === undefined || value <= longest) return;
  ground.report.fault(
    place,
    `expected a duration of at most ${longest / DAY}d, found ${Math.ceil(value / DAY)}d`,
  );
}

/** The value of one key in one of several tables. */
export interface Claim {
  /** The table's place. */
  readonly place: Place;
  /** Undefined when there is no sound value. */
  readonly value: string | undefined;
}

/** How values of a key are compared: names become file names, and some file systems know no case. */
const COMPARED = {
  name: (name: string) => name.toLowerCase(),
  path: (path: string) => path,
};

/** Reports every value that an earlier table has already. `what` is what the tables are, such as `source`. */
export function checkUnique(
  key: "name" | "path",
  what: string,
  claims: readonly Claim[],
  report: IssueList,
): void {
  const owners = new Map<string, Place>();
  for (const { place, value } of claims) {
    if (value === undefined) continue;
    const compared = COMPARED[key](value);
    const owner = owners.get(compared);
    if (owner === undefined) owners.set(compared, place);
    else {
      const found = `${formatValue(value)}, which ${owner.path} has`;
      report.fault(child(place, key), `expected a ${key} that no other ${what} has, found ${found}`);
    }
  }
}
