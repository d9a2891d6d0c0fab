import { isLoopback } from "../lib/ip-address.ts";
import { Secret } from "../lib/secret.ts";
import { isSet, type ReadContext } from "./read/context.ts";
import { child, variable } from "./read/issues.ts";
import type { CheckedTable } from "./read/table.ts";
import type { AdminTable } from "./schema.ts";
import { findGeneratedSecret, formatHex, type GeneratedSecret, loadSecret } from "./secrets.ts";

/** Where the admin listener is. */
export interface Admin {
  readonly host: string;
  /** 0 picks a free one. */
  readonly port: number;
  /** Whether the file sets the port. Only then does the start fail when the port is taken. */
  readonly isConfigured: boolean;
  readonly token: Secret;
  /** Further host names that requests may use, without a port. */
  readonly hosts: readonly string[];
  /** Whether the dashboard is served. */
  readonly dashboard: boolean;
}

const TOKEN = "HOOKLATCH_ADMIN_TOKEN";

/** Resolves `[admin]`, and in `generated` its token when nothing sets one. */
export function resolveAdmin(
  { values, place, has }: CheckedTable<typeof AdminTable>,
  dataDir: string,
  context: ReadContext,
): { readonly admin: Admin; readonly generated: readonly GeneratedSecret[] } {
  const { host, port, hosts, dashboard } = values;
  if (!isLoopback(host)) {
    const risk =
      "other machines can reach the admin listener, and its plain HTTP shows the token to the network path";
    context.issues.warn(child(place, "host"), `${risk}; listen on 127.0.0.1 and use an ssh tunnel`);
  }
  const resolved = (token: Secret) =>
    Object.freeze({ host, port, isConfigured: has("port"), token, hosts, dashboard });
  if (!has("token") && !isSet(TOKEN, context)) {
    const name = { what: "admin token", source: null, name: "admin.token", format: formatHex };
    const stored = findGeneratedSecret(name, dataDir, context);
    return { admin: resolved(stored.secret), generated: [stored] };
  }
  const token = values.token ?? new Secret({ kind: "env", name: TOKEN });
  if (!has("token")) loadSecret(token, variable(TOKEN), context);
  else if (values.token !== undefined) loadSecret(token, child(place, "token"), context);
  return { admin: resolved(token), generated: [] };
}
