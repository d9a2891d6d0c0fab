import { MAX_OUTPUT_BYTES, OUTPUT_LINE_COST, type OutputLine } from "../../../domain/deployment.ts";
import type { DeploymentStore } from "../../../domain/deployment-store.ts";
import type { Connection } from "../connection.ts";

/**
 * Which lines of a deployment's output are stored, counted from 0: the head [0, headLines) and the tail
 * [tailStart, nextLine). The lines between were removed. Bytes are UTF-8, and {@link OUTPUT_LINE_COST} for each line.
 */
type Extent = {
  headLines: number;
  headBytes: number;
  tailStart: number;
  tailBytes: number;
  nextLine: number;
};

const NOTHING: Extent = { headLines: 0, headBytes: 0, tailStart: 0, tailBytes: 0, nextLine: 0 };

/**
 * The part of the store that holds output. The first lines take up to half of `limit`, in bytes; the newest lines share
 * the rest, and replace the oldest of them. The line that says how many were removed counts too.
 */
export function createOutput(
  connection: Connection,
  limit: number = MAX_OUTPUT_BYTES,
): Pick<DeploymentStore, "appendOutput" | "readOutput" | "readOutputAfter"> {
  const extents = prepareExtents(connection);
  const insert = connection.prepare<never, { deployment: number; line: number; text: string }>(
    "INSERT INTO output (deployment, line, text) VALUES ($deployment, $line, $text)",
  );
  const read = prepareRead(connection, extents);
  const readEnd = prepareReadEnd(connection, extents);
  const cut = prepareCut(connection, limit);

  return {
    appendOutput: (deployment, lines) =>
      connection.attemptTransaction(() => {
        const extent = extents.read(deployment);
        for (const text of lines) {
          insert.run({ deployment, line: extent.nextLine, text });
          grow(extent, sizeOf(text), limit / 2);
        }
        cut(deployment, extent);
        extents.write(deployment, extent);
      }),
    readOutput: (deployment, maxBytes = Number.POSITIVE_INFINITY) =>
      connection.attempt(() => readEnd(deployment, maxBytes)),
    readOutputAfter: (deployment, after, limit) => connection.attempt(() => read(deployment, after, limit)),
  };
}

/** Counts one more line: in the head while it fits there and the tail is empty, else in the tail. */
function grow(extent: Extent, size: number, headLimit: number): void {
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

/** Prepares the query for lines after a given one. Where lines were removed, one line says how many. */
function prepareRead(connection: Connection, extents: ReturnType<typeof prepareExtents>) {
  const select = connection.prepare<OutputLine, { deployment: number; after: number; limit: number }>(`
    SELECT line, text FROM output WHERE deployment = $deployment AND line > $after
    ORDER BY line LIMIT $limit`);
  return (deployment: number, after: number, limit: number): readonly OutputLine[] => {
    const { headLines, tailStart } = extents.read(deployment);
    const stored = select.all({ deployment, after, limit });
    const cutLines = tailStart - Math.max(headLines, after + 1);
    if (cutLines <= 0) return stored;
    const tailAt = stored.findIndex(({ line }) => line >= tailStart);
    const cut = { line: tailStart - 1, text: describeCut(cutLines) };
    return stored.toSpliced(tailAt < 0 ? stored.length : tailAt, 0, cut).slice(0, limit);
  };
}

/** Prepares the query for the last lines that fit. It reads no row before them. */
function prepareReadEnd(connection: Connection, extents: ReturnType<typeof prepareExtents>) {
  const select = connection.prepare<OutputLine, { deployment: number }>(
    "SELECT line, text FROM output WHERE deployment = $deployment ORDER BY line DESC",
  );
  function* newestFirst(deployment: number): Iterable<string> {
    const { headLines, tailStart } = extents.read(deployment);
    let isCutPending = tailStart > headLines;
    for (const { line, text } of select.iterate({ deployment })) {
      if (isCutPending && line < headLines) {
        yield describeCut(tailStart - headLines);
        isCutPending = false;
      }
      yield text;
    }
    if (isCutPending) yield describeCut(tailStart - headLines);
  }
  return (deployment: number, maxBytes: number): readonly string[] => {
    const lines: string[] = [];
    let bytes = 0;
    for (const text of newestFirst(deployment)) {
      bytes += Buffer.byteLength(text) + 1;
      if (bytes > maxBytes) break;
      lines.push(text);
    }
    return lines.reverse();
  };
}

/** Prepares the removal of the oldest lines of the tail until everything fits in `limit`. */
function prepareCut(connection: Connection, limit: number) {
  const selectSizes = connection.prepare<{ size: number }, { deployment: number; from: number }>(`
    SELECT octet_length(text) + ${OUTPUT_LINE_COST} AS size FROM output
    WHERE deployment = $deployment AND line >= $from ORDER BY line`);
  const remove = connection.prepare<never, { deployment: number; from: number; to: number }>(
    "DELETE FROM output WHERE deployment = $deployment AND line >= $from AND line < $to",
  );
  return (deployment: number, extent: Extent): void => {
    const from = extent.tailStart;
    const fits = () => extent.headBytes + extent.tailBytes + sizeOfCut(extent) <= limit;
    if (fits()) return;
    // Reads only the rows that are removed, however long the tail is.
    for (const { size } of selectSizes.iterate({ deployment, from })) {
      extent.tailBytes -= size;
      extent.tailStart += 1;
      if (fits()) break;
    }
    remove.run({ deployment, from, to: extent.tailStart });
  };
}

/** Extents are stored, so that the limit holds over a restart. */
function prepareExtents(connection: Connection) {
  const select = connection.prepare<Extent, { deployment: number }>(`
    SELECT head_lines AS headLines, head_bytes AS headBytes, tail_start AS tailStart, tail_bytes AS tailBytes,
      next_line AS nextLine
    FROM output_extent WHERE deployment = $deployment`);
  const upsert = connection.prepare<never, Extent & { deployment: number }>(`
    INSERT OR REPLACE INTO output_extent (deployment, head_lines, head_bytes, tail_start, tail_bytes, next_line)
    VALUES ($deployment, $headLines, $headBytes, $tailStart, $tailBytes, $nextLine)`);
  return {
    read: (deployment: number): Extent => select.get({ deployment }) ?? { ...NOTHING },
    write: (deployment: number, extent: Extent) => void upsert.run({ ...extent, deployment }),
  };
}

/** The size of the line that replaces the removed ones. */
function sizeOfCut({ headLines, tailStart }: Extent): number {
  return tailStart === headLines ? 0 : sizeOf(describeCut(tailStart - headLines));
}

function sizeOf(text: string): number {
  return Buffer.byteLength(text) + OUTPUT_LINE_COST;
}

function describeCut(lines: number): string {
  return `[… ${lines.toLocaleString("en-US")} ${lines === 1 ? "line" : "lines"} cut …]`;
}
