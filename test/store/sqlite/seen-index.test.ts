import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { join } from "node:path";
import fc from "fast-check";
import { type Connection, openDatabase } from "../../../src/store/sqlite/connection.ts";
import { createSeenIndex, type SeenIndex } from "../../../src/store/sqlite/deliveries/seen-index.ts";
import { migrate } from "../../../src/store/sqlite/migrate.ts";
import { makeDirectory } from "../directory.ts";

let directory: Awaited<ReturnType<typeof makeDirectory>>;
let connection: Connection;

beforeEach(async () => {
  directory = await makeDirectory();
  connection = openDatabase(join(directory.path, "hooklatch.db"));
  migrate(connection);
  connection.execute("PRAGMA synchronous = OFF");
});
afterEach(async () => {
  connection.close();
  await directory.remove();
});

/** Small, so that every run of a test covers several generations. */
const GENERATION = 8;

const all = <Row>(sql: string) => connection.prepare<Row>(sql).all({});
const exists = (id: number) => all(`SELECT 1 FROM delivery WHERE id = ${id}`).length === 1;

/** Inserts the row of a delivery, because the index checks whether it exists. */
const insert = (id: number) =>
  connection.execute(`
    INSERT INTO delivery (id, source, event, status, received_at, client, has_identity, headers, other_targets,
      body_sha256, body_encoding, body)
    VALUES (${id}, 'github', 'push', 'ok', 1, '192.0.2.1', 1, '{}', 0, zeroblob(32), 'plain', x'')`);

/** The existing deliveries under a key, without repetitions, in the order of the index. */
const find = (seen: SeenIndex, key: number) => [...new Set(seen.find(key))].filter(exists);

const keys = fc.integer({ min: 0, max: 12 }).map((key) => key * 2 ** 44 + key);
const act = fc.oneof(
  { weight: 8, arbitrary: fc.record({ keep: fc.array(fc.array(keys, { maxLength: 2 }), { maxLength: 4 }) }) },
  { weight: 1, arbitrary: fc.record({ fail: fc.array(keys, { maxLength: 3 }) }) },
  { weight: 2, arbitrary: fc.record({ removeOldest: fc.integer({ min: 1, max: 6 }) }) },
  { weight: 1, arbitrary: fc.constant({ restart: true as const }) },
);

describe("duplicate index", () => {
  test("finds the existing deliveries under each key, oldest first, after any sequence of operations", async () => {
    fc.assert(
      fc.property(fc.array(act, { maxLength: 60 }), (acts) => {
        connection.execute(
          "DELETE FROM seen; DELETE FROM seen_lately; DELETE FROM delivery; UPDATE seen_removed SET newest = 0",
        );
        let seen = createSeenIndex(connection, GENERATION);
        const model: { id: number; keys: readonly number[] }[] = [];
        let next = 1;

        for (const one of acts) {
          if ("restart" in one) seen = createSeenIndex(connection, GENERATION);
          if ("keep" in one) {
            connection.transact(() => {
              for (const own of one.keep) {
                insert(next);
                seen.note(next, own);
                model.push({ id: next, keys: own });
                next += 1;
              }
              seen.write();
            });
            seen.confirm();
          }
          if ("fail" in one) {
            expect(() =>
              connection.transact(() => {
                insert(next);
                seen.note(next, one.fail);
                for (const key of one.fail) expect(find(seen, key)).toContain(next);
                seen.write();
                throw new Error("the disk is full");
              }),
            ).toThrow("full");
            seen.discard();
          }
          if ("removeOldest" in one) {
            connection.transact(() => {
              for (const { id, keys: own } of model.splice(0, one.removeOldest)) {
                connection.execute(`DELETE FROM delivery WHERE id = ${id}`);
                seen.forget(id, own);
              }
            });
          }
          for (let key = 0; key <= 12; key += 1) {
            const value = key * 2 ** 44 + key;
            const expected = model.filter((entry) => entry.keys.includes(value)).map(({ id }) => id);
            expect(find(seen, value)).toEqual(expected);
          }
        }
      }),
      { numRuns: 150 },
    );
  });

  test("is written to disk in order, without the keys of deleted deliveries", () => {
    let seen = createSeenIndex(connection, GENERATION);
    const keepOne = (id: number) => {
      connection.transact(() => {
        insert(id);
        seen.note(id, [id * 1000, id * 1000 + 1]);
        seen.write();
      });
      seen.confirm();
    };
    for (let id = 1; id <= 4; id += 1) keepOne(id);
    connection.transact(() => {
      for (const id of [1, 2]) {
        connection.execute(`DELETE FROM delivery WHERE id = ${id}`);
        seen.forget(id, [id * 1000, id * 1000 + 1]);
      }
    });
    seen = createSeenIndex(connection, GENERATION);
    for (let id = 5; id <= 40; id += 1) keepOne(id);

    const rows = all<{ key: number; delivery: number }>("SELECT key, delivery FROM seen ORDER BY key");
    expect(rows.length).toBeGreaterThan(40);
    expect(rows.every(({ key, delivery }) => Math.floor(key / 1000) === delivery && delivery > 2)).toBe(true);
    expect(all("SELECT id FROM seen_lately").length).toBeLessThan(2 * GENERATION);
  });
});
