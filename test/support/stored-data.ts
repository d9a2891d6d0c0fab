import { Database } from "bun:sqlite";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { zstdDecompressSync } from "node:zlib";

/** A row of the deployment table. */
export interface KeptDeployment {
  readonly id: number;
  readonly target: string;
  readonly state: string;
  readonly reason: string | null;
  readonly trigger: string;
  readonly delivery: number | null;
  readonly commit: string | null;
}

/** Reads the database of a data directory directly, without the program. */
export class Kept {
  readonly #database: Database;

  constructor(dataDirectory: string) {
    this.#database = new Database(join(dataDirectory, "hooklatch.db"), { readonly: true });
    // The server may be writing, or another reader may be recovering the log of a killed server.
    this.#database.run("PRAGMA busy_timeout = 10000");
  }

  /** Opens the database for one read, and closes it. */
  static read<T>(dataDirectory: string, ask: (kept: Kept) => T): T {
    const kept = new Kept(dataDirectory);
    try {
      return ask(kept);
    } finally {
      kept.close();
    }
  }

  /** The result of SQLite's integrity check: `ok`, or the errors found. */
  get integrity(): string {
    return this.#one<{ integrity_check: string }>("PRAGMA integrity_check")?.integrity_check ?? "nothing";
  }

  get deliveries(): number {
    return this.#one<{ count: number }>("SELECT count(*) AS count FROM delivery")?.count ?? 0;
  }

  /** The SHA-256 of the stored body of a delivery; null when the delivery does not exist. */
  digestOf(delivery: number): string | null {
    const body = readStoredBody(this.#database, delivery);
    return body === null ? null : digest(body);
  }

  /** The deliveries with this body that are neither a redelivery nor a replay of another, oldest first. */
  firstsWith(bodyDigest: string): readonly number[] {
    return this.#all<{ id: number }>(
      `SELECT id FROM delivery
       WHERE body_sha256 = ? AND redelivery_of IS NULL AND replay_of IS NULL ORDER BY id`,
      Buffer.from(bodyDigest, "hex"),
    ).map(({ id }) => id);
  }

  /** The number of bodies that more than one original delivery has. */
  get bodiesKeptTwice(): number {
    return this.#all(
      `SELECT 1 FROM delivery WHERE redelivery_of IS NULL AND replay_of IS NULL
       GROUP BY source, body_sha256 HAVING count(*) > 1`,
    ).length;
  }

  redeliveryOf(delivery: number): number | null {
    const row = this.#one<{ first: number | null }>(
      "SELECT redelivery_of AS first FROM delivery WHERE id = ?",
      delivery,
    );
    return row?.first ?? null;
  }

  /** The deployments of a delivery, including those that were queued again, oldest first. */
  deploymentsOf(delivery: number): readonly Pick<KeptDeployment, "id" | "target" | "state">[] {
    return this.#all("SELECT id, target, state FROM deployment WHERE delivery = ? ORDER BY id", delivery);
  }

  /** All deployments, or those of one target, oldest first. */
  deployments(target: string | null = null): readonly KeptDeployment[] {
    return this.#all(
      `SELECT id, target, state, reason, trigger, delivery, "commit" FROM deployment
       WHERE ?1 IS NULL OR target = ?1 ORDER BY id`,
      target,
    );
  }

  /** The number of queued and running deployments. */
  get unfinished(): number {
    const row = this.#one<{ count: number }>(
      "SELECT count(*) AS count FROM deployment WHERE state IN ('queued', 'running')",
    );
    return row?.count ?? 0;
  }

  close(): void {
    this.#database.close();
  }

  #one<Row>(sql: string, ...values: (string | number | null | Uint8Array)[]): Row | null {
    return this.#database.query<Row, typeof values>(sql).get(...values);
  }

  #all<Row>(sql: string, ...values: (string | number | null | Uint8Array)[]): Row[] {
    return this.#database.query<Row, typeof values>(sql).all(...values);
  }
}

/** The stored body of a delivery, from its own row or its block; null when the delivery does not exist. */
export function readStoredBody(database: Database, delivery: number): Uint8Array | null {
  interface Row {
    readonly body: Uint8Array;
    readonly encoding: string;
    readonly block: Uint8Array | null;
    readonly start: number;
    readonly length: number;
  }
  const select = database.query<Row, [number]>(
    `SELECT body, body_encoding AS encoding, bytes AS block, block_offset AS start, block_length AS length
     FROM delivery LEFT JOIN body_block ON body_block.id = block WHERE delivery.id = ?`,
  );
  const row = select.get(delivery);
  if (row === null) return null;
  const { body, encoding, block, start, length } = row;
  if (block !== null) return zstdDecompressSync(block).subarray(start, start + length);
  return encoding === "zstd" ? zstdDecompressSync(body) : body;
}

/** The SHA-256 of bytes or text, in hex. */
export function digest(content: string | Uint8Array): string {
  return createHash("sha256").update(content).digest("hex");
}
