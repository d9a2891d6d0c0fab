import { pack } from "../body.ts";
import { keysOf } from "../fingerprint.ts";
import type { Connection } from "../sqlite/connection.ts";
import { prepareReadBody } from "../sqlite/deliveries/blocks.ts";
import type { Cell, CopyRow, CopyTable, CopyTarget, LastIds } from "./tables.ts";

type Values = Record<string, Cell>;

/** The tables of a SQLite database. */
export function createSqliteCopy(connection: Connection): CopyTarget {
  const readBody = prepareReadBody(connection);

  function* read({ name, columns }: CopyTable): Iterable<CopyRow> {
    const names = Object.keys(columns).map(quote).join(", ");
    if (name !== "delivery") {
      yield* connection.prepare<CopyRow, Values>(`SELECT ${names} FROM ${quote(name)}`).iterate({});
      return;
    }
    type BodyRow = Parameters<typeof readBody>[0];
    const select = connection.prepare<CopyRow & BodyRow, Values>(
      `SELECT ${names}, body_encoding, block, block_offset, block_length FROM delivery ORDER BY id`,
    );
    for (const { body_encoding, block, block_offset, block_length, ...row } of select.iterate({})) {
      const body = readBody({
        body_encoding,
        block,
        block_offset,
        block_length,
        body: row.body as Uint8Array,
      });
      yield { ...(row as CopyRow), body };
    }
  }

  return {
    read,
    readLastIds: () => {
      const rows = connection
        .prepare<{ name: keyof LastIds; seq: number }>("SELECT name, seq FROM sqlite_sequence")
        .all({});
      return { ...NONE, ...Object.fromEntries(rows.map(({ name, seq }) => [name, seq])) };
    },
    write({ name, columns }, rows) {
      const written = [...Object.keys(columns), ...(name === "delivery" ? ["body_encoding"] : [])];
      const insert = connection.prepare<never, Values>(
        `INSERT INTO ${quote(name)} (${written.map(quote).join(", ")}) VALUES (${written.map((column) => `$${column}`).join(", ")})`,
      );
      const insertKey = connection.prepare<never, { key: number; delivery: number }>(
        "INSERT INTO seen (key, delivery) VALUES ($key, $delivery)",
      );
      for (const row of rows) {
        const values = Object.fromEntries(
          Object.keys(columns).map((column) => [column, row[column] ?? null]),
        );
        if (name !== "delivery") {
          insert.run(values);
          continue;
        }
        const { encoding, bytes } = pack(row.body as Uint8Array);
        insert.run({ ...values, body_encoding: encoding, body: bytes });
        for (const { key, delivery } of listKeys(row)) insertKey.run({ key, delivery });
      }
    },
    writeLastIds(ids) {
      const remove = connection.prepare<never, { name: string }>(
        "DELETE FROM sqlite_sequence WHERE name = $name",
      );
      const insert = connection.prepare<never, { name: string; seq: number }>(
        "INSERT INTO sqlite_sequence (name, seq) VALUES ($name, $seq)",
      );
      for (const [name, seq] of Object.entries(ids)) {
        remove.run({ name });
        insert.run({ name, seq });
      }
    },
  };
}

const NONE: LastIds = { client: 0, delivery: 0, deployment: 0, notification: 0 };

/** The keys of a delivery in the index of duplicates. */
export function listKeys(row: CopyRow): readonly { readonly key: number; readonly delivery: number }[] {
  if (row.has_identity !== 1) return [];
  const identity = { id: row.provider_id as string | null, hook: null };
  const body = Buffer.from(row.body_sha256 as Uint8Array);
  const keys = new Set(keysOf({ source: row.source as string, identity, body }));
  return [...keys].map((key) => ({ key, delivery: row.id as number }));
}

/** A name in SQL: some are words of the language. */
export function quote(name: string): string {
  return `"${name}"`;
}
