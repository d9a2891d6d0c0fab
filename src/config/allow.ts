import { isAddressRange, parseRange } from "../domain/address.ts";
import { findNearest } from "../domain/nearest.ts";
import { PUBLISHED_LISTS } from "../domain/published-ranges.ts";
import type { Allowance } from "../domain/source.ts";
import { type Place, under } from "./finding.ts";
import { describeFound } from "./found.ts";
import type { Ground } from "./ground.ts";

/** Words for faults. */
export const EXPECTED_SENDER = 'an IP address, a range such as "192.0.2.0/24", or "github"';

/** Reads a source's `allow`; null where it is not written. What is neither a range nor a known list is a fault. */
export function readAllowance(
  written: readonly string[] | undefined,
  place: Place,
  { report }: Ground,
): Allowance | null {
  if (written === undefined) return null;
  for (const [index, entry] of written.entries()) {
    if (isAddressRange(entry) || PUBLISHED_LISTS.some((list) => list === entry)) continue;
    report.fault(
      under(place, index),
      `expected ${EXPECTED_SENDER}, found ${describeFound(entry)}${hint(entry)}`,
    );
  }
  return Object.freeze({
    ranges: Object.freeze(written.filter(isAddressRange).map(parseRange)),
    published: Object.freeze(PUBLISHED_LISTS.filter((list) => written.includes(list))),
  });
}

/** Asks whether a list was meant. */
function hint(entry: string): string {
  const { word, meant } = findNearest(entry, PUBLISHED_LISTS);
  return meant ? `: did you mean ${describeFound(word)}?` : "";
}
