import { Secret } from "../lib/secret.ts";
import { isSet, type ReadContext } from "./read/context.ts";
import { child, variable } from "./read/issues.ts";
import { checkHost, overlap } from "./read/network.ts";
import type { CheckedTable } from "./read/table.ts";
import type { AdminTable } from "./schema.ts";
import { findGeneratedSecret, type GeneratedSecret, loadSecret } from "./secrets.ts";

/** Where the admin listener is. */
export interface Admin {
  readonly host: string;
  /** 0 picks a free one. */
  readonly port: number;
  /** Whether the file sets the port. Only then does the start fail when the port is taken. */
  readonly isConfigured: boolean;
  readonly token: Secret;
}

const TOKEN = "HOOKLATCH_ADMIN_TOKEN";

/**
 * Resolves `[admin]`, and in `generated` its token when nothing sets one.
 *
 * @param server the public listener, which must have another port; null when it does not matter.
 */
export function resolveAdmin(
  { values, place, has }: CheckedTable<typeof AdminTable>,
  server: { readonly host: string; readonly port: number } | null,
  dataDir: string,
  context: ReadContext,
): { readonly admin: Admin; readonly generated: readonly GeneratedSecret[] } {
  const host = checkHost(values.host, child(place, "host"), context) ?? "127.0.0.1";
  const port = values.port ?? 9001;
  const isConfigured = has("port");
  const isTaken = server !== null && port !== 0 && port === server.port && overlap(host, server.host);
  if (isConfigured && isTaken) {
    context.issues.fault(
      child(place, "port"),
      `the public listener already has port ${port}: choose another port`,
    );
  }
  if (!has("token") && !isSet(TOKEN, context)) {
    const stored = findGeneratedSecret(
      { what: "admin token", source: null, name: "admin.token" },
      dataDir,
      context,
    );
    return { admin: Object.freeze({ host, port, isConfigured, token: stored.secret }), generated: [stored] };
  }
  const token = values.token ?? new Secret({ kind: "env", name: TOKEN });
  if (!has("token")) loadSecret(token, variable(TOKEN), context);
  else if (values.token !== undefined) loadSecret(token, child(place, "token"), context);
  return { admin: Object.freeze({ host, port, isConfigured, token }), generated: [] };
}
