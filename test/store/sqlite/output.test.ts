import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import fc from "fast-check";
import { migrate } from "../../../src/store/sqlite/migrate.ts";
import { type Connection, openDatabase } from "../../../src/store/sqlite/open.ts";
import { openOutput } from "../../../src/store/sqlite/output.ts";
import { makeDirectory } from "../directory.ts";

let directory: Awaited<ReturnType<typeof makeDirectory>>;
let connection: Connection;
let deployments = 0;

beforeAll(async () => {
  directory = await makeDirectory();
  connection = openDatabase(join(directory.path, "hooklatch.db"));
  migrate(connection);
});
afterAll(async () => {
  connection.close();
  await directory.remove();
});

/** Appends the batches to a new deployment and reads back what is kept within `limit` bytes. */
async function keep(limit: number, batches: readonly (readonly string[])[]): Promise<readonly string[]> {
  deployments += 1;
  connection.execute(`INSERT INTO deployment (id, target, state, trigger, created_at)
    VALUES (${deployments}, 'blog', 'failed', 'push', 1)`);
  const output = openOutput(connection, limit);
  for (const lines of batches) await output.appendOutput(deployments, lines);
  return output.readOutput(deployments);
}

const bytesOf = (lines: readonly string[]) =>
  lines.reduce((sum, line) => sum + Buffer.byteLength(line) + 1, 0);

const line = fc.string({ unit: "grapheme", maxLength: 25 });
const batches = fc.array(fc.array(line, { maxLength: 12 }), { maxLength: 12 });
const limit = fc.integer({ min: 64, max: 400 });

describe("cutting output", () => {
  test("keeps the first and the last lines in order, as many as fit, however they are batched", async () => {
    await fc.assert(
      fc.asyncProperty(limit, batches, async (bound, given) => {
        const lines = given.flat();
        const kept = await keep(bound, given);
        if (bytesOf(lines) <= bound) {
          expect(kept).toEqual(lines);
          return;
        }
        const marker = kept.findIndex((one) => /^\[… \d+ lines? cut …\]$/.test(one));
        const head = kept.slice(0, marker);
        const tail = kept.slice(marker + 1);
        const cut = lines.slice(head.length, lines.length - tail.length);
        expect([...head, ...cut, ...tail]).toEqual(lines);
        expect(kept[marker]).toBe(`[… ${cut.length} ${cut.length === 1 ? "line" : "lines"} cut …]`);
        expect(bytesOf(kept)).toBeLessThanOrEqual(bound);
        expect(bytesOf([...head, ...cut.slice(0, 1)])).toBeGreaterThan(bound / 2);
        expect(bytesOf([...kept, ...cut.slice(-1)])).toBeGreaterThan(bound);
      }),
      { numRuns: 200 },
    );
  });

  test("cuts a line that is longer than all the room there is", async () => {
    expect(await keep(40, [["a"], ["x".repeat(50)], ["b"]])).toEqual(["a", "[… 1 line cut …]", "b"]);
  });

  test("leaves in the database no line that was cut", async () => {
    const kept = await keep(
      100,
      Array.from({ length: 30 }, (_, n) => [`line ${n}`, "more"]),
    );
    const rows = connection
      .prepare<{ text: string }>(`SELECT text FROM output WHERE deployment = ${deployments} ORDER BY line`)
      .all({});
    expect(rows.map(({ text }) => text)).toEqual(kept.filter((one) => !one.startsWith("[…")));
  });
});
