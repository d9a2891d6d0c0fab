import { type Place, under, variable } from "./finding.ts";
import type { Ground } from "./ground.ts";
import { readText } from "./read-file.ts";
import type { ServerTable } from "./schema.ts";
import type { Section } from "./section.ts";
import type { Server } from "./server.ts";

/**
 * Reports a certificate's or key's file that is not there or cannot be read. Only for who is to serve with them:
 * others may look at the configuration without being allowed to read the key.
 */
export function checkTlsFiles(
  { tls }: Server,
  { has, place }: Section<typeof ServerTable>,
  ground: Ground,
): void {
  if (tls === null) return;
  const at = (key: string, name: string) => (has("tls") ? under(under(place, "tls"), key) : variable(name));
  checkFile(tls.cert, "certificate", at("cert", "TLS_CERT"), ground);
  checkFile(tls.key, "private key", at("key", "TLS_KEY"), ground);
}

function checkFile(file: string, what: string, place: Place, { report }: Ground): void {
  const found = readText(file);
  if (!found.ok) report.fault(place, `the ${what} file ${file} ${found.problem}`);
}
