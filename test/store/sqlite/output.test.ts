import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import fc from "fast-check";
import { OUTPUT_LINE_COST } from "../../../src/domain/deployment.ts";
import { type Connection, openDatabase } from "../../../src/store/sqlite/connection.ts";
import { createOutput } from "../../../src/store/sqlite/deployments/output.ts";
import { migrate } from "../../../src/store/sqlite/migrate.ts";
import { numbersIn } from "../../support/words.ts";
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

/** Appends batches to a new deployment and returns the lines that are stored with a limit of `limit` bytes. */
async function appendAll(limit: number, batches: readonly (readonly string[])[]): Promise<readonly string[]> {
  deployments += 1;
  connection.execute(`INSERT INTO deployment (id, target, state, trigger, created_at)
    VALUES (${deployments}, 'blog', 'failed', 'push', 1)`);
  const output = createOutput(connection, limit);
  for (const lines of batches) await output.appendOutput(deployments, lines);
  return output.readOutput(deployments);
}

const bytesOf = (lines: readonly string[]) =>
  lines.reduce((sum, line) => sum + Buffer.byteLength(line) + OUTPUT_LINE_COST, 0);

const line = fc.string({ unit: "grapheme", maxLength: 25 });
const batches = fc.array(fc.array(line, { maxLength: 12 }), { maxLength: 12 });
const limit = fc.integer({ min: 96, max: 800 });

describe("cutting output", () => {
  test("keeps the first and last lines in order, as many as fit, for any batching", async () => {
    await fc.assert(
      fc.asyncProperty(limit, batches, async (bound, given) => {
        const lines = given.flat();
        const stored = await appendAll(bound, given);
        if (bytesOf(lines) <= bound) {
          expect(stored).toEqual(lines);
          return;
        }
        // The marker is the first stored line that differs from the appended one.
        const marker = stored.findIndex((one, at) => one !== lines[at]);
        const head = stored.slice(0, marker);
        const tail = stored.slice(marker + 1);
        const cut = lines.slice(head.length, lines.length - tail.length);
        expect([...head, ...cut, ...tail]).toEqual(lines);
        expect(numbersIn(stored[marker])).toEqual([cut.length]);
        expect(bytesOf(stored)).toBeLessThanOrEqual(bound);
        expect(bytesOf([...head, ...cut.slice(0, 1)])).toBeGreaterThan(bound / 2);
        expect(bytesOf([...stored, ...cut.slice(-1)])).toBeGreaterThan(bound);
      }),
      { numRuns: 200 },
    );
  });

  test("cuts a line that is longer than the limit", async () => {
    const stored = await appendAll(100, [["a"], ["x".repeat(100)], ["b"]]);
    expect(stored).toEqual(["a", expect.any(String), "b"]);
    expect(numbersIn(stored[1])).toEqual([1]);
    expect(stored[1]).toMatchSnapshot();
  });

  test("deletes cut lines from the database", async () => {
    const given = Array.from({ length: 30 }, (_, n) => [`line ${n}`, "more"]);
    const stored = await appendAll(325, given);
    const rows = connection
      .prepare<{ text: string }>(`SELECT text FROM output WHERE deployment = ${deployments} ORDER BY line`)
      .all({});
    const markers = stored.filter((one) => !given.flat().includes(one));
    expect(rows.map(({ text }) => text)).toEqual(stored.filter((one) => !markers.includes(one)));
    expect(markers).toMatchSnapshot();
  });
});
