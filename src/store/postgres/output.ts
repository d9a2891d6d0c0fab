import { MAX_OUTPUT_BYTES, type OutputLine } from "../../domain/deployment.ts";
import type { DeploymentStore } from "../../domain/deployment-store.ts";
import { describeCut, type Extent, fits, grow, insertCut, NOTHING, sizeOf } from "../output-extent.ts";
import type { Database, Query } from "./connection.ts";

/** Lines that are read at once: few at first, because most readers read the end. */
const FIRST_PAGE = 64;
const PAGE = 4_096;

/** The part of the store that holds output. Only the process that runs a deployment appends to it. */
export function createOutput(
  database: Database,
  limit: number = MAX_OUTPUT_BYTES,
): Pick<DeploymentStore, "appendOutput" | "readOutput" | "readOutputAfter"> {
  const { query } = database;
  return {
    appendOutput: (deployment, lines) =>
      database.transact(async (run) => {
        const extent = await readExtent(run, deployment, "FOR UPDATE");
        const first = extent.nextLine;
        const sizes = lines.map(sizeOf);
        for (const size of sizes) grow(extent, size, limit / 2);
        await run(
          `INSERT INTO output (deployment, line, size, text)
           SELECT $1, $2 + position - 1, size, text
           FROM unnest($3::integer[], $4::text[]) WITH ORDINALITY AS new (size, text, position)`,
          deployment,
          first,
          sizes,
          lines,
        );
        await cut(run, deployment, extent, limit);
        await writeExtent(run, deployment, extent);
      }),
    async readOutput(deployment, maxBytes = Number.POSITIVE_INFINITY) {
      const lines: string[] = [];
      let bytes = 0;
      for await (const text of newestFirst(query, deployment)) {
        bytes += Buffer.byteLength(text) + 1;
        if (bytes > maxBytes) break;
        lines.push(text);
      }
      return lines.reverse();
    },
    async readOutputAfter(deployment, after, most) {
      const stored = await query<OutputLine>(
        "SELECT line, text FROM output WHERE deployment = $1 AND line > $2 ORDER BY line LIMIT $3",
        deployment,
        after,
        most,
      );
      return insertCut(stored, await readExtent(query, deployment), after).slice(0, most);
    },
  };
}

async function* newestFirst(query: Query, deployment: number): AsyncIterable<string> {
  const { headLines, tailStart, nextLine } = await readExtent(query, deployment);
  let isCutPending = tailStart > headLines;
  for (let before = nextLine, size = FIRST_PAGE; ; size = Math.min(size * 4, PAGE)) {
    const page = await query<OutputLine>(
      "SELECT line, text FROM output WHERE deployment = $1 AND line < $2 ORDER BY line DESC LIMIT $3",
      deployment,
      before,
      size,
    );
    for (const { line, text } of page) {
      if (isCutPending && line < headLines) {
        yield describeCut(tailStart - headLines);
        isCutPending = false;
      }
      yield text;
      before = line;
    }
    if (page.length < size) break;
  }
  if (isCutPending) yield describeCut(tailStart - headLines);
}

/** Removes the oldest lines of the tail until everything fits in `limit`. */
async function cut(query: Query, deployment: number, extent: Extent, limit: number): Promise<void> {
  const from = extent.tailStart;
  while (!fits(extent, limit)) {
    const rows = await query<{ size: number }>(
      "SELECT size FROM output WHERE deployment = $1 AND line >= $2 ORDER BY line LIMIT $3",
      deployment,
      extent.tailStart,
      PAGE,
    );
    if (rows.length === 0) break;
    for (const { size } of rows) {
      extent.tailBytes -= size;
      extent.tailStart += 1;
      if (fits(extent, limit)) break;
    }
  }
  if (extent.tailStart === from) return;
  await query(
    "DELETE FROM output WHERE deployment = $1 AND line >= $2 AND line < $3",
    deployment,
    from,
    extent.tailStart,
  );
}

/** Extents are stored, so that the limit holds over a restart. */
async function readExtent(
  query: Query,
  deployment: number,
  locking: "" | "FOR UPDATE" = "",
): Promise<Extent> {
  const [extent] = await query<Extent>(
    `SELECT head_lines AS "headLines", head_bytes AS "headBytes", tail_start AS "tailStart", tail_bytes AS "tailBytes",
       next_line AS "nextLine"
     FROM output_extent WHERE deployment = $1 ${locking}`,
    deployment,
  );
  return extent ?? { ...NOTHING };
}

async function writeExtent(query: Query, deployment: number, extent: Extent): Promise<void> {
  const { headLines, headBytes, tailStart, tailBytes, nextLine } = extent;
  await query(
    `INSERT INTO output_extent (deployment, head_lines, head_bytes, tail_start, tail_bytes, next_line)
     VALUES ($1, $2, $3, $4, $5, $6)
     ON CONFLICT (deployment) DO UPDATE SET head_lines = $2, head_bytes = $3, tail_start = $4, tail_bytes = $5, next_line = $6`,
    deployment,
    headLines,
    headBytes,
    tailStart,
    tailBytes,
    nextLine,
  );
}
