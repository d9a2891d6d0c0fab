import { createHash } from "node:crypto";
import pg from "pg";
import { AppError } from "../../lib/errors.ts";
import type { DatabaseAddress } from "../../lib/postgres-url.ts";
import { toAppError } from "./errors.ts";

/** A value of a statement. */
export type Value =
  | string
  | number
  | boolean
  | Uint8Array
  | null
  | readonly (string | number | boolean | Uint8Array | null)[];

/** Runs one statement. Resolves with its rows: `bigint` as a number, `bytea` as bytes. */
export type Query = <Row extends object>(
  text: string,
  ...values: readonly Value[]
) => Promise<readonly Row[]>;

/** A pool of connections to a database. Errors that may pass are {@link AppError}s `unavailable`. */
export interface Database {
  /** Runs one statement in a transaction of its own. */
  readonly query: Query;
  /** Runs `act` in a transaction: committed when this resolves, rolled back when it rejects. */
  transact<Result>(act: (query: Query) => Promise<Result>): Promise<Result>;
  /**
   * Runs `act` in a transaction of the write lane: one after the other, in the order of the calls, also among processes.
   * So each sees what the one before wrote, and the ids that they assign become visible in their order.
   */
  write<Result>(act: (query: Query) => Promise<Result>): Promise<Result>;
  /** Ends the connections when nothing uses them any more. Every later call is rejected as `unavailable`. */
  close(): Promise<void>;
}

/** The keys of the lane's advisory lock: "hook", and the lane. */
const LANE = "1752131435, 1";

const BEGIN = `BEGIN; SELECT pg_advisory_xact_lock(${LANE})`;

/** Milliseconds. A process that hangs in a transaction delays the others for the first of them at most. */
const IDLE_TIMEOUT = 5_000;
const STATEMENT_TIMEOUT = 10_000;

/** Milliseconds without a response after which the network is taken for broken: longer than the server's own limit. */
const RESPONSE_TIMEOUT = 15_000;

/** Connections for a process. One is in the write lane; the others read, and append output. */
const CONNECTIONS = 6;

/** The settings of every connection. `options` are those of the server (https://www.postgresql.org/docs/current/runtime-config-client.html). */
export function toClientConfig(address: DatabaseAddress, name: string): pg.ClientConfig {
  return {
    ...address,
    application_name: name,
    keepAlive: true,
    // Statements that do not need each other's results are sent together.
    pipeline: true,
    connectionTimeoutMillis: STATEMENT_TIMEOUT,
    statement_timeout: STATEMENT_TIMEOUT,
    lock_timeout: STATEMENT_TIMEOUT,
    idle_in_transaction_session_timeout: IDLE_TIMEOUT,
    query_timeout: RESPONSE_TIMEOUT,
    options: OPTIONS,
    types: {
      getTypeParser: ((oid: number, format?: "text") =>
        oid === INT8 ? Number : pg.types.getTypeParser(oid, format)) as typeof pg.types.getTypeParser,
    },
  };
}

/**
 * A plan that was made while a table was small, and is kept, would read all of it when it has grown. Without statistics the
 * planner expects many rows, and would compile statements for longer than they run.
 */
const OPTIONS =
  "-c search_path=hooklatch -c synchronous_commit=on -c plan_cache_mode=force_custom_plan -c jit=off";

const INT8 = 20;

/** Opens the pool. It connects when the first statement is run. */
export function openDatabase(address: DatabaseAddress, name: string): Database {
  const pool = new pg.Pool({ ...toClientConfig(address, name), max: CONNECTIONS });
  // An idle connection was cut. The pool opens another one.
  pool.on("error", () => {});
  let lane: Promise<unknown> = Promise.resolve();
  let closing: Promise<void> | null = null;

  async function attempt<Result>(act: () => Promise<Result>): Promise<Result> {
    try {
      return await act();
    } catch (error) {
      throw toAppError(error);
    }
  }

  async function runIn<Result>(begin: string, act: (query: Query) => Promise<Result>): Promise<Result> {
    const client = await pool.connect();
    // A connection that is cut while nothing waits for it: the next statement rejects.
    let broken: Error | null = null;
    const onError = (error: Error) => {
      broken = error;
    };
    client.on("error", onError);
    // Sent together with the first statements: whoever waits for the lane waits for each round trip.
    const begun = client.query(begin);
    try {
      const result = await act(createQuery(client));
      await begun;
      await client.query("COMMIT");
      return result;
    } catch (failed) {
      // When the transaction did not begin, that is the cause of all that follows.
      const error = await begun.then(
        () => failed,
        (cause: unknown) => cause,
      );
      await client.query("ROLLBACK").catch((failed: Error) => {
        broken ??= failed;
      });
      throw error;
    } finally {
      client.off("error", onError);
      client.release(broken ?? undefined);
    }
  }

  function assertOpen(): void {
    if (closing !== null) throw new AppError("unavailable", "the store is closed");
  }

  return {
    query: async (text, ...values) => {
      assertOpen();
      return attempt(() => createQuery(pool)(text, ...values));
    },
    async transact(act) {
      assertOpen();
      return attempt(() => runIn("BEGIN", act));
    },
    async write(act) {
      assertOpen();
      const result = lane.then(() => attempt(() => runIn(BEGIN, act)));
      lane = result.catch(() => {});
      return result;
    },
    close() {
      closing ??= lane.then(() => pool.end());
      return closing;
    },
  };
}

/** Each text is prepared once for each connection. */
const names = new Map<string, string>();

function createQuery(client: Pick<pg.Pool, "query"> | Pick<pg.ClientBase, "query">): Query {
  return async <Row extends object>(text: string, ...values: readonly Value[]) => {
    let name = names.get(text);
    if (name === undefined) {
      name = createHash("sha1").update(text).digest("hex");
      names.set(text, name);
    }
    const { rows } = await client.query<Row>({ name, text, values: values.map(encode) });
    for (const row of rows) decodeRow(row);
    return rows;
  };
}

/** Postgres refuses NUL in texts. Foreign texts may have one: it is stored as an escape, and so is the escape itself. */
const ESCAPE = "\u{e000}";

function encode(value: Value): unknown {
  if (typeof value === "string") return encodeText(value);
  if (value instanceof Uint8Array) return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  return Array.isArray(value) ? value.map(encode) : value;
}

function encodeText(text: string): string {
  if (!text.includes("\0") && !text.includes(ESCAPE)) return text;
  return text.replaceAll(ESCAPE, `${ESCAPE}1`).replaceAll("\0", `${ESCAPE}0`);
}

function decodeRow(row: object): void {
  const columns = row as Record<string, unknown>;
  for (const [name, value] of Object.entries(columns)) {
    if (typeof value !== "string" || !value.includes(ESCAPE)) continue;
    columns[name] = value.replaceAll(`${ESCAPE}0`, "\0").replaceAll(`${ESCAPE}1`, ESCAPE);
  }
}
