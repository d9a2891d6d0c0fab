import type { Config } from "../config/load.ts";
import { AppError } from "../lib/errors.ts";
import { probePostgres } from "../store/postgres.ts";
import { type CheckResult, fail, ok, warn } from "./check-result.ts";

/**
 * Checks that the database of `[store] url` can be reached and logged in to, and that it has the hosts that targets name.
 * Nothing for SQLite.
 */
export async function checkDatabase({
  store: { postgres },
  targets,
}: Pick<Config, "store" | "targets">): Promise<readonly CheckResult[]> {
  if (postgres === null) return [];
  try {
    const { version, hosts } = await probePostgres(postgres.url.reveal());
    const known = new Set([...hosts, postgres.host]);
    return [
      ok(`[store] url: PostgreSQL ${version}; this host is ${postgres.host}`),
      ...targets.flatMap(({ name, placement }) =>
        (placement?.hosts ?? [])
          .filter((host) => !known.has(host))
          .map((host) =>
            warn(`target ${name}: no host ${host} has run yet; known: ${[...known].join(", ")}`),
          ),
      ),
    ];
  } catch (error) {
    if (error instanceof AppError) return [fail(error.message)];
    throw error;
  }
}
