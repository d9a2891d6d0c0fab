import { Secret } from "../lib/secret.ts";
import { isSet, type ReadContext } from "./read/context.ts";
import { child, variable } from "./read/issues.ts";
import { overlap } from "./read/network.ts";
import type { Section } from "./read/table.ts";
import type { AdminTable } from "./schema.ts";
import { type GeneratedSecret, loadSecret, storeSecret } from "./secrets.ts";
import { checkHost, type Server } from "./server.ts";

/** The admin listener's part of the configuration. */
export interface Admin {
  readonly host: string;
  /** 0 picks a free one. */
  readonly port: number;
  /** Whether somebody chose the port: only then the start fails where it cannot be had. */
  readonly isConfigured: boolean;
  readonly token: Secret;
}

const TOKEN = "HOOKLATCH_ADMIN_TOKEN";

/** `[admin]`, and its token in `generated` where nothing sets it. */
export function resolveAdmin(
  { values, place, has }: Section<typeof AdminTable>,
  server: Server,
  dataDir: string,
  ground: ReadContext,
): { readonly admin: Admin; readonly generated: readonly GeneratedSecret[] } {
  const host = checkHost(values.host, child(place, "host"), ground) ?? "127.0.0.1";
  const port = values.port ?? 9001;
  const isConfigured = has("port");
  if (isConfigured && port !== 0 && port === server.port && overlap(host, server.host)) {
    ground.report.fault(
      child(place, "port"),
      `expected another port than the public listener's, found ${port}`,
    );
  }
  if (!has("token") && !isSet(TOKEN, ground)) {
    const kept = storeSecret({ what: "admin token", source: null, name: "admin.token" }, dataDir, ground);
    return { admin: Object.freeze({ host, port, isConfigured, token: kept.secret }), generated: [kept] };
  }
  const token = values.token ?? new Secret({ kind: "env", name: TOKEN });
  if (!has("token")) loadSecret(token, variable(TOKEN), ground);
  else if (values.token !== undefined) loadSecret(token, child(place, "token"), ground);
  return { admin: Object.freeze({ host, port, isConfigured, token }), generated: [] };
}
