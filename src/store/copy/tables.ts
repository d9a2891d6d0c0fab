import { digest } from "../body.ts";

/** A value as both databases store it; a boolean is 0 or 1. */
export type Cell = string | number | Uint8Array | null;

/** A row by its columns. The body of a delivery is not compressed. */
export type CopyRow = Record<string, Cell>;

/** The type of a column in Postgres. */
export type ColumnType = "bigint" | "integer" | "smallint" | "text" | "bytea";

/** The columns that both databases have in a table. */
export interface CopyTable {
  readonly name: string;
  readonly columns: Readonly<Record<string, ColumnType>>;
}

/** The tables in an order in which each refers to earlier ones only. What is not here is derived from it. */
export const TABLES: readonly CopyTable[] = [
  table("client", { bigint: "id authorised_at expires_at", text: "source address" }),
  table("delivery", {
    bigint: "id received_at redelivery_of replay_of",
    integer: "other_targets",
    smallint: "has_identity",
    text: "source event event_name action status reason client provider_id hook headers decisions ci_commit ci",
    bytea: "body_sha256 body",
  }),
  table("not_deployed", { bigint: "delivery", text: "target" }),
  table("deployment", {
    bigint: "id delivery retry_of superseded_by created_at started_at ended_at",
    integer: "attempt queue_all",
    text: "target state code reason trigger pushed_commit choice chosen branch commit subject author commit_url previous_commit release",
  }),
  table("step", { bigint: "deployment milliseconds", integer: "position exit_code", text: "command signal" }),
  table("live", { bigint: "since deployment", text: "target commit release" }),
  table("output", { bigint: "deployment", integer: "line", text: "text" }),
  table("output_extent", {
    bigint: "deployment",
    integer: "head_lines head_bytes tail_start tail_bytes next_line",
  }),
  table("lock", { bigint: "since until delivery", text: "target reason by trigger pushed_commit" }),
  table("notification", {
    bigint: "id deployment created_at due_at",
    integer: "attempts",
    text: "channel kind",
  }),
  table("published_ranges", { bigint: "fetched_at", text: "list ranges" }),
];

function table(name: string, types: Partial<Record<ColumnType, string>>): CopyTable {
  const columns = Object.entries(types).flatMap(([type, names]) =>
    names.split(" ").map((column) => [column, type as ColumnType] as const),
  );
  return { name, columns: Object.fromEntries(columns) };
}

/** The tables whose ids are never used again, with the last one of each. */
export type LastIds = Readonly<Record<"client" | "delivery" | "deployment" | "notification", number>>;

/** A database that is read. */
export interface CopySource {
  /** The rows of a table; earlier rows do not refer to later ones. */
  read(table: CopyTable): Iterable<CopyRow> | AsyncIterable<CopyRow>;
  readLastIds(): Promise<LastIds> | LastIds;
}

/** An empty database that is written. */
export interface CopyTarget extends CopySource {
  write(table: CopyTable, rows: readonly CopyRow[]): Promise<void> | void;
  writeLastIds(ids: LastIds): Promise<void> | void;
}

/** The number of rows, and a digest that does not depend on their order. */
export interface Summary {
  readonly rows: number;
  readonly digest: string;
}

/** Rows that are written at once: at most this many, and about as many bytes. */
const MAX_ROWS = 500;
const MAX_BYTES = 4 * 1024 * 1024;

/** Copies all tables. Returns the summary of what was read. */
export async function copyTables(
  source: CopySource,
  target: CopyTarget,
): Promise<ReadonlyMap<string, Summary>> {
  const summaries = new Map<string, Summary>();
  for (const table of TABLES) {
    let batch: CopyRow[] = [];
    let bytes = 0;
    const flush = async () => {
      if (batch.length > 0) await target.write(table, batch);
      batch = [];
      bytes = 0;
    };
    const summary = createSummary();
    for await (const row of source.read(table)) {
      summary.add(table, row);
      batch.push(row);
      bytes += sizeOf(row);
      if (batch.length >= MAX_ROWS || bytes >= MAX_BYTES) await flush();
    }
    await flush();
    summaries.set(table.name, summary.end());
  }
  await target.writeLastIds(await source.readLastIds());
  return summaries;
}

/** Reads all tables. */
export async function summarise(source: CopySource): Promise<ReadonlyMap<string, Summary>> {
  const summaries = new Map<string, Summary>();
  for (const table of TABLES) {
    const summary = createSummary();
    for await (const row of source.read(table)) summary.add(table, row);
    summaries.set(table.name, summary.end());
  }
  return summaries;
}

/** The digest is the exclusive or of those of the rows, which are distinct. */
function createSummary() {
  const sum = Buffer.alloc(32);
  let rows = 0;
  return {
    add({ columns }: CopyTable, row: CopyRow): void {
      const cells = Object.keys(columns).map((column) => {
        const cell = row[column] ?? null;
        return cell instanceof Uint8Array ? digest(cell).toString("hex") : cell;
      });
      for (const [at, byte] of digest(JSON.stringify(cells)).entries()) sum[at] = (sum[at] ?? 0) ^ byte;
      rows += 1;
    },
    end: (): Summary => ({ rows, digest: sum.toString("hex") }),
  };
}

function sizeOf(row: CopyRow): number {
  return Object.values(row).reduce<number>(
    (sum, cell) => sum + (typeof cell === "string" || cell instanceof Uint8Array ? cell.length : 8),
    0,
  );
}
