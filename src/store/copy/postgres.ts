import { type Packed, pack, unpack } from "../body.ts";
import { sizeOf } from "../output-extent.ts";
import type { Query } from "../postgres/connection.ts";
import { listKeys, quote } from "./sqlite.ts";
import type { Cell, ColumnType, CopyRow, CopyTable, CopyTarget, LastIds } from "./tables.ts";

/** Rows that are fetched at once. */
const FETCHED = 200;

/** Which rows of a table belong to one host. */
const OF_HOST: Readonly<Record<string, string>> = {
  deployment: "host = $1",
  live: "host = $1",
  ...Object.fromEntries(
    ["step", "output", "output_extent", "notification"].map((name) => [
      name,
      "deployment IN (SELECT id FROM deployment WHERE host = $1)",
    ]),
  ),
};

/** The order in which no row refers to a later one. */
const ORDER: Readonly<Record<string, string>> = { delivery: "id", deployment: "id" };

/** The columns that Postgres alone has. */
const FURTHER: Readonly<Record<string, Readonly<Record<string, ColumnType>>>> = {
  delivery: { body_encoding: "text" },
  deployment: { host: "text" },
  live: { host: "text" },
  output: { size: "integer" },
  lock: { placement: "text" },
};

/**
 * The tables of a Postgres database, in a transaction, as those of one host: the deployments of others are not read, and all
 * that are written are that host's.
 */
export function createPostgresCopy(query: Query, host: string): CopyTarget {
  async function* read({ name, columns }: CopyTable): AsyncIterable<CopyRow> {
    const names = Object.keys(columns).map((column) =>
      column === "queue_all" ? "queue_all::integer" : quote(column),
    );
    if (name === "delivery") names.push("body_encoding");
    const filter = OF_HOST[name];
    const where = filter === undefined ? "" : `WHERE ${filter}`;
    const order = ORDER[name] === undefined ? "" : `ORDER BY ${ORDER[name]}`;
    const cursor = `copy_${name}`;
    await query(
      `DECLARE ${cursor} NO SCROLL CURSOR FOR SELECT ${names.join(", ")} FROM ${quote(name)} ${where} ${order}`,
      ...(filter === undefined ? [] : [host]),
    );
    for (;;) {
      const rows = await query<CopyRow>(`FETCH ${FETCHED} FROM ${cursor}`);
      for (const row of rows) yield name === "delivery" ? withBody(row) : row;
      if (rows.length < FETCHED) break;
    }
    await query(`CLOSE ${cursor}`);
  }

  return {
    read,
    async readLastIds() {
      const [row] = await query<LastIds & object>(
        `SELECT delivery, deployment, ${lastOf("client")} AS client, ${lastOf("notification")} AS notification FROM last_id`,
      );
      if (row === undefined) throw new Error("the table last_id is empty");
      return row;
    },
    async write({ name, columns }, rows) {
      const types = { ...columns, ...FURTHER[name] };
      const completed = rows.map((row) => ({ ...row, ...complete(name, row, host) }));
      const places = Object.values(types).map((type, at) => `$${at + 1}::${type}[]`);
      const names = Object.keys(types).map(quote).join(", ");
      const selected = Object.keys(types).map((column) =>
        column === "queue_all" ? "queue_all <> 0" : quote(column),
      );
      await query(
        `INSERT INTO ${quote(name)} (${names}) OVERRIDING SYSTEM VALUE
         SELECT ${selected.join(", ")} FROM unnest(${places.join(", ")}) AS new (${names})`,
        ...Object.keys(types).map((column) => completed.map((row: CopyRow) => row[column] ?? null)),
      );
      if (name !== "delivery") return;
      const keys = rows.flatMap(listKeys);
      await query(
        "INSERT INTO seen (key, delivery) SELECT * FROM unnest($1::bigint[], $2::bigint[])",
        keys.map(({ key }) => key),
        keys.map(({ delivery }) => delivery),
      );
    },
    async writeLastIds({ client, notification, delivery, deployment }) {
      await query("UPDATE last_id SET delivery = $1, deployment = $2", delivery, deployment);
      for (const [name, last] of Object.entries({ client, notification })) {
        if (last > 0) await query(`SELECT setval('hooklatch.${name}_id_seq', $1)`, last);
      }
    },
  };
}

/** The last id that an identity gave. */
function lastOf(name: string): string {
  return `(SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM ${name}_id_seq)`;
}

function withBody({ body_encoding, body, ...row }: CopyRow): CopyRow {
  const encoding = body_encoding as Packed["encoding"];
  return { ...row, body: unpack({ encoding, bytes: body as Uint8Array }) };
}

/** The values of the columns that SQLite does not have. */
function complete(name: string, row: CopyRow, host: string): Record<string, Cell> {
  if (name === "delivery") {
    const { encoding, bytes } = pack(row.body as Uint8Array);
    return { body: bytes, body_encoding: encoding };
  }
  if (name === "output") return { size: sizeOf(row.text as string) };
  const placement = row.delivery === null ? null : JSON.stringify({ hosts: [host], rollout: "together" });
  return name === "lock" ? { placement } : { host };
}
