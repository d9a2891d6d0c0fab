import { OUTPUT_LINE_COST, type OutputLine } from "../domain/deployment.ts";

/**
 * Which lines of a deployment's output are stored, counted from 0: the head [0, headLines) and the tail
 * [tailStart, nextLine). The lines between were removed. Bytes are UTF-8, and {@link OUTPUT_LINE_COST} for each line.
 */
export type Extent = {
  headLines: number;
  headBytes: number;
  tailStart: number;
  tailBytes: number;
  nextLine: number;
};

/** The extent of a deployment without output. */
export const NOTHING: Extent = { headLines: 0, headBytes: 0, tailStart: 0, tailBytes: 0, nextLine: 0 };

/** Counts one more line: in the head while it fits there and the tail is empty, else in the tail. */
export function grow(extent: Extent, size: number, headLimit: number): void {
  const headIsOpen = extent.nextLine === extent.headLines;
  extent.nextLine += 1;
  if (headIsOpen && extent.headBytes + size <= headLimit) {
    extent.headBytes += size;
    extent.headLines += 1;
    extent.tailStart += 1;
  } else {
    extent.tailBytes += size;
  }
}

/** Inserts, among stored lines after a given one, the line that says how many were removed. */
export function insertCut(
  stored: readonly OutputLine[],
  { headLines, tailStart }: Extent,
  after: number,
): readonly OutputLine[] {
  const cutLines = tailStart - Math.max(headLines, after + 1);
  if (cutLines <= 0) return stored;
  const tailAt = stored.findIndex(({ line }) => line >= tailStart);
  const cut = { line: tailStart - 1, text: describeCut(cutLines) };
  return stored.toSpliced(tailAt < 0 ? stored.length : tailAt, 0, cut);
}

/** Whether everything stored, and the line about what was removed, fits in `limit`. */
export function fits(extent: Extent, limit: number): boolean {
  return extent.headBytes + extent.tailBytes + sizeOfCut(extent) <= limit;
}

/** The size of the line that replaces the removed ones. */
function sizeOfCut({ headLines, tailStart }: Extent): number {
  return tailStart === headLines ? 0 : sizeOf(describeCut(tailStart - headLines));
}

/** What a line counts. */
export function sizeOf(text: string): number {
  return Buffer.byteLength(text) + OUTPUT_LINE_COST;
}

/** The line that replaces removed ones. */
export function describeCut(lines: number): string {
  return `[… ${lines.toLocaleString("en-US")} ${lines === 1 ? "line" : "lines"} cut …]`;
}
