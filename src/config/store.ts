import { hostname } from "node:os";
import { readDatabaseUrl } from "../lib/postgres-url.ts";
import type { Secret } from "../lib/secret.ts";
import type { ReadContext } from "./read/context.ts";
import { child } from "./read/issues.ts";
import type { CheckedTable } from "./read/table.ts";
import { type GeneratedSecret, loadValue, warnOfLiteral } from "./secrets.ts";
import type { StoreTable } from "./store-schema.ts";

/** `[store]`. */
export interface StoreConfig {
  /** How long history is kept, in milliseconds. */
  readonly keepDeliveries: number;
  readonly keepDeployments: number;
  /** The database that several hosts share; null for SQLite in the data directory. */
  readonly postgres: PostgresConfig | null;
}

/** A database that several hosts share. */
interface PostgresConfig {
  readonly url: Secret;
  /** The name of this host. */
  readonly host: string;
  /** Milliseconds for which a one-by-one rollout waits for a host that is away. */
  readonly patience: number;
}

/** Resolves `[store]`, and loads the URL of the database. */
export function resolveStore(
  { values, place, has }: CheckedTable<typeof StoreTable>,
  context: ReadContext,
): StoreConfig {
  const { url, host = hostname(), rollout_patience: patience } = values;
  for (const key of ["host", "rollout_patience"] as const) {
    if (has(key) && !has("url")) {
      context.issues.fault(child(place, key), 'needs "url": with SQLite there is one host');
    }
  }
  if (url !== undefined) checkUrl(url, child(place, "url"), context);
  return Object.freeze({
    keepDeliveries: values.keep_deliveries,
    keepDeployments: values.keep_deployments,
    postgres: url === undefined ? null : Object.freeze({ url, host, patience }),
  });
}

function checkUrl(url: Secret, place: ReturnType<typeof child>, context: ReadContext): void {
  const { issues } = context;
  if (!loadValue(url, place, context)) return;
  const read = readDatabaseUrl(url.reveal());
  if (read.kind === "invalid") {
    issues.fault(place, read.problem);
    return;
  }
  if (read.address.password !== undefined) warnOfLiteral(url, place, context);
  if (!read.isEncrypted) {
    issues.warn(place, "the connection is not encrypted: the network path can read passwords and payloads");
  }
}

/** Each host would generate a secret of its own, and refuse what is signed for another. */
export function refuseGenerated(
  generated: readonly GeneratedSecret[],
  { place }: CheckedTable<typeof StoreTable>,
  { issues }: ReadContext,
): void {
  for (const { what } of generated) {
    issues.fault(
      child(place, "url"),
      `the ${what} is not set: with a shared database none is generated; set the same one on every host, see docs/fleet.md`,
    );
  }
}
