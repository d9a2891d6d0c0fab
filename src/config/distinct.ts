import type { Report } from "./finding.ts";
import { type Place, under } from "./finding.ts";
import { describeFound } from "./found.ts";

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
export function checkDistinct(
  key: "name" | "path",
  what: string,
  claims: readonly Claim[],
  report: Report,
): void {
  const owners = new Map<string, Place>();
  for (const { place, value } of claims) {
    if (value === undefined) continue;
    const compared = COMPARED[key](value);
    const owner = owners.get(compared);
    if (owner === undefined) owners.set(compared, place);
    else {
      const found = `${describeFound(value)}, which ${owner.path} has`;
      report.fault(under(place, key), `expected a ${key} that no other ${what} has, found ${found}`);
    }
  }
}
