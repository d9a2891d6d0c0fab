import pg from "pg";

/** A connection to the database of a fleet that survives its restarts. */
export class DatabaseWatch {
  readonly #url: string;
  #client: pg.Client | null = null;

  constructor(url: string) {
    this.#url = url;
  }

  /** Runs a statement. Retries until the database answers. */
  async query<Row extends pg.QueryResultRow>(text: string, ...values: unknown[]): Promise<readonly Row[]> {
    for (;;) {
      try {
        this.#client ??= await this.#connect();
        return (await this.#client.query<Row>(text, values)).rows;
      } catch (error) {
        this.#client?.end().catch(() => {});
        this.#client = null;
        if (!isAway(error)) throw error;
        await Bun.sleep(20);
      }
    }
  }

  async close(): Promise<void> {
    await this.#client?.end().catch(() => {});
  }

  /**
   * Watches the deliveries until `signal` is aborted. Resolves with the ids that became visible after a higher one, and with
   * how many were seen.
   */
  async watchOrder(
    signal: AbortSignal,
  ): Promise<{ readonly late: readonly number[]; readonly seen: number }> {
    const seen = new Set<number>();
    const late: number[] = [];
    let highest = 0;
    while (!signal.aborted) {
      const rows = await this.query<{ id: string }>(
        "SELECT id FROM hooklatch.delivery WHERE id > $1 ORDER BY id",
        Math.max(0, highest - 500),
      );
      const before = highest;
      for (const { id: text } of rows) {
        const id = Number(text);
        if (!seen.has(id) && id < before) late.push(id);
        seen.add(id);
        highest = Math.max(highest, id);
      }
      await Bun.sleep(10);
    }
    return { late, seen: seen.size };
  }

  async #connect(): Promise<pg.Client> {
    const client = new pg.Client({ connectionString: this.#url, application_name: "watch" });
    client.on("error", () => {});
    await client.connect();
    return client;
  }
}

/** Whether the database is starting, stopping or cut off. Everything else is a mistake of the test. */
function isAway(error: unknown): boolean {
  const { code = "", message = "" } = error as { readonly code?: string; readonly message?: string };
  return /^(?:57P0|08|ECONN|EPIPE)/.test(code) || /terminated|closed|ended|not queryable/i.test(message);
}
