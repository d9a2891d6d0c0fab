import { MAX_OUTPUT_BYTES, OUTPUT_LINE_COST, type OutputLine } from "../../../domain/deployment.ts";
import type { DeploymentStore } from "../../../domain/deployment-store.ts";
import { describeCut, type Extent, fits, grow, insertCut, NOTHING, sizeOf } from "../../output-extent.ts";
import type { Connection } from "../connection.ts";

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

/** Prepares the query for lines after a given one. Where lines were removed, one line says how many. */
function prepareRead(connection: Connection, extents: ReturnType<typeof prepareExtents>) {
  const select = connection.prepare<OutputLine, { deployment: number; after: number; limit: number }>(`
    SELECT line, text FROM output WHERE deployment = $deployment AND line > $after
    ORDER BY line LIMIT $limit`);
  return (deployment: number, after: number, limit: number): readonly OutputLine[] => {
    const stored = select.all({ deployment, after, limit });
    return insertCut(stored, extents.read(deployment), after).slice(0, limit);
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
    if (fits(extent, limit)) return;
    // Reads only the rows that are removed, however long the tail is.
    for (const { size } of selectSizes.iterate({ deployment, from })) {
      extent.tailBytes -= size;
      extent.tailStart += 1;
      if (fits(extent, limit)) break;
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
