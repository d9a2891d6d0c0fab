import type { Config } from "../config/load.ts";
import { AppError } from "../lib/errors.ts";
import { probePostgres } from "../store/postgres.ts";
import { type CheckResult, fail, ok } from "./check-result.ts";

/** Checks that the database of `[store] url` can be reached and logged in to. Nothing for SQLite. */
export async function checkDatabase({ postgres }: Config["store"]): Promise<readonly CheckResult[]> {
  if (postgres === null) return [];
  try {
    const version = await probePostgres(postgres.url.reveal());
    return [ok(`[store] url: PostgreSQL ${version}; this host is ${postgres.host}`)];
  } catch (error) {
    if (error instanceof AppError) return [fail(error.message)];
    throw error;
  }
}
