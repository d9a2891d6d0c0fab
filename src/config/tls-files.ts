import type { ReadContext } from "./read/context.ts";
import { child, type Place, variable } from "./read/issues.ts";
import type { Section } from "./read/table.ts";
import { readText } from "./read/toml.ts";
import type { ServerTable } from "./schema.ts";
import type { Server } from "./server.ts";

/**
 * Reports a certificate's or key's file that is not there or cannot be read. Only for who is to serve with them:
 * others may look at the configuration without being allowed to read the key.
 */
export function checkTlsFiles(
  { tls }: Server,
  { has, place }: Section<typeof ServerTable>,
  ground: ReadContext,
): void {
  if (tls === null) return;
  const at = (key: string, name: string) => (has("tls") ? child(child(place, "tls"), key) : variable(name));
  checkFile(tls.cert, "certificate", at("cert", "TLS_CERT"), ground);
  checkFile(tls.key, "private key", at("key", "TLS_KEY"), ground);
}

function checkFile(file: string, what: string, place: Place, { report }: ReadContext): void {
  const found = readText(file);
  if (!found.ok) report.fault(place, `the ${what} file ${file} ${found.problem}`);
}
